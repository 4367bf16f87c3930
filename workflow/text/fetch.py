"""Files pinned by their sha256: from Keras's cache, a mirror, or downloaded over HTTPS."""

import hashlib
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pooch
import requests

from workflow.base.errors import InputError, warn

TIMEOUT = (5, 20)  # seconds to connect, and between two packets
RETRIES = 2


def find(name: str, sha256: Sequence[str], url: str) -> bytes:
    """The content of file `name`, from the first place where it has one of these hashes.

    The places are Keras's cache, then $IMDB_MIRROR (a folder or an https address), then `url`.

    Raises:
        InputError: a line for each place that does not have it.
    """
    cache = Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / "datasets"
    mirror = os.environ.get("IMDB_MIRROR")
    reasons = []
    for place in filter(None, (str(cache), mirror, url)):
        source = f"{place}/{name}"
        try:
            content = fetch(source) if "://" in source else read(Path(source))
            check_hash(source, content, sha256)
        except InputError as error:
            reasons.append(str(error))
            continue
        if place == url:  # as Keras does, so that it is downloaded once
            keep(cache / name, content)
        return content
    if not mirror:
        reasons.append("IMDB_MIRROR is not set")
    raise InputError("\n  ".join(reasons))


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None


def fetch(url: str) -> bytes:
    """Download over HTTPS, with a progress bar on a terminal."""
    if not url.startswith("https://"):
        raise InputError(f"{url}: not an https address")
    base, name = url.rsplit("/", 1)
    pooch.get_logger().setLevel("ERROR")
    download = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), timeout=TIMEOUT)
    with tempfile.TemporaryDirectory() as folder:
        # Not checked by pooch, which knows one hash per file.
        files = pooch.create(folder, base + "/", registry={name: None}, retry_if_failed=RETRIES)
        try:
            return Path(files.fetch(name, downloader=download)).read_bytes()
        except (requests.RequestException, OSError, ValueError) as error:
            raise InputError(f"{url}: {error}") from None


def check_hash(name: str, content: bytes, sha256: Sequence[str]) -> None:
    digest = hashlib.sha256(content).hexdigest()
    if digest not in sha256:
        raise InputError(
            f"{name}: not the expected file: its sha256 is {digest}, not {' or '.join(sha256)}"
        )


def keep(path: Path, content: bytes) -> None:
    """Write `content` to Keras's cache, if that can be written to."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(content)
        partial.replace(path)
    except OSError as error:
        warn(f"{path} could not be written: {error.strerror}")
