"""Files whose content is known by its hash: from Keras's cache, a mirror, or over HTTPS."""

import hashlib
import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pooch
import requests

from workflow.base.errors import InputError, warn

TIMEOUT = (5, 20)  # seconds to connect, and between two packets
DEADLINE = 300  # seconds for one file, all tries together; 60 KB/s are enough for the archive
LARGEST_FILE = 50_000_000  # bytes; three times the archive, and also of each file inside it


def find(name: str, sha256: Sequence[str], url: str) -> bytes:
    """The content of file `name`, from the first place that has it with one of the hashes."""
    cache = Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / "datasets"
    mirror = os.environ.get("IMDB_MIRROR")
    places: list[str | Path] = [cache, *([mirror] if mirror else []), url]
    reasons = []
    for place in places:
        try:
            content = fetch(f"{place}/{name}") if is_url(place) else read(Path(place) / name)
            check_hash(f"{place}/{name}", content, sha256)
        except InputError as error:
            reasons.append(str(error))
            continue
        if place == url:  # as Keras would: next time it need not be downloaded
            keep(cache / name, content)
        return content
    if not mirror:
        reasons.append("IMDB_MIRROR is not set")
    raise InputError("\n  ".join(reasons))


def is_url(place: str | Path) -> bool:
    return "://" in str(place)


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None


def fetch(url: str) -> bytes:
    """Download over HTTPS, with a progress bar on a terminal and two more tries.

    Bounded in time by TIMEOUT and DEADLINE, in size by LARGEST_FILE.
    """

    def refuse_plain_http(response: requests.Response, **_: Any) -> None:
        target = urljoin(response.url, response.headers.get("location", ""))
        if response.is_redirect and not target.startswith("https://"):
            raise requests.exceptions.InvalidURL(f"redirected to {target}, which is not https")

    def limit_size(response: requests.Response, **_: Any) -> None:
        chunks = response.iter_content

        def limited(*args: Any, **options: Any) -> Iterator[bytes]:
            size = 0
            for chunk in chunks(*args, **options):
                size += len(chunk)
                if size > LARGEST_FILE:
                    raise InputError(f"{url}: more than {LARGEST_FILE:,} bytes")
                yield chunk

        response.iter_content = limited  # type: ignore[method-assign]

    if not url.startswith("https://"):
        raise InputError(f"{url}: only https addresses are downloaded from")
    with tempfile.TemporaryDirectory() as folder:
        base, name = url.rsplit("/", 1)
        pooch.get_logger().setLevel("ERROR")
        registry = pooch.create(folder, base + "/", registry={name: None}, retry_if_failed=2)
        download = pooch.HTTPDownloader(
            progressbar=sys.stderr.isatty(),
            timeout=TIMEOUT,
            hooks={"response": [refuse_plain_http, limit_size]},
        )
        try:
            with deadline(DEADLINE, url):
                return Path(registry.fetch(name, downloader=download)).read_bytes()
        except (requests.RequestException, OSError, ValueError) as error:
            raise InputError(f"{url}: {error}") from None


@contextmanager
def deadline(seconds: float, what: str) -> Iterator[None]:
    """InputError if the block takes longer; in the main thread only.

    Time-outs of sockets are for one packet, and a server that sends a byte now and then never
    meets them; the alarm interrupts whatever waits.
    """

    def expire(*_: Any) -> None:
        raise InputError(f"{what}: not complete after {seconds} seconds")

    before = signal.signal(signal.SIGALRM, expire)
    # Again every second, should the first be lost where Python ignores exceptions.
    signal.setitimer(signal.ITIMER_REAL, seconds, 1)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def check_hash(name: str, content: bytes, sha256: Sequence[str]) -> None:
    digest = hashlib.sha256(content).hexdigest()
    if digest not in sha256:
        raise InputError(
            f"{name}: not the expected file: its sha256 is {digest}, not {' or '.join(sha256)}"
        )


def keep(path: Path, content: bytes) -> None:
    """Write `content` to Keras's cache; a cache that cannot be written to is no reason to stop."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(content)
        partial.replace(path)
    except OSError as error:
        warn(f"{path} could not be kept: {error.strerror}")
