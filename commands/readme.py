"""Update the values in README.md, MODEL_CARD.md and docs/ from the results: `make readme`.

usage   python -m commands.readme [EXPERIMENT]
reads   params.yaml, metrics/, plots/history/, docs/*.csv, benchmarks/*.md; for the candidate's
        errors data/ and models/, if they are there; if an experiment is named, also what DVC and
        the review report of it against HEAD
writes  README.md, MODEL_CARD.md, docs/*.md: the text between `<!-- NAME -->` and `<!-- /NAME -->`

The experiment that README.md shows is made by
    dvc exp run --temp --name dropout -S model.dropout=0.5 && python -m commands.readme dropout
"""

import json
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from tabulate import tabulate

from workflow.base.errors import run
from workflow.base.files import (
    CANDIDATE,
    DIFFERENCES,
    HELD_OUT,
    HISTORY,
    MODELS,
    PREDICTIONS,
    REVIEWS,
    SCORES,
    ReviewFacts,
    read_json,
)
from workflow.base.reviews import load_reviews
from workflow.evaluation.results import Correct, read_differences, read_history, read_scores
from workflow.evaluation.scores import mean_and_std
from workflow.evaluation.significance import difference, verdicts
from workflow.params import load_params
from workflow.report import error_analysis, model_card, notebook
from workflow.report.comparison import make_report
from workflow.report.notebook import EDGE, JUDGEMENTS, NOT, REPRODUCED
from workflow.report.review_page import accuracy_table, answers, points, table
from workflow.report.revisions import Results, git, revision

CURVE_CLAIM = (
    "“initially it tends to increase and then decreases … at the end it gives a constant 86%”",
    "87.80%, at most 89.12%, at the end 86.49%",
)


class Sources(NamedTuple):
    """What the pages are made of."""

    min_effect: float  # compare.min_effect in params.yaml
    scores: pd.DataFrame
    differences: pd.DataFrame
    histories: dict[str, pd.DataFrame]
    correct: dict[str, Correct]
    notebook_values: pd.DataFrame
    notebook_conclusions: pd.DataFrame
    benchmarks: dict[str, list[str]]  # by page of benchmarks/, its paragraphs; a table is one
    card: model_card.Card
    # Not in every checkout; None leaves a page as it is.
    error_rates: pd.DataFrame | None = None  # of the candidate
    metrics_diff: str | None = None  # of an experiment
    review: str | None = None


def read_sources(folder: Path = Path()) -> Sources:
    """The results in a checkout of this project; InputError if any are missing or damaged."""
    params = load_params(folder / "params.yaml")
    names, seeds = params.variants, params.train.all_seeds
    return Sources(
        params.compare.min_effect,
        read_scores(folder / SCORES, names, seeds),
        read_differences(folder / DIFFERENCES),
        {name: read_history(name, seeds, folder / HISTORY) for name in names},
        Results("these results", folder).correct,
        *notebook.read_notebook(folder),
        {
            page.stem: page.read_text("utf-8").strip().split("\n\n")
            for page in (folder / "benchmarks").glob("*.md")
        },
        model_card.read_card(folder),
    )


def results(sources: Sources) -> str:
    """A row per variant: means over the seeds ± the standard deviation."""
    rows = []
    for name, group in sources.scores.groupby("variant", sort=False):
        curve = notebook.validation_curves(sources.histories[str(name)])
        kept, best = curve[curve["kept"] == 1], notebook.at_best_epoch(curve)
        validation, test = (mean_and_std(group[f"{split}_accuracy"], ".2%") for split in HELD_OUT)
        at_best = f"{best['accuracy'].mean():.2%} (epoch {best['epoch'].mean():.1f})"
        trained_on = model_card.trained_on(sources.card.params, sources.card.facts, str(name))
        kept_epoch = f"{kept['epoch'].mean():.1f}"
        rows.append([f"`{name}`", validation, kept_epoch, at_best, test, f"{trained_on:,}"])
    header = "variant|validation|kept epoch|validation, best epoch|test|trained on"
    return table(header.split("|"), rows)


def two_best(sources: Sources) -> str | None:
    """How far apart the two best variants are, for a table that puts one on top."""
    means = sources.scores.groupby("variant")["validation_accuracy"].mean().nlargest(2)
    if len(means) < 2:
        return None
    first, second = (str(name) for name in means.index)
    d = difference(*(sources.correct[name].by_split["validation"] for name in (first, second)))
    (word,) = verdicts({first: d}, sources.min_effect).values()
    return f"On validation `{first}` minus `{second}`: {points(d._asdict())} points, `{word}`."


def stopping(sources: Sources) -> str | None:
    """How much of a gain comes from stopping the reference at its best epoch."""
    if not {"wide_dropout", "single"} <= sources.histories.keys():
        return None
    means = sources.scores.groupby("variant")["validation_accuracy"].mean()
    best = notebook.at_best_epoch(sources.histories["single"])["accuracy"].mean()
    gain, by_stopping = means["wide_dropout"] - means["single"], best - means["single"]
    text = (
        f"On validation `wide_dropout` is {100 * gain:.2f} points better than `single`; `single` "
        f"at its best epoch is {100 * by_stopping:.2f} points better than at its last. So early "
        f"stopping alone gives {by_stopping / gain:.0%} of that gain."
    )
    return textwrap.fill(text, width=100)


def same_training(sources: Sources) -> str:
    """The candidate's gain on test where all variants are trained on the train reviews alone."""
    lines = tables(sources.benchmarks["optimism"])[0].splitlines()
    header, _, *rows = [[cell.strip(" `%") for cell in line.split("|")] for line in lines]
    test = {row[1]: float(row[header.index("test")]) for row in rows}
    gain, reviews = test["candidate"] - test["single"], sources.card.facts.train_reviews
    same = f"If both are trained on the same {reviews:,} reviews"
    return f"{same}, `candidate` minus `single` is {gain:+.2f} points on test."


def differences(sources: Sources) -> str:
    """A row per variant: its accuracy minus that of the reference."""
    rows = []
    for name, group in sources.differences.groupby("variant", sort=False):
        splits = {row["split"]: row for row in group.to_dict("records")}
        cells = [(points(splits[split]), splits[split]["verdict"]) for split in HELD_OUT]
        rows.append([f"`{name}`", *cells[0], *cells[1]])
    header = ["variant", "validation, points", "verdict", "test, points", "verdict"]
    return table(header, rows)


def value_rows(sources: Sources) -> list[list[str]]:
    """The notebook's values; the last cell is the judgement."""
    values, scores, histories = sources.notebook_values, sources.scores, sources.histories
    rows = []
    for v in notebook.judge_values(values, scores, histories, sources.min_effect):
        style = ".4f" if v["score"].endswith("loss") else ".2%"
        name = f"`{v['variant']}`, {v['score'].replace('_', ' ')}"
        here, interval = (
            mean_and_std(v["seeds"], style),
            f"[{v['low']:{style}}, {v['high']:{style}}]",
        )
        rows.append([name, f"{v['value']:{style}}", v["where"], here, interval, v["judgement"]])
    return rows


def conclusion_rows(sources: Sources) -> list[list[str]]:
    """The notebook's conclusions; the last cell is the judgement."""
    conclusions, histories = sources.notebook_conclusions, sources.histories
    min_effect = sources.min_effect
    rows = []
    for c in notebook.judge_conclusions(conclusions, sources.correct, histories, min_effect):
        pair, best = f"`{c['variant']}` against `{c['other']}`", c["at_best_epoch"]
        here = f"{pair}: {points(c['difference']._asdict())}, {c['found']}"
        at_best = f"{points(best._asdict())}, higher in {best.wins} of {best.seeds} seeds"
        rows.append([c["claim"], c["values"], here, at_best, c["judgement"]])
    curve = notebook.rises_and_falls(histories["single"], min_effect)
    means, holds, seeds = curve.mean(), int(curve["holds"].sum()), len(curve)
    here = f"{means['first']:.2%}, at most {means['highest']:.2%}, at the end {means['last']:.2%}; "
    here += f"so in {holds} of {seeds} seeds"
    judgement = REPRODUCED if holds == seeds else EDGE if 2 * holds > seeds else NOT
    return [*rows, [*CURVE_CLAIM, here, "", judgement]]


def in_short(sources: Sources) -> str:
    """How many of the notebook's values and conclusions hold."""
    sentences = []
    judged = {"values": value_rows(sources), "conclusions": conclusion_rows(sources)}
    for kind, rows in judged.items():
        words = [row[-1] for row in rows]
        counts = ", ".join(f"{words.count(word)} {word}" for word in JUDGEMENTS)
        sentences.append(f"Of its {len(rows)} {kind}: {counts}.")
    return "\n".join(sentences)


def with_error_rates(sources: Sources) -> Sources:
    """Add the candidate's error rates, if its predictions and its model are here."""
    if not (PREDICTIONS / CANDIDATE).exists() or not (MODELS / CANDIDATE).exists():
        return sources
    reviews, facts = load_reviews("test"), read_json(REVIEWS / "facts.json", ReviewFacts)
    (ours,) = error_analysis.read_predictions([CANDIDATE], reviews, facts.sha256).values()
    rates = error_analysis.read_error_rates(CANDIDATE, ours, reviews)
    return sources._replace(error_rates=rates)


def with_example(sources: Sources, experiment: str) -> Sources:
    """Add what `dvc metrics diff` and `make review` print of an experiment on HEAD."""
    head = git("rev-parse", "HEAD").decode().strip()
    place = f"refs/exps/{head[:2]}/{head[2:]}/{experiment}"
    commit = git("rev-parse", "--verify", place).decode().strip()
    command = [sys.executable, "-m", "dvc", "metrics", "diff", "--json", "HEAD", commit]
    changed = subprocess.run(command, capture_output=True, check=True).stdout  # noqa: S603
    rows = [
        [path, name] + [str(round(v, 5) if isinstance(v, float) else v) for v in change.values()]
        for path, changes in json.loads(changed).items()
        for name, change in sorted(changes.items())
    ]
    header = ["Path", "Metric", "HEAD", "workspace", "Change"]
    printed = tabulate(rows, header, tablefmt="plain", disable_numparse=True)
    with revision("HEAD") as (base, _), revision(commit) as (ours, _):
        report = make_report(base, ours, {}, sources.min_effect, 1) | {"base": "main"}
    review = "\n\n".join([accuracy_table(report), *answers(report)])
    return sources._replace(metrics_diff=f"```\n{printed}\n```", review=review)


def pipeline(_: Sources) -> str:
    """The stages as `dvc dag --mermaid` draws them, one node for all variants of a stage."""
    command = [sys.executable, "-m", "dvc", "dag", "--mermaid"]
    drawn = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    nodes = dict(re.findall(r'(node\d+)\["(\w+)', drawn.stdout))
    arrows = re.findall(r"(node\d+)-->(node\d+)", drawn.stdout)
    lines = sorted({f"    {nodes[start]} --> {nodes[end]}" for start, end in arrows})
    return "\n".join(["```mermaid", "flowchart LR", *lines, "```"])


def tables(paragraphs: list[str]) -> list[str]:
    return [paragraph for paragraph in paragraphs if paragraph.startswith("|")]


VALUE_HEADER = ["value", "notebook", "where", "here", "one more run", ""]
CONCLUSION_HEADER = ["claim", "notebook", "here, last epoch", "here, best epoch", ""]
BLOCKS: dict[str, Callable[[Sources], str | None]] = {
    "pipeline": pipeline,
    "results": results,
    "two_best": two_best,
    "stopping": stopping,
    "same_training": same_training,
    "differences": differences,
    "notebook_values": lambda of: table(VALUE_HEADER, value_rows(of)),
    "notebook_conclusions": lambda of: table(CONCLUSION_HEADER, conclusion_rows(of)),
    "in_short": in_short,
    "benchmark": lambda of: tables(of.benchmarks["results"])[0],
    "rivals": lambda of: tables(of.benchmarks["rivals"])[0],
    "own": lambda of: next(p for p in of.benchmarks["results"] if p.startswith("Source csv")),
    "rounding": lambda of: of.benchmarks["rounding"][0],
    "serving": lambda of: "\n\n".join(of.benchmarks["serving"]),
    "one_change": lambda of: of.benchmarks["claims"][0],
    "more_data": lambda of: "\n\n".join(of.benchmarks["claims"][1:3]),
    "optimism": lambda of: "\n\n".join(
        [of.benchmarks["optimism"][0], tables(of.benchmarks["optimism"])[0]]
    ),
    "metrics_diff": lambda of: of.metrics_diff,
    "review": lambda of: of.review,
    "card_data": lambda of: model_card.data(of.card),
    "card_recipe": lambda of: model_card.recipe(of.card),
    "card_values": lambda of: model_card.values(of.card),
    "card_errors": lambda of: model_card.errors(of.card, of.error_rates),
}
OF_NOTEBOOK = {"notebook_values", "notebook_conclusions", "in_short"}
BLOCK = re.compile(rf"<!-- ({'|'.join(BLOCKS)}) -->\n.*?<!-- /\1 -->", re.DOTALL)


def fill(page: str, sources: Sources) -> str:
    """The text of a page with its blocks regenerated.

    A block stays as it is if the sources have nothing for it, or if it is about the notebook and
    params.yaml no longer has one of the notebook's variants.
    """
    conclusions = sources.notebook_conclusions
    variants = {*sources.notebook_values["variant"], *conclusions["variant"], *conclusions["other"]}
    kept = set() if variants <= sources.correct.keys() else OF_NOTEBOOK

    def replacement(match: re.Match[str]) -> str:
        name = match[1]
        text = None if name in kept else BLOCKS[name](sources)
        return match[0] if text is None else f"<!-- {name} -->\n{text}\n<!-- /{name} -->"

    return BLOCK.sub(replacement, page)


def main() -> None:
    sources = with_error_rates(read_sources())
    if sys.argv[1:]:
        sources = with_example(sources, sys.argv[1])
    for path in (Path("README.md"), Path("MODEL_CARD.md"), *sorted(Path("docs").glob("*.md"))):
        path.write_text(fill(path.read_text("utf-8"), sources), "utf-8")


if __name__ == "__main__":
    run(main)
