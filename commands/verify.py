"""Are the results what dvc.lock says? `make verify` hashes every byte, where DVC trusts its cache.

usage   python -m commands.verify
reads   dvc.lock, the outputs in the workspace, and their copies in DVC's cache
prints  a line for each damaged file and the command that brings all of them back; exit code 1
"""

import hashlib
import json
import os
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

from dvc.exceptions import DvcException
from dvc.repo import Repo

from workflow.base.errors import InputError, run
from workflow.report.revisions import git


def here(path: str) -> Path:
    return Path(os.path.relpath(path))


def md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def listing(folder: Path) -> list[dict[str, str]]:
    """What DVC writes down of a folder: its files and their hashes."""
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))
    return [
        {"md5": md5(folder / name), "relpath": name} for name in files if (folder / name).is_file()
    ]


def digest(path: Path) -> str:
    """The hash of a file or folder as dvc.lock has it."""
    if not path.is_dir():
        return md5(path)
    return hashlib.md5(json.dumps(listing(path)).encode()).hexdigest() + ".dir"  # noqa: S324


def damaged(path: Path, expected: str, cache: Path) -> Iterator[Path]:
    """Of an output and its copy in the cache: the files whose bytes are not the expected ones."""
    copy = cache / expected[:2] / expected[2:]
    intact = copy.exists() and md5(copy) == expected.removesuffix(".dir")
    if copy.exists() and not intact:
        yield copy
    if intact and expected.endswith(".dir"):
        names = {path / entry["relpath"]: entry["md5"] for entry in json.loads(copy.read_text())}
        for name, hash_ in names.items():
            yield from damaged(name, hash_, cache)
        if path.exists():
            found = {path / entry["relpath"] for entry in listing(path)}
            yield from found ^ names.keys()
    elif path.exists() and digest(path) != expected:
        yield path


def main() -> None:
    git("rev-parse", "--git-dir")  # DVC needs it, and would advise nothing
    try:
        repo = Repo()
        cache = here(repo.cache.local.path)
        outs = {here(out.fs_path): out.hash_info.value for out in repo.index.outs}
    except DvcException as error:
        named = re.search(r"'(?:\./)?([\w./-]+)'", str(error))
        path = named[1] if named else "dvc.lock"
        raise InputError(f"{error}; Git may have it whole: `git checkout {path}`") from None
    there = {path: hash_ for path, hash_ in outs.items() if hash_ and path.exists()}
    bad = sorted({file for out in outs.items() if out[1] for file in damaged(*out, cache)})
    if missing := sorted(map(str, outs.keys() - there.keys())):
        print(f"not here, or not in dvc.lock: {', '.join(missing)}")
        print("`dvc pull` or `dvc repro` brings them")
    if bad:
        for file in bad:
            print(f"{file}: not the bytes that dvc.lock says", file=sys.stderr)
        sys.exit(f"to bring them back: rm -rf {shlex.join(map(str, bad))} && dvc repro")
    print(f"{len(there)} outputs are what dvc.lock says")


if __name__ == "__main__":
    run(main)
