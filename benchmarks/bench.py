"""Measure the project against the notebook, scikit-learn and fastText: `make bench`.

usage   python -m benchmarks.bench [PART …] [--repetitions N]
reads   the last commit; the archive of keras.datasets.imdb, from where the download stage finds it
writes  benchmarks/measured/PART.json, and from all that are there results.md and rivals.md

Parts that run together share what they need: the notebook's script runs once per repetition, and a
ratio is of two values of the same one. Only the parts in REPEATED are repeated. `tuning` takes an
hour and runs only if it is named; `rivals` uses what it found.
"""

import argparse
import json
import signal
import tempfile
import time
from pathlib import Path

from benchmarks import parts
from benchmarks.measure import MEASURED, Measured, machine, measured, spread, write_page
from benchmarks.parts import EXPERIMENT
from workflow.base.files import HELD_OUT
from workflow.report.review_page import points, table

REPEATED = "notebook", "everything", "experiment"
DEFAULT = *REPEATED, "million", "rivals"
PARTS = "tuning", *DEFAULT  # in this order

# Two values that a part measured: its name, their key, what they are of, of whom the other is.
WHOLE = "whole notebook"
ROWS = (
    ("notebook", "vectorize", "multi-hot vectors of all 50,000 reviews", "notebook", "s"),
    ("notebook", "fit", "20 epochs of `single`, with validation", "notebook", "s"),
    ("notebook", "evaluate", "`single` on the 25,000 test reviews", "notebook", "s"),
    ("notebook", "vectors", "all multi-hot vectors: in memory, here on disk", "notebook", "MB"),
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
        if not (pairs := [each[key] for each in measured(part) if key in each]):
            continue
        digits = 0 if unit == "MB" else 2
        there, here = (spread([pair[side] for pair in pairs], digits) for side in (0, 1))
        ratios = [there / here for there, here in pairs]
        ratio = spread(ratios, 0 if min(ratios) >= 10 else 2)
        rows.append([what, other, f"{there} {unit}", f"{here} {unit}", ratio, str(len(pairs))])
    return table("|compared with|there|here|there / here|runs".split("|"), rows)


def machines(*parts: str) -> str:
    """On what these parts were measured."""
    paths = [MEASURED / f"{part}.json" for part in parts if measured(part)]
    used = dict.fromkeys(json.loads(path.read_text("utf-8"))["machine"] for path in paths)
    return f"Measured on: {'; and on: '.join(used)}."


def write_results() -> None:
    whole = measured("everything")
    peak, cache, model = (
        spread([repetition[key] for repetition in whole], 0)
        for key in ("peak MB", "cache MB", "model MB")
    )
    of = measured("million")[-1]
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
        f"""Written by `make bench`. A value of several runs is their median [lowest, highest];
        a ratio is of two values of one run, minutes apart. The notebook is its three systems as
        one script, benchmarks/notebook.py. "From nothing" is `dvc repro` in a new clone, with
        the archive in a local folder. {machine}""",
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
    tuned, found = measured("tuning")[-1], measured("rivals")[-1]
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


def measure(part: str, sandbox: parts.Sandbox, earlier: list[Measured]) -> None:
    """Write what a part measures, after what its earlier repetitions did."""
    start = time.perf_counter()
    repetitions = [*earlier, getattr(parts, part)(sandbox)]
    print(f"{part}: measured in {time.perf_counter() - start:.0f} s", flush=True)
    content = {"machine": machine(), "repetitions": repetitions}
    (MEASURED / f"{part}.json").write_text(json.dumps(content, indent=1) + "\n", "utf-8")
    write_pages()


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.bench")
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--repetitions", type=int, default=3)
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - set(PARTS):
        parser.error(f"unknown part {unknown.pop()!r}; expected one of {', '.join(PARTS)}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: temporary files go
    wanted = [part for part in PARTS if part in (arguments.parts or DEFAULT)]
    for repetition in range(arguments.repetitions):
        with tempfile.TemporaryDirectory() as folder:
            sandbox = parts.Sandbox(Path(folder))
            for part in wanted:
                if repetition == 0 or part in REPEATED:
                    measure(part, sandbox, measured(part) if repetition else [])


if __name__ == "__main__":
    main()
