"""The pages that the benchmark writes, from all parts that were measured.

reads   benchmarks/measured/, metrics/scores.csv
writes  benchmarks/results.md, benchmarks/rivals.md
"""

import json
from pathlib import Path

import pandas as pd

from benchmarks import growth
from benchmarks.goals import bounds, ratios
from benchmarks.measure import MEASURED, PROJECT, measured, spread, table
from benchmarks.pipeline import SYSTEMS, VARIANTS
from workflow.base.files import SCORES

RESULTS = Path(__file__).parent


def of_stages() -> str:
    """Each stage of the candidate as a process."""
    found = [repetition["stages"] for repetition in measured("candidate")]
    return table(
        [
            {
                "stage": name.replace(" ", "@"),
                "seconds": spread([stages[name][0] for stages in found], 1),
                "peak, MB": spread([stages[name][1] for stages in found], 0),
            }
            for name in found[0]
        ]
    )


def of_experiments() -> str:
    """Where the time of an experiment goes."""
    found = measured("experiment")
    alone = "import", "train", "evaluate", "compare", "curves", "plot"
    return table(
        [
            {
                "variants": str(variants),
                "experiment, s": spread([r["experiment"][1] for r in of], 1),
            }
            | {f"{name}, s": spread([r[name] for r in of], 1) for name in alone}
            for variants in VARIANTS
            for of in [[repetition[str(variants)] for repetition in found]]
        ]
    )


def accuracies() -> str:
    """That the work is the same: of both ways, and of all seeds in metrics/."""
    scores = pd.read_csv(PROJECT / SCORES)
    found = [repetition["accuracies"] for repetition in measured("notebook")]
    rows = []
    for system in SYSTEMS:
        for split in ("validation", "test"):
            there, here = ([r[f"{system} {split}"][way] for r in found] for way in (0, 1))
            seeds = scores.loc[scores["variant"] == system, f"{split}_accuracy"]
            rows.append(
                {
                    "": f"`{system}`, {split} accuracy",
                    "notebook": spread(there, 4),
                    "here, seed 1": spread(here, 4),
                    "here, all seeds": f"{seeds.mean():.4f} [{seeds.min():.4f}, {seeds.max():.4f}]",
                }
            )
    return table(rows)


def ngrams() -> str:
    found = measured("ngrams")
    separate, together, ours = (
        spread([repetition[f"{form} MB"] for repetition in found], 0)
        for form in ("separate", "together", "ngrams")
    )
    same = all(repetition["columns"] == repetition["sklearn columns"] for repetition in found)
    return (
        "scikit-learn's `CountVectorizer(ngram_range=(1, 3), min_df=2, binary=True)` gets its "
        "words ready-made\nand writes nothing; here data/reviews/ is read and data/ngrams/ is "
        "written, weights included. Neither\npays for imports. Both find "
        f"{'the same' if same else 'NOT the same'} number of n-grams in 25,000 reviews, "
        f"{found[0]['columns']:,}.\nPeak memory: {separate} MB, or {together} MB with all 50,000 "
        f"at once; here {ours} MB."
    )


def million() -> str:
    of = measured("million")[-1]
    return (
        f"Of a million reviews of 200 words, stretches of real ones, `vectorize@ngrams` makes "
        f"{of['columns']:,} columns\nand {of['GB of vectors']:.1f} GB of vectors in "
        f"{of['seconds']:.0f} s; each process may allocate 4 GB (`prlimit --data`)."
    )


def own() -> str:
    of = measured("own")[-1]
    return (
        f"Source csv: a million rows of 200 words ({of['GB']:.1f} GB) are read in "
        f"{of['seconds']:.0f} s, {of['seconds per million words']:.2f} s per million words,\nwith "
        f"{of['own MB']:,.0f} MB of memory at most."
    )


SECTIONS = (
    ("candidate", "The stages of the candidate, each as a process of its own", of_stages),
    (
        "experiment",
        "An experiment on `wide_dropout`, and its stages and an import of TensorFlow alone",
        of_experiments,
    ),
    ("notebook", "The same work gives the same accuracies (median [lowest, highest])", accuracies),
    ("ngrams", "N-grams", ngrams),
    ("million", "A million reviews", million),
    ("own", "Reviews of one's own", own),
    (
        "growth",
        "How cost grows",
        lambda: (
            "![Seconds and memory against reviews, words and hidden units](growth.png)\n\n"
            + growth.sentence(measured("growth")[-1])
        ),
    ),
)


def machines(*parts: str) -> str:
    """On what these parts were measured: one line, if it was the same for all."""
    kept = {part: MEASURED / f"{part}.json" for part in parts}
    by_machine: dict[str, list[str]] = {}
    for part, path in kept.items():
        if path.exists():
            on = json.loads(path.read_text("utf-8"))["machine"]
            by_machine.setdefault(on, []).append(part)
    if len(by_machine) == 1:
        return f"Machine: {next(iter(by_machine))}."
    return "\n".join(f"Machine of {', '.join(of)}: {on}." for on, of in by_machine.items())


def write_results() -> None:
    parts = "notebook", "everything", "candidate", "experiment", "ngrams", "million", "own"
    sections = [f"## {title}\n\n{text()}" for part, title, text in SECTIONS if measured(part)]
    pages = "\n\n".join(sections)
    number = max((len(measured(part)) for part in parts), default=0)
    (RESULTS / "results.md").write_text(
        f"""# How fast, and with how much memory

Written by `make bench`. Median [lowest, highest] of up to {number} repetitions; a ratio is of two
figures of one repetition, minutes apart. “The notebook” is its three systems as one script,
benchmarks/notebook.py. {machines(*parts, "growth")}

{ratios()}

A ratio is what it is held against divided by what this project takes; where the goal has “≤” it is
the other way round. A second `dvc repro` starts no process of this project; DVC looks at the same
files as for `dvc status` and writes `dvc.lock`.

{bounds()}

{pages}
""",
        "utf-8",
    )


RIVALS = {
    "logistic": "TF-IDF of words and bigrams, `LogisticRegression(C={c})` of scikit-learn",
    "svc": "TF-IDF of words to trigrams in two reviews, `LinearSVC(C={c})` of scikit-learn",
    "fasttext": "fastText, words and bigrams, 10 dimensions, 5 epochs",
    "ours": "the candidate here, probabilities of six seeds averaged",
    "ours, one seed": "the candidate here, one seed",
}


def write_rivals() -> None:
    if not (repetitions := measured("rivals")):
        return
    found = repetitions[-1]
    rows = [
        {
            "": what.format(c=found[name].get("C")),
            "test accuracy": f"{found[name]['accuracy']:.2%}",
            "seconds": f"{found[name]['seconds']:.0f}",
            "peak memory": f"{found[name]['peak MB']:,.0f} MB",
        }
        for name, what in RIVALS.items()
        if name in found
    ]
    skipped = "" if "fasttext" in found else "\nfastText was not measured: it is not installed.\n"
    (RESULTS / "rivals.md").write_text(
        f"""# What else one could take

Written by `make bench ARGS=rivals`: trained on the same 25,000 reviews, tested on the same 25,000,
one run each in a process of its own. The seconds go from words to predictions, without imports;
what the rivals get are the same words as texts. Their one setting, C or the learning rate, is the
best on the notebook's validation reviews; of `LinearSVC` it is the default, which is 0.07 points
below the best there and takes a third of the time. {machines("rivals")}

{table(rows)}
{skipped}""",
        "utf-8",
    )


def write() -> None:
    write_results()
    write_rivals()
