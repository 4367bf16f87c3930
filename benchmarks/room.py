"""What several parts of the benchmark need, made once for all that run together."""

import json
import sys
from functools import cached_property
from pathlib import Path
from typing import Any

from benchmarks.measure import PROJECT, Run, archive, keep_variants, run

# Those that multi-hot vectors are for.
OLDER = "book", "single", "single_regularized", "three_regularized", "wide_dropout"


class Room:
    """A folder for one repetition."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def mirror(self) -> Path:
        """The archive of keras.datasets.imdb."""
        (self.folder / "mirror").mkdir(parents=True, exist_ok=True)
        return archive(self.folder / "mirror")

    def run(self, folder: Path, *command: str, limit: float = 0) -> Run:
        return run(folder, *command, limit=limit, environment={"IMDB_MIRROR": str(self.mirror)})

    def python(self, folder: Path, module: str, *arguments: str, limit: float = 0) -> Run:
        return self.run(folder, sys.executable, "-m", module, *arguments, limit=limit)

    def stage(self, folder: Path, stage: str, *arguments: str, limit: float = 0) -> Run:
        return self.python(folder, f"stages.{stage}", *arguments, limit=limit)

    def clone(self, name: str) -> Path:
        """The last commit, with nothing in DVC's cache."""
        folder = self.folder / name
        self.run(PROJECT, "git", "clone", "--quiet", str(PROJECT), str(folder))
        return folder

    def commit(self, folder: Path) -> None:
        """What a clone has now, so that an experiment begins with a clean workspace."""
        identity = "-c", "user.name=benchmark", "-c", "user.email=benchmark@localhost"
        self.run(folder, "git", "add", "--all")
        self.run(folder, "git", *identity, "commit", "--quiet", "--allow-empty", "-m", "benchmark")

    @cached_property
    def notebook(self) -> tuple[Run, dict[str, Any]]:
        """The notebook's script: as a process, and what it says of its parts."""
        ended = self.python(PROJECT, "benchmarks.notebook", str(self.mirror / "imdb.npz"))
        return ended, json.loads(ended.output)

    @cached_property
    def everything(self) -> tuple[Path, Run]:
        """A clone in which `dvc repro` made everything from nothing."""
        folder = self.clone("everything")
        return folder, self.run(folder, "dvc", "repro")

    @cached_property
    def older(self) -> tuple[Path, Run]:
        """The same with the older variants alone, and without the n-grams they do not need."""
        folder = self.clone("older")
        keep_variants(folder, OLDER)
        return folder, self.run(folder, "dvc", "repro", "plot", "curves")

    @cached_property
    def reviews(self) -> Path:
        """A clone in which only the reviews are downloaded."""
        folder = self.clone("reviews")
        self.stage(folder, "download")
        return folder
