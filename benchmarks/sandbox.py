"""Clones of the project to measure in, made once for all parts that run together."""

from functools import cached_property
from pathlib import Path

from benchmarks.measure import PROJECT, Run, python, run
from workflow.params import load_params
from workflow.text.fetch import find


class Sandbox:
    """A folder for one repetition."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def clone(self, name: str) -> Path:
        """The last commit, with nothing in DVC's cache."""
        folder = self.folder / name
        run(PROJECT, "git", "clone", "--quiet", str(PROJECT), str(folder))
        return folder

    @cached_property
    def notebook(self) -> Run:
        """The notebook's script. From here on the archive is in Keras's cache, or in a mirror."""
        source = load_params(PROJECT / "params.yaml").data.keras
        find("imdb_word_index.json", source.word_index_sha256, source.url)
        archive = self.folder / "imdb.npz"
        archive.write_bytes(find("imdb.npz", source.archive_sha256, source.url))
        return python(PROJECT, "benchmarks.notebook", str(archive))

    @cached_property
    def everything(self) -> tuple[Path, Run]:
        """A clone in which `dvc repro` made everything from nothing."""
        folder = self.clone("everything")
        return folder, run(folder, "dvc", "repro")

    @cached_property
    def reviews(self) -> Path:
        """A clone in which only the reviews are downloaded."""
        folder = self.clone("reviews")
        python(folder, "stages.download")
        return folder
