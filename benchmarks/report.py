"""The pages with what the benchmark measured.

usage   python -m benchmarks.report
reads   benchmarks/measured/
writes  benchmarks/results.md, benchmarks/rivals.md
"""

import json
from pathlib import Path

from benchmarks.measure import MEASURED, measured, paragraph, spread, table, write_page
from benchmarks.pipeline import EXPERIMENTS
from workflow.base.files import HELD_OUT

RESULTS = Path(__file__).parent


# Two values that a part measured: its name, their key, what they are of, of whom the other is.
WHOLE, COUNTER = "whole notebook", "`CountVectorizer`"
ROWS = (
    ("notebook", "vectorize", "multi-hot vectors of all 50,000 reviews", "notebook", "s"),
    ("notebook", "fit", "20 epochs of `single`, with validation", "notebook", "s"),
    ("notebook", "evaluate", "`single` on the 25,000 test reviews", "notebook", "s"),
    ("notebook", "vectors", "all multi-hot vectors: in memory, here on disk", "notebook", "MB"),
    ("notebook", "three", "the notebook's three systems, one seed each, from nothing", WHOLE, "s"),
    ("notebook", "peak", "the same: peak memory of the largest process", WHOLE, "MB"),
    ("everything", "everything", "all variants, six seeds each, from nothing", WHOLE, "s"),
    *(("experiment", change, f"`dvc exp run -S {change}`", WHOLE, "s") for change in EXPERIMENTS),
    ("everything", "again", "a second `dvc repro`", "`dvc status`", "s"),
    ("ngrams", "seconds", "n-grams of one to three words", COUNTER, "s"),
    ("ngrams", "MB", "the same: peak memory", COUNTER, "MB"),
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
    return table("|compared with|there|here|there / here|runs", rows)


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
    machine = machines("notebook", "everything", "experiment", "ngrams", "million")
    write_page(
        RESULTS / "results.md",
        "# Speed and memory",
        paragraph(
            f"""Written by `make bench`. A value of several runs is their median [lowest, highest];
            a ratio is of two values of one run, minutes apart. The notebook is its three systems as
            one script, benchmarks/notebook.py. "From nothing" is `dvc repro` in a new clone, with
            the archive in a local folder. `CountVectorizer` is scikit-learn's, fitted on 25,000
            reviews and applied to the rest, against the stage `vectorize@ngrams`, which also
            writes to disk: both as whole processes. {machine}"""
        ),
        comparisons(),
        *map(paragraph, paragraphs),
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
    gains = [[100 * value for value in found["gains"][split]] for split in HELD_OUT]
    validation, test = ("{:+.2f} [{:+.2f}, {:+.2f}]".format(*gain) for gain in gains)
    write_page(
        RESULTS / "rivals.md",
        "# Other classifiers",
        paragraph(
            f"""Written by `make bench ARGS=rivals`: trained on the same 25,000 reviews, tested on
            the same 25,000, one run each. Seconds and memory are of whole processes, from words on
            disk to predictions. {machines("rivals")}"""
        ),
        table("|settings tried|test accuracy|seconds|peak memory", rows),
        paragraph(
            f"""Position weights alone bring the candidate {validation} points on validation and
            {test} on test: mean of the seeds, 95% interval."""
        ),
        paragraph(
            f"""The candidate's recipe is one of {TRIED} settings. The others were tuned on the same
            reviews: `make bench ARGS=tuning` trains each setting in the grids of
            benchmarks/classifiers.py on 15,000 reviews and takes the one that is best on the 10,000
            validation reviews. NB-SVM is Wang and Manning, "Baselines and Bigrams" (2012). The
            settings taken, with their validation accuracy:"""
        ),
        "\n".join(settings),
    )


def main() -> None:
    if measured("everything") and measured("million"):
        write_results()
    if measured("tuning") and measured("rivals"):
        write_rivals()


if __name__ == "__main__":
    main()
