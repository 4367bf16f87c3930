"""Update the values in README.md, MODEL_CARD.md and docs/ from the results: `make readme`.

usage   python -m commands.readme [EXPERIMENT]
reads   params.yaml, metrics/, plots/history/, docs/*.csv, benchmarks/*.md; for the candidate's
        errors data/ and models/, if they are there; if an experiment is named, also what DVC and
        the review report of it against HEAD
writes  README.md, MODEL_CARD.md, docs/*.md: the text between `<!-- NAME -->` and `<!-- /NAME -->`

The experiment that README.md and docs/experiments.md show is made by
    dvc exp run --temp --name dropout -S model.dropout=0.5 && python -m commands.readme dropout
"""

import json
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

from tabulate import tabulate

from workflow.base.errors import run
from workflow.base.files import HELD_OUT
from workflow.evaluation.scores import mean_and_std
from workflow.report import model_card, notebook
from workflow.report.comparison import make_report
from workflow.report.review_page import accuracy_table, answers, interval, points, table
from workflow.report.revisions import revision
from workflow.report.sources import Sources, read_sources


def results(sources: Sources) -> str:
    """A row per variant: means over the seeds ± the standard deviation."""
    rows = []
    for name, group in sources.scores.groupby("variant", sort=False):
        curve = notebook.validation_curves(sources.histories[str(name)])
        kept, best = curve[curve["kept"] == 1], notebook.at_best_epoch(curve)
        validation, test = (mean_and_std(group[f"{split}_accuracy"], ".2%") for split in HELD_OUT)
        at_best = f"{best['accuracy'].mean():.2%} (epoch {best['epoch'].mean():.1f})"
        kept_epoch, trained_on = f"{kept['epoch'].mean():.1f}", f"{sources.trained_on(str(name)):,}"
        rows.append([f"`{name}`", validation, kept_epoch, at_best, test, trained_on])
    header = "variant|validation|kept epoch|validation, best epoch|test|trained on"
    return table(header.split("|"), rows)


def two_best(sources: Sources) -> str | None:
    """How far apart the two best variants are, for a table that puts one on top."""
    means = sources.scores.groupby("variant")["validation_accuracy"].mean().nlargest(2)
    if len(means) < 2:
        return None
    first, second = map(str, means.index)
    gain, word = sources.compared(first, second, "validation")
    return f"On validation `{first}` minus `{second}`: {gain}, `{word}`."


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
    measured = sources.benchmarks["optimism"][-1]
    test = dict(re.findall(r"^\| `(\w+)` +\| \S+% +\| (\S+)%", measured, re.MULTILINE))
    gain, reviews = float(test["candidate"]) - float(test["single"]), sources.facts.train_reviews
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


def notebook_values(sources: Sources) -> str:
    rows = []
    for v in notebook.judge_values(sources):
        style = ".4f" if v["score"].endswith("loss") else ".2%"
        name = f"`{v['variant']}`, {v['score'].replace('_', ' ')}"
        values = f"{v['value']:{style}}", v["where"], mean_and_std(v["seeds"], style)
        rows.append([name, *values, interval(v, style), v["judgement"]])
    return table(["value", "notebook", "where", "here", "one more run", ""], rows)


def notebook_conclusions(sources: Sources) -> str:
    rows = []
    for c in notebook.judge_conclusions(sources):
        pair, best = f"`{c['variant']}` against `{c['other']}`", c["at_best_epoch"]
        here = f"{pair}: {points(c['difference']._asdict())}, {c['found']}"
        at_best = f"{points(best._asdict())}, higher in {best.wins} of {best.seeds} seeds"
        rows.append([c["claim"], c["values"], here, at_best, c["judgement"]])
    curve, judgement = notebook.judge_curve(sources)
    means = curve.mean()
    here = f"{means['first']:.2%}, at most {means['highest']:.2%}, at the end {means['last']:.2%}; "
    here += f"so in {curve['holds'].sum()} of {len(curve)} seeds"
    rows.append([*notebook.CURVE_CLAIM, here, "", judgement])
    return table(["claim", "notebook", "here, last epoch", "here, best epoch", ""], rows)


def in_short(sources: Sources) -> str:
    """How many of the notebook's values and conclusions hold."""
    values, conclusions = (
        [row["judgement"] for row in judge(sources)]
        for judge in (notebook.judge_values, notebook.judge_conclusions)
    )
    conclusions.append(notebook.judge_curve(sources)[1])
    sentences = []
    for kind, words in (("values", values), ("conclusions", conclusions)):
        counts = ", ".join(f"{words.count(word)} {word}" for word in notebook.JUDGEMENTS)
        sentences.append(f"Of its {len(words)} {kind}: {counts}.")
    return "\n".join(sentences)


def dvc(*arguments: str) -> str:
    """What a command of DVC prints."""
    command = [sys.executable, "-m", "dvc", *arguments]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout  # noqa: S603


def example(experiment: str, min_effect: float) -> dict[str, str]:
    """What `dvc metrics diff` and `make review` print of an experiment on HEAD."""
    with revision("HEAD") as (base, _), revision(experiment) as (ours, commit):
        changed = json.loads(dvc("metrics", "diff", "--json", "HEAD", commit))
        report = make_report(base, ours, {}, min_effect, tried=1) | {"base": "main"}
    rows = [
        [path, name] + [str(round(v, 5) if isinstance(v, float) else v) for v in change.values()]
        for path, changes in changed.items()
        for name, change in sorted(changes.items())
    ]
    header = ["Path", "Metric", "HEAD", "workspace", "Change"]
    printed = tabulate(rows, header, tablefmt="plain", disable_numparse=True)
    review = "\n\n".join([accuracy_table(report), *answers(report)])
    return {"metrics_diff": f"```\n{printed}\n```", "review": review}


def pipeline(_: Sources) -> str:
    """The stages as `dvc dag --mermaid` draws them, one node for all variants of a stage."""
    drawn = dvc("dag", "--mermaid")
    nodes = dict(re.findall(r'(node\d+)\["(\w+)', drawn))
    arrows = re.findall(r"(node\d+)-->(node\d+)", drawn)
    lines = sorted({f"    {nodes[start]} --> {nodes[end]}" for start, end in arrows})
    return "\n".join(["```mermaid", "flowchart LR", *lines, "```"])


BLOCKS: dict[str, Callable[[Sources], str | None]] = {
    "pipeline": pipeline,
    "results": results,
    "two_best": two_best,
    "stopping": stopping,
    "same_training": same_training,
    "differences": differences,
    "card_data": model_card.data,
    "card_recipe": model_card.recipe,
    "card_values": model_card.values,
}
ABOUT_NOTEBOOK = {
    "notebook_values": notebook_values,
    "notebook_conclusions": notebook_conclusions,
    "in_short": in_short,
}
COPIED = {  # the page of benchmarks/ that a block is from, and which of its paragraphs
    "benchmark": ("results", [2]),
    "own": ("results", [4]),
    "rivals": ("rivals", [2]),
    "rounding": ("rounding", [0]),
    "serving": ("serving", [0, 1, 2]),
    "one_change": ("claims", [0]),
    "more_data": ("claims", [1, 2]),
    "stopping_on_test": ("claims", [3]),
    "optimism": ("optimism", [0, 2]),
}


def make_texts(sources: Sources) -> dict[str, str | None]:
    """The text of each block; None if these results do not have it.

    There are none about the notebook if params.yaml no longer has one of the notebook's variants.
    """
    conclusions = sources.notebook_conclusions
    variants = {*sources.notebook_values["variant"], *conclusions["variant"], *conclusions["other"]}
    blocks = BLOCKS | (ABOUT_NOTEBOOK if variants <= sources.correct.keys() else {})
    texts = {name: make(sources) for name, make in blocks.items()}
    for name, (page, numbers) in COPIED.items():
        texts[name] = "\n\n".join(sources.benchmarks[page][i] for i in numbers)
    return texts


def fill(page: str, texts: dict[str, str | None]) -> str:
    """The page with these texts in its blocks; a block without a text stays as it is."""

    def replacement(match: re.Match[str]) -> str:
        text = texts.get(match[1])
        return match[0] if text is None else f"<!-- {match[1]} -->\n{text}\n<!-- /{match[1]} -->"

    return re.sub(r"<!-- (\w+) -->\n.*?<!-- /\1 -->", replacement, page, flags=re.DOTALL)


def main() -> None:
    sources = read_sources()
    texts = make_texts(sources) | {"card_errors": model_card.errors(sources)}
    if sys.argv[1:]:
        texts |= example(sys.argv[1], sources.params.compare.min_effect)
    for path in (Path("README.md"), Path("MODEL_CARD.md"), *sorted(Path("docs").glob("*.md"))):
        path.write_text(fill(path.read_text("utf-8"), texts), "utf-8")


if __name__ == "__main__":
    run(main)
