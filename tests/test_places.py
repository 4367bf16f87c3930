"""The project where one does not expect it: behind links, in a larger repository, elsewhere."""

import errno
import mmap
import os
import re
import shutil
import zipfile
from pathlib import Path

import pytest

from tests.conftest import (
    PROJECT,
    Dvc,
    Experiment,
    call,
    refusal,
    results,
    run_in,
    stages_run,
    try_in,
)
from workflow.base.files import atomic_folder
from workflow.base.reviews import load_reviews


def test_a_folder_that_is_a_link_is_followed(tmp_path: Path):
    link, disk = tmp_path / "data/multi_hot", tmp_path / "a disk/vectors"
    (disk / "old").mkdir(parents=True)
    link.parent.mkdir()
    link.symlink_to("../a disk/vectors")
    with atomic_folder(link) as folder:
        (folder / "new").touch()
        assert (link / "old").exists()  # until all is written
    assert link.is_symlink()
    assert [*disk.parent.rglob("*")] == [disk, disk / "new"]


def test_what_cannot_take_its_place_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    folder, rename = tmp_path / "vectors", Path.rename
    with atomic_folder(folder) as partial:
        (partial / "old").touch()

    def fails(path: Path, target: Path) -> Path:
        if path.name == ".vectors.partial":
            raise OSError(errno.EXDEV, "no")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fails)
    with pytest.raises(OSError, match="no"), atomic_folder(folder):
        pass
    assert [*tmp_path.rglob("*")] == [folder, folder / "old"]


def test_results_on_another_disk_stay_there_and_are_the_same(
    copy: Path, repository: Path, tmp_path: Path, dvc: Dvc
):
    for place in ("data/reviews", "data/ngrams"):
        disk = tmp_path / "a disk" / place
        disk.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(copy / place, disk)
        (copy / place).symlink_to(disk)
    stages = ("download", "vectorize@ngrams")
    assert stages_run(dvc("repro --force --single-item", *stages)) == sorted(stages)
    assert (copy / "data/ngrams").is_symlink()
    assert (tmp_path / "a disk/data/ngrams/facts.json").exists()
    shutil.copytree(copy, tmp_path / "a copy without links", symlinks=False)
    assert results(tmp_path / "a copy without links") == results(repository)


def test_git_ignores_a_link_in_the_place_of_an_ignored_folder(copy: Path, tmp_path: Path):
    for place in ("data", "models", "errors", "exports", "review"):
        shutil.rmtree(copy / place, ignore_errors=True)
        (copy / place).symlink_to(tmp_path)
    assert run_in(copy, "git status --short") == ""


def test_a_stage_runs_as_a_file_and_without_the_current_folder_on_pythons_path(
    copy: Path, repository: Path
):
    """`make setup` installs the project in editable form."""
    where = run_in(copy, "python -P -c", "import workflow; print(workflow.__file__)")
    if where.strip() != str(PROJECT / "workflow/__init__.py"):
        pytest.skip("this checkout is not installed")
    table = copy / "metrics/scores.csv"
    for line, safe in (("stages/compare.py", ""), ("-m stages.compare", "1")):
        table.unlink()
        run_in(copy, "env", f"PYTHONSAFEPATH={safe}", "python", *line.split())
        assert table.read_bytes() == (repository / "metrics/scores.csv").read_bytes()


def test_outside_the_project_a_stage_says_where_it_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    assert refusal("stages.compare") == (
        "error: there is no params.yaml here: run stages and commands in the project's folder"
    )


def test_the_project_below_the_root_of_a_repository(
    repository: Path, tmp_path: Path, monkeypatch, capsys
):
    """Every command that asks Git or DVC; the review has more of it in test_review.py."""
    folder = Path(shutil.copytree(repository, tmp_path / "larger/a folder/imdb"))
    shutil.rmtree(folder / ".git")
    user = "-c user.name=a -c user.email=a@b"
    for line in ("init --quiet", "add --all", f"{user} commit --quiet -m x"):
        run_in(tmp_path / "larger", f"git {line}")
    monkeypatch.chdir(folder)
    for module, arguments, printed in (
        ("verify", [], "15 outputs are what dvc.lock says"),
        ("sweep", [], "No experiment to compare"),
        ("review", ["HEAD"], "**No accuracy changed.**"),
    ):
        call(f"commands.{module}", *arguments)
        assert printed in capsys.readouterr().out
    assert stages_run(run_in(folder, "dvc repro --allow-missing --dry")) == []


def test_the_remedies_for_letters_that_dvc_cannot_write(repository: Path, tmp_path: Path):
    """In the path of its cache and in .git/config, as the list of troubles says."""
    copy = shutil.copytree(repository, tmp_path / "Ördner")
    try_one = "dvc exp run --temp -S compare.min_effect=0.02"
    run_in(copy, "git config user.name Jörg")
    assert "'ascii' codec can't encode" in try_in(copy, try_one).stderr
    page = (PROJECT / "docs/reliability.md").read_text("utf-8")
    (remedy,) = re.findall("`(mv .dvc/cache .*?)`", page)
    run_in(copy, "sh -ec", remedy.replace("/plain/path", str(tmp_path / "cache")))
    assert "'ascii' codec can't encode" in try_in(copy, try_one).stderr
    run_in(copy, "git config --unset user.name")
    (tmp_path / "global").write_text("[user]\nname = Jörg\n")
    ran = try_in(copy, try_one, GIT_CONFIG_GLOBAL=str(tmp_path / "global"))
    assert "Ran experiment" in ran.stdout


def test_a_change_that_was_tried_is_undone(
    experiment: Experiment, repository: Path, tmp_path: Path
):
    copy = shutil.copytree(experiment.folder, tmp_path / "a copy")
    readme = (PROJECT / "README.md").read_text("utf-8")
    (undo,) = re.findall(r"`(rm dvc\.lock && git checkout \. && [\w\s]+)`", readme)
    run_in(copy, "sh -ec", undo)
    assert results(copy) == results(repository)
    # Of the same size and time, as an experiment that fails leaves it.
    lock, time = copy / "dvc.lock", 10**18
    run_in(copy, "git config core.trustctime false")
    os.utime(lock, ns=(time, time))
    run_in(copy, "git status")
    lock.write_text(lock.read_text().replace("md5: 1", "md5: 2").replace("md5: 0", "md5: 3"))
    os.utime(lock, ns=(time, time))
    assert "dvc.lock" not in run_in(copy, "git status --porcelain")
    run_in(copy, "sh -ec", undo)
    assert results(copy) == results(repository)
    # What a new variant leaves, and what a mutation tester does while it runs.
    for name in ("metrics/correct/mine.npz", "plots/figures/mine.png", "plots/history/mine.csv"):
        (copy / name).write_bytes(b"mine")
    (copy / "mutants").mkdir()
    shutil.copy(copy / "dvc.yaml", copy / "mutants")
    experiments = (PROJECT / "docs/experiments.md").read_text("utf-8")
    (give_up,) = re.findall("`(rm .*clean .*)`", experiments)
    run_in(copy, "sh -ec", give_up)
    assert results(copy) == results(repository)
    assert "up to date" in run_in(copy, "dvc status")
    assert "mutants" not in run_in(copy, "git status --porcelain")


def test_a_checkout_of_another_user_gets_gits_reason_and_remedy(copy: Path, monkeypatch):
    """As in a container; Git's own tests tell it so by this variable."""
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    monkeypatch.setenv("LANGUAGE", "de")
    assert refusal("commands.review", "HEAD") == (
        "error: this checkout belongs to another user, so Git refuses to read it; if you trust it, "
        f"run `git config --global --add safe.directory '{copy}'`"
    )


@pytest.mark.usefixtures("copy")
def test_without_git_the_sentence_says_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", "")
    assert refusal("commands.review", "HEAD") == "error: git is not on PATH: install Git"


def test_a_disk_without_shared_memory_maps_can_be_read(
    repository: Path, monkeypatch: pytest.MonkeyPatch
):
    """As some network disks, which refuse them with ENODEV."""
    monkeypatch.chdir(repository)
    expected, shared = load_reviews("test"), mmap.mmap

    def refuse_shared(number: int, length: int, *, access: int, offset: int) -> mmap.mmap:
        if access != mmap.ACCESS_COPY:
            raise OSError(errno.ENODEV, "No such device")
        return shared(number, length, access=access, offset=offset)

    monkeypatch.setattr(mmap, "mmap", refuse_shared)
    assert load_reviews("test").values.tolist() == expected.values.tolist()


def test_results_are_committed_whatever_a_user_lets_git_ignore(copy: Path, tmp_path: Path):
    ignore = tmp_path / "ignore"
    ignore.write_text("*.csv\n*.png\n*.npz\nplots\nmetrics\n")
    git = ("git -c", f"core.excludesFile={ignore}")
    for path in ("metrics/correct/mine.npz", "plots/history/mine.csv", "plots/figures/mine.png"):
        (copy / path).write_text("")
        run_in(copy, *git, "add", path)
    (copy / "data/mine.csv").write_text("")
    run_in(copy, *git, "check-ignore", "data/mine.csv")


def test_a_saved_network_names_no_setting_that_older_versions_of_keras_refuse(repository: Path):
    """Those of Keras 3.4 to 3.12: the same network was loaded with 3.4.1, 3.6.0 and 3.10.0."""
    newer = {"quantization_config", "input_axes", "output_axes", "optional", "ragged"}
    for path in repository.glob("models/*/seed-1.keras"):
        with zipfile.ZipFile(path) as archive:
            config = archive.read("config.json").decode()
        assert not newer & set(re.findall(r'"(\w+)":', config))
        assert "null, 50]" in config or "null, 121]" in config  # batch sizes stay
