"""How fast an export is, how large, and how close to the networks that it is made from.

usage   python -m benchmarks.serving
reads   models/candidate, data/reviews, data/predictions/candidate, docs/serving.md
writes  benchmarks/serving.md; exports/candidate
"""

import re
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import requests
import tensorflow as tf

from benchmarks.measure import machine, python, size, write_page
from workflow.base.files import CANDIDATE, MODELS, PREDICTIONS, REVIEWS
from workflow.base.labels import is_positive
from workflow.base.reviews import load_reviews
from workflow.report.review_page import table
from workflow.text.vocabulary import Vocabulary

EXPORT = Path("exports") / CANDIDATE
REQUESTS, BATCH = 200, 512
PORT = 8765


def timed(function: Callable[..., Any], *arguments: Any, **options: Any) -> tuple[float, Any]:
    """Seconds, and what the function returns."""
    start = time.perf_counter()
    result = function(*arguments, **options)
    return time.perf_counter() - start, result


def over_http(texts: list[str]) -> float:
    """The median time of a request with one text to the server in docs/serving.md."""
    page = Path("docs/serving.md").read_text("utf-8")
    (app,) = re.findall("```python\n(.*?)```", page, re.DOTALL)
    with tempfile.TemporaryDirectory() as folder, requests.Session() as session:
        Path(folder, "app.py").write_text(app, "utf-8")
        line = ["uvicorn", "app:app", "--app-dir", folder, "--port", str(PORT)]
        with subprocess.Popen(line, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) as server:
            try:
                for message in server.stderr or ():
                    if b"Uvicorn running" in message:
                        break
                url = f"http://127.0.0.1:{PORT}/predict"
                session.post(url, json=texts[:1]).raise_for_status()
                times = [timed(session.post, url, json=[text])[0] for text in texts]
            finally:
                server.terminate()
    return statistics.median(times)


def main() -> None:
    export = python(Path(), "commands.export", CANDIDATE).seconds
    sentence = python(Path(), "commands.predict", CANDIDATE, "--sentence", "A great film").seconds
    reviews, vocabulary = load_reviews("test"), Vocabulary.load(REVIEWS)
    texts = [vocabulary.decode(block.values) for block in reviews.blocks(1)]
    loading, model = timed(tf.saved_model.load, str(EXPORT))
    first, _ = timed(model.serve, texts[:1])
    one = [timed(model.serve, [text])[0] for text in texts[:REQUESTS]]
    batches = [texts[start : start + BATCH] for start in range(0, len(texts), BATCH)]
    served = [timed(model.serve, batch) for batch in batches]
    a_text = sum(duration for duration, _ in served) / len(texts)
    found = np.concatenate([answer["probability"] for _, answer in served]).astype(float)
    expected = np.load(PREDICTIONS / CANDIDATE / "test.npy").mean(axis=0, dtype=float)
    right = [f"{(is_positive(p) == reviews.labels).mean():.2%}" for p in (found, expected)]
    bytes_of_export, bytes_of_networks = size(EXPORT), size(MODELS / CANDIDATE)
    write_page(
        "serving",
        f"""The export takes {bytes_of_export / 1e6:.0f} MB, `{MODELS / CANDIDATE}`
        {bytes_of_networks / 1e6:.0f} MB. On the
        {len(texts):,} test reviews its accuracy is {right[0]}, that of the networks {right[1]};
        no probability differs by more than {np.abs(found - expected).max():.5f}.""",
        f"Written by `make serving`, on {machine()}.",
        table(
            "|time".split("|"),
            [
                ["one text, in Python: median", f"{1000 * statistics.median(one):.1f} ms"],
                ["one text, by FastAPI: median", f"{1000 * over_http(texts[:REQUESTS]):.1f} ms"],
                [f"a text in batches of {BATCH}", f"{1000 * a_text:.2f} ms"],
                ["`tf.saved_model.load` and the first text", f"{loading + first:.1f} s"],
                ["`make predict TEXT=…`, from its start to its end", f"{sentence:.1f} s"],
                ["`make export`", f"{export:.1f} s"],
            ],
        ),
    )


if __name__ == "__main__":
    main()
