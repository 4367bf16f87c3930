"""Bring the figures of README.md and docs/ up to date with the results: `make readme`.

usage   python -m commands.readme [EXPERIMENT]
reads   params.yaml, metrics/, plots/history/, docs/*.csv, benchmarks/*.md; of an experiment,
        if one is named, also what DVC and the review say of it against HEAD
writes  README.md, MODEL_CARD.md, docs/*.md: the text between `<!-- NAME -->` and `<!-- /NAME -->`

The experiment that README.md shows is made by
    dvc exp run --temp --name dropout -S model.dropout=0.5 && python -m commands.readme dropout
"""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from scipy import special
from tabulate import tabulate

from workflow.base.errors import reading, run
from workflow.base.files import DIFFERENCES, HELD_OUT, HISTORY, NOTEBOOK_VALUES, SCORES
from workflow.evaluation.results import Correct, read_differences, read_history, read_scores
from workflow.evaluation.scores import mean_and_std
from workflow.evaluation.significance import CANNOT_TELL, LEVEL, difference, holm, verdicts
from workflow.params import load_params
from workflow.report import model_card
from workflow.report.comparison import accuracy_table, compare_sides
from workflow.report.revisions import Results, git, revision

# The notebook's words and figures; of a conclusion, the verdict that it amounts to.
CONCLUSIONS = Path("docs/notebook_conclusions.csv")
REPRODUCED, EDGE, NOT = WORDS = "reproduced", "on the edge", "not reproduced"


class Sources(NamedTuple):
    """What the pages tell of, all read."""

    min_effect: float  # compare.min_effect in params.yaml
    scores: pd.DataFrame
    differences: pd.DataFrame
    validation: dict[str, pd.DataFrame]  # per variant, of the histories of its first fits
    correct: dict[str, Correct]
    figures: pd.DataFrame
    conclusions: pd.DataFrame
    benchmarks: dict[str, list[str]]  # the paragraphs of benchmarks/*.md, tables among them
    card: model_card.Card
    metrics_diff: str | None = None  # of an experiment; None: what a page shows stays
    review: str | None = None


def read_sources(folder: Path = Path()) -> Sources:
    """The results in a checkout of this project."""
    params = load_params(folder / "params.yaml")
    names, seeds = params.variants, params.train.all_seeds
    curves = {name: read_history(name, seeds, folder / HISTORY) for name in names}
    return Sources(
        params.compare.min_effect,
        read_scores(folder / SCORES, names, seeds),
        read_differences(folder / DIFFERENCES),
        {name: curve[curve["split"] == "validation"] for name, curve in curves.items()},
        Results("these results", folder).correct,
        read_words(folder / NOTEBOOK_VALUES, {"variant": str, "score": str, "value": float}),
        read_words(folder / CONCLUSIONS, {"variant": str, "other": str, "verdict": str}),
        {
            page.stem: page.read_text("utf-8").strip().split("\n\n")
            for page in (folder / "benchmarks").glob("*.md")
        },
        model_card.read_card(folder),
    )


def read_words(path: Path, columns: dict[str, Any]) -> pd.DataFrame:
    """What the notebook says, written by hand; InputError if it is missing or damaged."""
    with reading(path, "; Git has it whole"):
        table = pd.read_csv(path, dtype=columns, keep_default_na=False)
        if table.isna().any(axis=None) or (table == "").any(axis=None):
            raise ValueError("a value is missing")
    return table


def results(of: Sources) -> str:
    """A row per variant: means over the seeds ± the standard deviation."""
    rows = []
    for name, group in of.scores.groupby("variant", sort=False):
        curve = of.validation[str(name)]
        kept, best = curve[curve["kept"] == 1], at_best_epoch(curve)
        validation, test = (mean_and_std(group[f"{split}_accuracy"], ".2%") for split in HELD_OUT)
        stopped = f"{best['accuracy'].mean():.2%} (epoch {best['epoch'].mean():.1f})"
        rows.append([f"`{name}`", validation, f"{kept['epoch'].mean():.1f}", stopped, test])
    return table("variant|validation|kept epoch|validation, best epoch|test", rows)


def at_best_epoch(curve: pd.DataFrame) -> pd.DataFrame:
    """Of each seed the epoch with the lowest validation loss."""
    return curve.loc[curve.groupby("seed")["loss"].idxmin()]


def two_best(of: Sources) -> str | None:
    """How far apart the two best variants are, for a table that puts one on top."""
    means = of.scores.groupby("variant")["validation_accuracy"].mean().nlargest(2)
    if len(means) < 2:
        return None
    first, second = (str(name) for name in means.index)
    d = difference(*(of.correct[name].by_split["validation"] for name in (first, second)))
    (word,) = verdicts({first: d}, of.min_effect).values()
    return f"On validation `{first}` minus `{second}`: {points(d._asdict())} points, `{word}`."


def stopping(of: Sources) -> str | None:
    """How much of a gain is had by stopping the reference where it is best."""
    if not {"wide_dropout", "single"} <= of.validation.keys():
        return None
    means = of.scores.groupby("variant")["validation_accuracy"].mean()
    ours, theirs = means["wide_dropout"], means["single"]
    by_stopping = at_best_epoch(of.validation["single"])["accuracy"].mean() - theirs
    return (
        f"On validation `wide_dropout` is {100 * (ours - theirs):.2f} points better than `single`;"
        f"\n`single` at its best epoch is {100 * by_stopping:.2f} points better than at its last:"
        f"\n{by_stopping / (ours - theirs):.0%} of that gain is had by early stopping alone."
    )


def differences(of: Sources) -> str:
    """A row per variant: by how much it is better than the reference."""
    rows = []
    for name, group in of.differences.groupby("variant", sort=False):
        splits = {row["split"]: row for row in group.to_dict("records")}
        cells = [(points(splits[s]), f"{splits[s]['verdict']}") for s in HELD_OUT]
        rows.append([f"`{name}`", *cells[0], *cells[1]])
    return table("variant|validation, points|verdict|test, points|verdict", rows)


def points(of: dict[Any, Any]) -> str:
    """The mean and its interval; rounded twice, so that it is the same however it was stored."""
    mean, low, high = (round(100 * of[key], 4) for key in ("mean", "low", "high"))
    return f"{mean:+.2f} [{low:+.2f}, {high:+.2f}]"


def figures(of: Sources) -> list[list[str]]:
    """The notebook's figures, as one family: each held against one more run here."""
    said = of.figures.to_dict("records")
    runs = [of.scores.loc[of.scores["variant"] == f["variant"], f["score"]] for f in said]
    p_values = [outlying(seeds, f["value"]) for seeds, f in zip(runs, said, strict=True)]
    rows = []
    for f, seeds, p, adjusted in zip(said, runs, p_values, holm(p_values), strict=True):
        style, margin = (".4f", 0.0) if f["score"].endswith("loss") else (".2%", of.min_effect)
        near = abs(f["value"] - seeds.mean()) < margin
        word = REPRODUCED if p >= LEVEL else EDGE if near or adjusted >= LEVEL else NOT
        low, high = prediction_interval(seeds)
        what = f"`{f['variant']}`, {f['score'].replace('_', ' ')}"
        here = mean_and_std(seeds, style), f"[{low:{style}}, {high:{style}}]"
        rows.append([what, f"{f['figure']:{style}}", f["where"], *here, word])
    return rows


def conclusions(of: Sources) -> list[list[str]]:
    """What the notebook concludes, judged as `make review` would judge it, on validation."""
    said = of.conclusions.to_dict("records")
    bits = {name: correct.by_split["validation"] for name, correct in of.correct.items()}
    pairs = dict.fromkeys((c["variant"], c["other"]) for c in said)
    found = {(ours, theirs): difference(bits[ours], bits[theirs]) for ours, theirs in pairs}
    words = verdicts(found, of.min_effect)
    rows = []
    for c in said:
        pair, expected = (c["variant"], c["other"]), c["verdict"]
        right_way = (found[pair].mean > 0) == (expected == "better")
        open_ = words[pair] == CANNOT_TELL or (words[pair] == "trivial" and right_way)
        fits = words[pair] == expected or (words[pair], expected) == ("trivial", "same")
        judged = REPRODUCED if fits else EDGE if open_ else NOT
        here = f"`{pair[0]}` against `{pair[1]}`: {points(found[pair]._asdict())}, {words[pair]}"
        rows.append([c["claim"], c["values"], here, judged])
    return [*rows, rise_and_fall(of.validation["single"], of.min_effect)]


def rise_and_fall(history: pd.DataFrame, min_effect: float) -> list[str]:
    """Does validation accuracy rise, then fall, then stay near 86%, in each seed?"""
    curves = history.pivot_table("accuracy", "epoch", "seed")
    first, top, last = curves.iloc[0], curves.max(), curves.iloc[-1]
    ends = curves.tail(3).apply(lambda curve: curve.between(0.855, 0.87).all())
    so = (top > first) & (top - last >= min_effect) & ends
    claim = (
        "“initially it tends to increase and then decreases … at the end it gives a constant 86%”"
    )
    here = f"{first.mean():.2%}, at most {top.mean():.2%}, at the end {last.mean():.2%}; "
    here += f"so in {so.sum()} of {len(so)} seeds"
    judged = REPRODUCED if so.all() else EDGE if 2 * so.sum() > len(so) else NOT
    return [claim, "87.80%, at most 89.12%, at the end 86.49%", here, judged]


def in_short(of: Sources) -> str:
    sentences = []
    for kind, rows in (("figures", figures(of)), ("conclusions", conclusions(of))):
        words = [row[-1] for row in rows]
        counts = ", ".join(f"{words.count(word)} {word}" for word in WORDS)
        sentences.append(f"Of its {len(rows)} {kind}: {counts}.")
    return "\n".join(sentences)


def outlying(values: "pd.Series[float]", figure: float) -> float:
    """The p-value of `figure` being one more run, if runs are normally distributed."""
    n = len(values)
    t = abs(figure - values.mean()) / (values.std() * (1 + 1 / n) ** 0.5)
    return 2 * float(special.stdtr(n - 1, -t))


def prediction_interval(values: "pd.Series[float]") -> tuple[float, float]:
    """Where `outlying` is 5% or more: Hahn and Meeker, Statistical Intervals (1991), 4.7."""
    n = len(values)
    half = special.stdtrit(n - 1, 1 - LEVEL / 2) * values.std() * (1 + 1 / n) ** 0.5
    return float(values.mean() - half), float(values.mean() + half)


def table(header: str, rows: list[list[str]]) -> str:
    return tabulate(rows, header.split("|"), tablefmt="github", disable_numparse=True)


def with_example(sources: Sources, experiment: str) -> Sources:
    """And what `dvc metrics diff` and `make review` say once this experiment of HEAD is applied."""
    head = git("rev-parse", "HEAD").decode().strip()
    place = f"refs/exps/{head[:2]}/{head[2:]}/{experiment}"
    commit = git("rev-parse", "--verify", place).decode().strip()
    command = ["dvc", "metrics", "diff", "--json", "HEAD", commit]
    changed = subprocess.run(command, capture_output=True, check=True).stdout  # noqa: S603
    rows = [
        [path, name] + [str(round(v, 5) if isinstance(v, float) else v) for v in change.values()]
        for path, changes in json.loads(changed).items()
        for name, change in sorted(changes.items())
    ]
    header = ["Path", "Metric", "HEAD", "workspace", "Change"]
    printed = tabulate(rows, header, tablefmt="plain", disable_numparse=True)
    with revision("HEAD") as (base, _), revision(commit) as (ours, _):
        report = {"base": "main"} | compare_sides(base, ours, set(), sources.min_effect)
    return sources._replace(metrics_diff=f"```\n{printed}\n```", review=accuracy_table(report))


def tables(paragraphs: list[str]) -> list[str]:
    return [paragraph for paragraph in paragraphs if paragraph.startswith("|")]


BLOCKS: dict[str, Callable[[Sources], str | None]] = {
    "results": results,
    "two_best": two_best,
    "stopping": stopping,
    "differences": differences,
    "figures": lambda of: table("of|notebook|where|here|one more run|", figures(of)),
    "conclusions": lambda of: table("claim|notebook|here|", conclusions(of)),
    "in_short": in_short,
    "benchmark": lambda of: tables(of.benchmarks["results"])[0],
    "bounds": lambda of: tables(of.benchmarks["results"])[1],
    "rivals": lambda of: tables(of.benchmarks["rivals"])[0],
    "own": lambda of: next(p for p in of.benchmarks["results"] if p.startswith("Source csv")),
    "rounding": lambda of: of.benchmarks["rounding"][0],
    "one_change": lambda of: of.benchmarks["claims"][0],
    "more_data": lambda of: "\n\n".join(of.benchmarks["claims"][1:3]),
    "optimism": lambda of: "\n\n".join(
        [of.benchmarks["optimism"][0], tables(of.benchmarks["optimism"])[0]]
    ),
    "neighbours": lambda of: tables(of.benchmarks["optimism"])[1],
    "metrics_diff": lambda of: of.metrics_diff,
    "review": lambda of: of.review,
    "card_data": lambda of: model_card.data(of.card),
    "card_recipe": lambda of: model_card.recipe(of.card),
    "card_figures": lambda of: model_card.figures(of.card),
    "card_errors": lambda of: model_card.errors(of.card),
}
BLOCK = re.compile(rf"<!-- ({'|'.join(BLOCKS)}) -->\n.*?<!-- /\1 -->", re.DOTALL)


def filled(page: str, sources: Sources) -> str:
    """The text of a page with its figures made anew; what the sources do not have stays.

    So does what is said of the notebook, where one of its variants is no more.
    """
    conclusions = sources.conclusions
    of_notebook = {*sources.figures["variant"], *conclusions["variant"], *conclusions["other"]}
    stay = (
        set() if of_notebook <= sources.correct.keys() else {"figures", "conclusions", "in_short"}
    )

    def block(match: re.Match[str]) -> str:
        made = None if match[1] in stay else BLOCKS[match[1]](sources)
        return match[0] if made is None else f"<!-- {match[1]} -->\n{made}\n<!-- /{match[1]} -->"

    return BLOCK.sub(block, page)


def main() -> None:
    sources = read_sources()
    if sys.argv[1:]:
        sources = with_example(sources, sys.argv[1])
    for path in (Path("README.md"), Path("MODEL_CARD.md"), *sorted(Path("docs").glob("*.md"))):
        path.write_text(filled(path.read_text("utf-8"), sources), "utf-8")


if __name__ == "__main__":
    run(main)
