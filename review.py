"""Is it a gain or is it noise? The workspace against another revision: `make review BASE=main`.

usage   python review.py [BASE] [--json] [--fail-on worse] [--reproduce] [--images BEFORE AFTER]
reads   the results of both sides: metrics/ and plots/ from Git, predictions through DVC (workspace,
        cache or remote); nothing is trained unless --reproduce asks for it
writes  review/report.md, review/report.json, review/{before,after}/*.png; prints the report
"""

import argparse
import hashlib
import io
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import dvc.api
import numpy as np
import orjson
import pandas as pd
from numpy.typing import NDArray
from ruamel.yaml import YAML
from scipy import stats
from tabulate import tabulate

from stages.compare import (
    LEVEL,
    Difference,
    difference,
    difference_of_scores,
    holm,
    with_verdicts,
)
from stages.errors import InputError, run
from stages.storage import METRICS, MULTI_HOT, PREDICTIONS, SCORES, whole_folder

REVIEW = Path("review")
FIGURES = Path("plots/figures")
OPTIONS = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE  # NaN becomes null
FOOTNOTE = (
    "Interval: 95%, over seeds and reviews. `~`: no difference shown at 5%, Holm-corrected for the "
    "number of variants."
)


def command(*words: str, cwd: Path | None = None) -> bytes:
    """What a command prints; InputError with its last line if it fails."""
    result = subprocess.run(words, cwd=cwd, capture_output=True, check=False)  # noqa: S603
    if result.returncode:
        reason = (result.stderr or result.stdout).decode().strip().splitlines() or ["no reason"]
        raise InputError(f"`{' '.join(words)}` failed: {reason[-1]}")
    return result.stdout


class Side:
    """The results of one revision, or of the workspace."""

    def __init__(self, name: str, revision: str | None, folder: Path = Path()) -> None:
        self.name, self.revision, self.folder = name, revision, folder
        self.files = dvc.api.DVCFileSystem(str(folder), rev=revision)
        self.metrics = json.loads(self.text(METRICS))
        self.scores = pd.read_csv(io.StringIO(self.text(SCORES)))

    def text(self, path: Path) -> str:
        try:
            return self.files.read_text(str(path), encoding="utf-8")  # type: ignore[no-any-return]
        except OSError:
            raise InputError(f"{self.name} has no {path}; `dvc repro` makes it") from None

    def array(self, path: Path) -> NDArray[Any] | None:
        """An array that DVC keeps; None if neither workspace, cache nor remote has it whole."""
        try:
            content = self.files.read_bytes(str(path))
            if self.revision:  # DVC reads a remote directly; only `dvc pull` checks what came
                md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
                if md5 != self.files.info(str(path))["md5"]:
                    return None
            return np.load(io.BytesIO(content), allow_pickle=False)  # type: ignore[no-any-return]
        except Exception:  # noqa: BLE001 - every kind of remote fails in its own way
            return None

    def correct(self, variant: str, split: str) -> NDArray[np.bool_] | None:
        """(seeds, reviews): what was classified rightly."""
        predictions = self.array(PREDICTIONS / f"{variant}_{split}.npy")
        labels = self.array(MULTI_HOT / f"{split}_labels.npy")
        return None if predictions is None or labels is None else (predictions > 0.5) == labels

    def accuracies(self, variant: str, split: str) -> NDArray[np.float64]:
        """(seeds,)"""
        return self.scores.loc[self.scores["variant"] == variant, f"{split}_accuracy"].to_numpy()

    def figures(self) -> dict[str, bytes]:
        if not self.files.exists(str(FIGURES)):
            return {}
        paths = self.files.find(str(FIGURES))
        return {Path(path).name: self.files.read_bytes(path) for path in sorted(paths)}


@contextmanager
def reproduced(base: str) -> Iterator[Path]:
    """`base` in a folder of its own, its pipeline run there with this repository's cache."""
    cache = command("dvc", "cache", "dir").decode().strip()
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "base"
        command("git", "worktree", "add", "--detach", str(folder), base)
        try:
            (folder / ".dvc/config.local").write_text(f"[cache]\n    dir = {cache}\n")
            subprocess.run(["dvc", "repro"], cwd=folder, check=True, stdout=sys.stderr)  # noqa: S607
            yield folder
        except subprocess.CalledProcessError:
            raise InputError(f"`dvc repro` failed in a copy of {base}") from None
        finally:
            command("git", "worktree", "remove", "--force", str(folder))


def compare_sides(base: Side, ours: Side) -> tuple[list[dict[str, Any]], list[str]]:
    """A row for each variant and split whose accuracy changed, and what to know about them."""
    rows: list[dict[str, Any]] = []
    notes: set[str] = set()
    variants = [v for v in ours.metrics if v != "data" and v in base.metrics]
    for split in ("validation", "test"):
        reviews = ours.metrics["data"][f"{split}_reviews"]
        differences: dict[str, Difference] = {}
        for variant in variants:
            before, after = base.accuracies(variant, split), ours.accuracies(variant, split)
            seeds = min(len(before), len(after))
            if np.array_equal(before, after):
                continue
            if len(before) != len(after):
                notes.add(f"{variant}: only the first {seeds} seeds of each side are compared.")
            ours_correct, base_correct = ours.correct(variant, split), base.correct(variant, split)
            if ours_correct is None or base_correct is None:
                notes.add(
                    "The predictions of one side are in no cache or remote, or damaged there: "
                    "intervals come from the scores of the seeds and are wider. `--reproduce` "
                    "runs the base again."
                )
                differences[variant] = difference_of_scores(after[:seeds], before[:seeds], reviews)
            elif ours_correct.shape[1] != base_correct.shape[1]:
                notes.add(f"The {split} reviews are not the same on both sides: no comparison.")
            else:
                differences[variant] = difference(ours_correct[:seeds], base_correct[:seeds])
        for variant, (d, verdict) in with_verdicts(differences).items():
            rows.append(
                {"variant": variant, "split": split}
                | {"before": base.metrics[variant][f"{split}_accuracy"]}
                | {"after": ours.metrics[variant][f"{split}_accuracy"]}
                | d._asdict()
                | {"verdict": verdict}
            )
    return rows, sorted(notes)


def changed_metrics(base: Side, ours: Side) -> list[dict[str, Any]]:
    """Means over seeds, other than of accuracies on held-out reviews, that are not what they were.

    The reviews play no part here: the interval is Welch's t over the seeds.
    """
    rows: list[dict[str, Any]] = []
    for variant in [v for v in ours.metrics if v != "data" and v in base.metrics]:
        for name in ("train_accuracy", "test_loss", "best_epoch"):
            before, after = (
                side.scores.loc[side.scores["variant"] == variant, name] for side in (base, ours)
            )
            means = {"before": base.metrics[variant][name], "after": ours.metrics[variant][name]}
            if means["before"] == means["after"]:
                continue
            test = stats.ttest_ind(after, before, equal_var=False)
            low, high = test.confidence_interval(1 - LEVEL)
            rows.append(
                {"metric": f"{variant}.{name}"}
                | means
                | {"low": float(low), "high": float(high), "p_value": float(test.pvalue)}
            )
    for row, p in zip(rows, holm([row["p_value"] for row in rows]), strict=True):
        higher = "higher" if row["after"] > row["before"] else "lower"
        row["verdict"] = higher if p < LEVEL else "~"
    return rows


def changed_code(base: str) -> dict[str, list[str]]:
    """Changed files that a stage depends on, or that pin what it runs with, and those stages."""
    changed = command("git", "diff", "--name-only", "--relative", base).decode().splitlines()
    stages = YAML(typ="safe").load(Path("dvc.yaml").read_text("utf-8"))["stages"]
    uses = {
        path: [name for name, stage in stages.items() if path in stage.get("do", stage)["deps"]]
        for path in changed
        if path.endswith(".py")
    }
    uses |= {path: ["all"] for path in ("requirements.txt", "dvc.yaml") if path in changed}
    return {path: names for path, names in uses.items() if names}


def make_report(base: Side, ours: Side, revision: str) -> dict[str, Any]:
    same_data = base.metrics["data"]["sha256"] == ours.metrics["data"]["sha256"]
    rows, notes = compare_sides(base, ours) if same_data else ([], [])
    before, after = base.figures(), ours.figures()
    changed_params = json.loads(command("dvc", "params", "diff", "--json", revision) or b"{}")
    return {
        "base": base.name,
        "params": {
            key: {side: change[side] for side in ("old", "new")}
            for key, change in changed_params.get("params.yaml", {}).items()
        },
        "data": {}
        if same_data
        else {"before": base.metrics["data"], "after": ours.metrics["data"]},
        "accuracy": rows,
        "notes": notes,
        "metrics": changed_metrics(base, ours) if same_data else [],
        "only_before": sorted(set(base.metrics) - set(ours.metrics)),
        "only_after": sorted(set(ours.metrics) - set(base.metrics)),
        "code": changed_code(revision),
        "figures": [name for name in after if before.get(name) not in (None, after[name])],
    }


def markdown(report: dict[str, Any], images: Sequence[str]) -> str:
    """The report as a page; what did not change is left out."""
    name = report["base"]
    parts = [f"# Review against {name}", f"**{headline(report)}**"]
    if report["data"]:
        sides = (report["data"]["before"], report["data"]["after"])
        facts = [[key, *(str(side.get(key)) for side in sides)] for key in sorted(sides[0])]
        parts += ["## Data", table(["", name, "here"], [row for row in facts if row[1] != row[2]])]
    if report["params"]:
        rows = [[f"`{k}`", str(v["old"]), str(v["new"])] for k, v in report["params"].items()]
        parts += ["## Parameters", table(["parameter", name, "here"], rows)]
    if report["accuracy"]:
        parts += ["## Accuracy", accuracy_table(report), *report["notes"]]
        parts.append(FOOTNOTE)
    for title, key in (("Only in " + name, "only_before"), ("Only here", "only_after")):
        if report[key]:
            parts += [f"{title}: {', '.join(f'`{variant}`' for variant in report[key])}."]
    if report["metrics"]:
        rows = [
            [
                f"`{r['metric']}`",
                str(r["before"]),
                str(r["after"]),
                f"[{r['low']:+.3g}, {r['high']:+.3g}]",
                r["verdict"],
            ]
            for r in report["metrics"]
        ]
        header = ["metric", name, "here", "95% interval of the change", "verdict"]
        parts += ["## Other metrics, means over seeds", table(header, rows)]
    if report["code"]:
        rows = [[f"`{path}`", ", ".join(stages)] for path, stages in report["code"].items()]
        parts += ["## Code", table(["changed", "stages"], rows)]
    if report["figures"]:
        rows = [[f"![]({side}/{figure})" for side in images] for figure in report["figures"]]
        parts += ["## Figures", table([name, "here"], rows)]
    return "\n\n".join(parts) + "\n"


def headline(report: dict[str, Any]) -> str:
    if report["data"]:
        return "The data are not the same: no verdict."
    if not report["accuracy"]:
        return "No accuracy changed."
    verdicts = [f"{r['variant']} {r['verdict']} ({r['split']})" for r in report["accuracy"]]
    calls = [verdict for verdict in verdicts if " ~ " not in verdict]
    return ", ".join(calls) + "." if calls else "No difference shown."


def accuracy_table(report: dict[str, Any]) -> str:
    header = [
        "variant",
        "split",
        report["base"],
        "here",
        "points",
        "95% interval",
        "won",
        "verdict",
    ]
    rows = [
        [
            f"`{r['variant']}`",
            r["split"],
            f"{r['before']:.4f}",
            f"{r['after']:.4f}",
            f"{100 * r['mean']:+.2f}",
            f"[{100 * r['low']:+.2f}, {100 * r['high']:+.2f}]",
            f"{r['wins']}/{r['seeds']}",
            r["verdict"],
        ]
        for r in report["accuracy"]
    ]
    return table(header, rows)


def table(header: list[str], rows: list[list[str]]) -> str:
    return tabulate(rows, header, tablefmt="github", disable_numparse=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("base", nargs="?", default="main", help="a Git revision (default: main)")
    parser.add_argument("--json", action="store_true", help="print JSON, not Markdown")
    parser.add_argument("--fail-on", choices=["worse"], help="exit with 1 on such a verdict")
    parser.add_argument("--reproduce", action="store_true", help="run the base's pipeline again")
    parser.add_argument(
        "--images",
        nargs=2,
        default=("before", "after"),
        metavar=("BEFORE", "AFTER"),
        help="addresses of the figures in the report (default: the folders beside it)",
    )
    options = parser.parse_args()
    commit = command("git", "rev-parse", "--verify", f"{options.base}^{{commit}}").decode().strip()
    name = options.base if commit.startswith(options.base) else f"{options.base} ({commit[:7]})"
    ours = Side("the workspace", None)
    with reproduced(commit) if options.reproduce else nullcontext() as folder:
        base = Side(name, None if folder else commit, folder or Path())
        report = make_report(base, ours, commit)
        figures = {"before": base.figures(), "after": ours.figures()}
    page, data = markdown(report, options.images), orjson.dumps(report, option=OPTIONS).decode()
    with whole_folder(REVIEW) as out:
        (out / "report.md").write_text(page, "utf-8")
        (out / "report.json").write_text(data, "utf-8")
        for side, of_side in figures.items():
            (out / side).mkdir()
            for figure in report["figures"]:
                (out / side / figure).write_bytes(of_side[figure])
    print(data if options.json else page, end="")
    if options.fail_on in [row["verdict"] for row in report["accuracy"]]:
        sys.exit(1)


if __name__ == "__main__":
    run(main)
