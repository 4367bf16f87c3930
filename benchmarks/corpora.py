"""The parts of the benchmark with n-grams and with a large corpus."""

import shutil

from benchmarks.measure import Measured, python, set_params, size
from benchmarks.sandbox import Sandbox
from workflow.base.files import features_folder, read_json

VECTORS = features_folder("ngrams")


def ngrams(sandbox: Sandbox) -> Measured:
    """The stage vectorize@ngrams against scikit-learn's CountVectorizer, each a whole process."""
    folder = sandbox.reviews
    python(folder, "benchmarks.texts")
    here = python(folder, "stages.vectorize", "ngrams")
    there = python(folder, "benchmarks.classifiers", "ngrams")
    columns = read_json(folder / VECTORS / "facts.json", dict)["columns"]
    if there.last_json != columns:
        raise ValueError(f"{columns} n-grams, but scikit-learn finds {there.last_json}")
    return {"seconds": [there.seconds, here.seconds], "MB": [there.peak, here.peak]}


def million(sandbox: Sandbox) -> Measured:
    """A million reviews of the user's own in a CSV file: read, and turned into n-grams."""
    folder = sandbox.clone("million")
    file = folder / "reviews.csv"
    python(sandbox.reviews, "benchmarks.texts", str(file), "1000000")
    own = {"path": file.name, "text": "text", "label": "label", "test_share": 0.01}
    own |= {"positive": "positive", "negative": "negative"}
    set_params(folder, {"data.sources": ["csv"]} | {f"data.csv.{k}": v for k, v in own.items()})
    read = python(folder, "stages.download")
    vectorized = python(folder, "stages.vectorize", "ngrams")
    result = {
        "GB": file.stat().st_size / 1e9,
        "read": [read.seconds, read.peak],
        "vectorized": [vectorized.seconds, vectorized.peak],
        "columns": read_json(folder / VECTORS / "facts.json", dict)["columns"],
        "GB of vectors": size(folder / VECTORS) / 1e9,
    }
    shutil.rmtree(folder)
    return result
