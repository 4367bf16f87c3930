"""Measure the project against the notebook, scikit-learn and fastText: `make bench`.

usage   python -m benchmarks.bench [PART …]
reads   the last commit; the archive of keras.datasets.imdb, from where the download stage finds it
writes  benchmarks/measured/PART.json, and from all that are there results.md and rivals.md

Parts that run together share what they need, so that a ratio is of two values of one machine in one
hour. `tuning` takes an hour and runs only if it is named; `rivals` uses what it found.
"""

import argparse
import json
import signal
import tempfile
from pathlib import Path

from benchmarks import parts
from benchmarks.measure import MEASURED, machine, measured, write_page
from benchmarks.parts import EXPERIMENT
from workflow.base.files import HELD_OUT
from workflow.report.review_page import points, table

DEFAULT = "notebook", "everything", "experiment", "million", "rivals"
PARTS = "tuning", *DEFAULT  # in this order

# Two values that a part measured: its name, their key, what they are of, of whom the other is.
WHOLE = "whole notebook"
ROWS = (
    ("notebook", "three", "the notebook's three systems, one seed each, from nothing", WHOLE, "s"),
    ("notebook", "peak", "the same: peak memory of the largest process", WHOLE, "MB"),
    ("everything", "everything", "all variants, six seeds each, from nothing", WHOLE, "s"),
    ("experiment", EXPERIMENT, f"`dvc exp run -S {EXPERIMENT}`", WHOLE, "s"),
    ("everything", "again", "a second `dvc repro`", "`dvc status`", "s"),
)


def comparisons() -> str:
    """A row for each pair that was measured."""
    rows = []
    for part, key, what, other, unit in ROWS:
        there, here = measured(part)[key]
        digits, ratio = 0 if unit == "MB" else 2, there / here
        values = (f"{value:,.{digits}f} {unit}" for value in (there, here))
        rows.append([what, other, *values, f"{ratio:.{0 if ratio >= 10 else 2}f}"])
    return table("|compared with|there|here|there / here".split("|"), rows)


def machines(*parts: str) -> str:
    """On what these parts were measured."""
    paths = [MEASURED / f"{part}.json" for part in parts if measured(part)]
    used = dict.fromkeys(json.loads(path.read_text("utf-8"))["machine"] for path in paths)
    return f"Measured on: {'; and on: '.join(used)}."


def write_results() -> None:
    whole, of = measured("everything"), measured("million")
    peak, cache, model = (f"{whole[key]:,.0f}" for key in ("peak MB", "cache MB", "model MB"))
    (seconds, memory), (more_seconds, more_memory) = of["read"], of["vectorized"]
    paragraphs = (
        f"""Of the whole pipeline the largest process has {peak} MB at most; `.dvc/cache` then has
        {cache} MB, and a saved seed of the candidate {model} MB.""",
        f"""Source csv: a million rows of 200 words ({of["GB"]:.1f} GB) are read in {seconds:.0f} s,
        {seconds / 200:.2f} s per million words, with {memory:,.0f} MB of memory at most.""",
        f"""Of these million reviews, stretches of real ones, `vectorize@ngrams` makes
        {of["columns"]:,} columns and {of["GB of vectors"]:.1f} GB of vectors in
        {more_seconds:.0f} s, with {more_memory:,.0f} MB of memory at most.""",
    )
    machine = machines("notebook", "everything", "experiment", "million")
    write_page(
        "results",
        "# Speed and memory",
        f"""Written by `make bench`: one run each, minutes apart. The notebook is its three
        systems as one script, benchmarks/notebook.py. "From nothing" is `dvc repro` in a new
        clone, with the archive in a local folder. {machine}""",
        comparisons(),
        *paragraphs,
    )


RIVALS = {
    "tfidf": "TF-IDF, linear SVM",
    "fasttext": "fastText",
    "nb_svm": "n-grams scaled by naive Bayes, linear SVM (NB-SVM)",
    "nb_logistic": "n-grams scaled by naive Bayes, logistic regression",
    "unweighted": "candidate without position weights, average of six seeds",
    "candidate": "candidate, average of six seeds",
}
TRIED = "about 126"  # for the candidate: docs/method.md, "Choosing"


def write_rivals() -> None:
    tuned, found = measured("tuning"), measured("rivals")
    rows, settings = [], []
    for name, what in RIVALS.items():
        if name not in found:
            continue
        of, tried = found[name], TRIED if name == "candidate" else ""
        if name in tuned:
            tried = str(tuned[name]["settings"])
            best = ", ".join(f"{key} {value}" for key, value in tuned[name]["best"].items())
            settings.append(f"- {what}: {best}; {tuned[name]['validation']:.2%}")
        cells = f"{of['accuracy']:.2%}", f"{of['seconds']:.0f}", f"{of['MB']:,.0f} MB"
        rows.append([what, tried, *cells])
    gains = [zip(("mean", "low", "high"), found["gains"][split], strict=True) for split in HELD_OUT]
    validation, test = (points(dict(gain)) for gain in gains)
    write_page(
        "rivals",
        "# Other classifiers",
        f"""Written by `make bench ARGS=rivals`: trained on the same 25,000 reviews, tested on
        the same 25,000, one run each. Seconds and memory are of whole processes, from words on
        disk to predictions. {machines("rivals")}""",
        table("|settings tried|test accuracy|seconds|peak memory".split("|"), rows),
        f"""Position weights alone bring the candidate {validation} points on validation and
        {test} on test: mean of the seeds, 95% interval.""",
        f"""The candidate's recipe is one of {TRIED} settings. The others were tuned on the same
        reviews: `make bench ARGS=tuning` trains each setting in the grids of
        benchmarks/classifiers.py on 15,000 reviews and takes the one that is best on the 10,000
        validation reviews. NB-SVM is Wang and Manning, "Baselines and Bigrams" (2012). The
        settings taken, with their validation accuracy:""",
        "\n".join(settings),
    )


def write_pages() -> None:
    if measured("everything") and measured("million"):
        write_results()
    if measured("tuning") and measured("rivals"):
        write_rivals()


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.bench")
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - set(PARTS):
        parser.error(f"unknown part {unknown.pop()!r}; expected one of {', '.join(PARTS)}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: temporary files go
    with tempfile.TemporaryDirectory() as folder:
        sandbox = parts.Sandbox(Path(folder))
        for part in [part for part in PARTS if part in (arguments.parts or DEFAULT)]:
            content = {"machine": machine(), "values": getattr(parts, part)(sandbox)}
            path = MEASURED / f"{part}.json"
            path.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
            write_pages()


if __name__ == "__main__":
    main()
