"""Are the results those of dvc.lock? `make verify` hashes every byte, where DVC trusts its cache.

usage   python -m commands.verify
reads   dvc.lock, the outputs in the workspace, and their copies in DVC's cache
prints  a line for each damaged file and the command that restores all of them; exit code 1
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
from workflow.base.files import how_to_get_results
from workflow.report.revisions import git


def md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def listing(folder: Path) -> list[dict[str, str]]:
    """DVC's record of a folder: its files and their hashes."""
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
    """The files of an output and of its copy in the cache whose bytes are not as expected."""
    copy = cache / expected[:2] / expected[2:]
    intact = copy.exists() and md5(copy) == expected.removesuffix(".dir")
    if copy.exists() and not intact:
        yield copy
    if intact and expected.endswith(".dir"):
        names = {path / entry["relpath"]: entry["md5"] for entry in json.loads(copy.read_text())}
        for name, hash_ in names.items():
            yield from damaged(name, hash_, cache)
        if path.exists():
            yield from names.keys() ^ {path / entry["relpath"] for entry in listing(path)}
    elif path.exists() and digest(path) != expected:
        yield path


def main() -> None:
    git("rev-parse", "--git-dir")  # the error without Git is clearer than DVC's
    try:
        repo = Repo()
        cache = Path(os.path.relpath(repo.cache.local.path))
        outs = {Path(os.path.relpath(o.fs_path)): o.hash_info.value for o in repo.index.outs}
    except DvcException as error:
        named = re.search(r"'(?:\./)?([\w./-]+)'", str(error))
        path = named[1] if named else "dvc.lock"
        raise InputError(f"{error}; `git checkout {path}` restores the committed one") from None
    present = {path for path in outs if path.exists()}
    if unlisted := sorted(str(path) for path in present if not outs[path]):
        reason = f"dvc.lock does not list {', '.join(unlisted)}"
        raise InputError(f"{reason}; `git checkout dvc.lock` restores the committed one")
    if missing := sorted(map(str, outs.keys() - present)):
        print(f"missing: {', '.join(missing)}; {how_to_get_results()} to get them")
    if bad := sorted({file for out in outs.items() if out[1] for file in damaged(*out, cache)}):
        for file in bad:
            print(f"{file}: not the bytes in dvc.lock", file=sys.stderr)
        sys.exit(f"to restore them: rm -rf {shlex.join(map(str, bad))} && dvc repro")
    kept = [out.hash_info.value or "" for out in repo.index.outs if out.use_cache]
    copies = sum((cache / value[:2] / value[2:]).is_file() for value in kept)
    said = f"DVC's cache has {copies} of the {len(kept)} that it keeps"
    print(f"{len(present)} outputs are what dvc.lock says; {said}")


if __name__ == "__main__":
    run(main)
