"""Bring the figures of README.md up to date with metrics/ and benchmarks/: `make readme`.

`filled` says what takes the place of the text between `<!-- NAME -->` and `<!-- /NAME -->`.
"""

import io
import re
from pathlib import Path
from typing import Any

import pandas as pd
from scipy import stats
from tabulate import tabulate

README = Path("README.md")
SCORES = Path("metrics/scores.csv")
BENCHMARK = Path("benchmarks/results.md")
ROUNDING = Path("benchmarks/rounding.md")

# What the notebook reports for one run: variant, score, its figure.
FIGURES = [
    ("single", "train_accuracy", 0.9971),
    ("single", "validation_accuracy", 0.8649),
    ("single", "test_accuracy", 0.8532),
    ("single_regularized", "validation_accuracy", 0.8001),
    ("single_regularized", "test_accuracy", 0.7688),
    ("three_regularized", "validation_accuracy", 0.8720),
    ("three_regularized", "test_accuracy", 0.8554),
]
# What it concludes from comparing two: claim, its figure, variant, other variant, score, and
# whether the difference variant - other should be above zero (1) or not differ from it (0).
CONCLUSIONS = [
    (
        "Dropout (with L2) does not bring significant impact",
        "86.69% after 86.49% validation",
        ("single_regularized", "single", "validation_accuracy", 0),
    ),
    (
        "Three layers with dropout and L1 do better than one",
        "87.20% against 86.37% validation",
        ("three_regularized", "single", "validation_accuracy", 1),
    ),
    (
        "adam, tanh and mean squared error are preferable to the book's choices",
        "none",
        ("single", "book", "test_accuracy", 1),
    ),
]


def results(scores: pd.DataFrame) -> str:
    """Per variant the mean over seeds ± the standard deviation."""
    names = ["train_accuracy", "validation_accuracy", "test_accuracy"]
    rows = [
        [f"`{variant}`", *(spread(group[name]) for name in names), f"{group.best_epoch.mean():.1f}"]
        for variant, group in scores.groupby("variant", sort=False)
    ]
    return table(["variant", "train", "validation", "test", "best epoch"], rows)


def claims(scores: pd.DataFrame) -> str:
    """The notebook's figures and conclusions, held against the seeds here."""
    of = dict(iter(scores.groupby("variant")))
    rows = []
    for variant, score, figure in FIGURES:
        low, high = prediction_interval(of[variant][score])
        rows.append(
            [
                f"`{variant}`: {score.replace('_', ' ')}",
                f"{figure:.2%}",
                spread(of[variant][score]),
                "holds" if low <= figure <= high else "does not hold",
            ]
        )
    for claim, said, (variant, other, score, sign) in CONCLUSIONS:
        difference = of[variant][score].mean() - of[other][score].mean()
        test = stats.ttest_ind(of[variant][score], of[other][score], equal_var=False)
        low, high = test.confidence_interval(0.95)
        holds = low > 0 if sign else low <= 0 <= high
        here = (
            f"`{variant}` against `{other}`, {score.split('_')[0]}: {100 * difference:+.2f} points"
        )
        here += f" [{100 * low:+.2f}, {100 * high:+.2f}]"
        rows.append([claim, said, here, "holds" if holds else "does not hold"])
    return table(["claim", "notebook, one run", "here", ""], rows)


def prediction_interval(values: "pd.Series[float]") -> tuple[float, float]:
    """Where one more run falls with 95% probability, if runs are normally distributed.

    Student's t with n - 1 degrees of freedom, scaled by sd * sqrt(1 + 1/n); see Hahn and Meeker,
    Statistical Intervals (1991), section 4.7.
    """
    n = len(values)
    scale = values.std() * (1 + 1 / n) ** 0.5
    low, high = stats.t.interval(0.95, n - 1, loc=values.mean(), scale=scale)
    return float(low), float(high)


def spread(values: "pd.Series[float]") -> str:
    return f"{values.mean():.2%} ± {values.std():.2%}"


def table(header: list[str], rows: list[list[str]]) -> str:
    return tabulate(rows, header, tablefmt="github", disable_numparse=True)


def first_table(markdown: str) -> str:
    return next(part for part in markdown.split("\n\n") if part.startswith("|"))


def first_paragraph(markdown: str) -> str:
    return markdown.split("\n\n", maxsplit=1)[0]


def filled(readme: str, scores: str, benchmark: str, rounding: str) -> str:
    """The text of README.md with its figures made anew.

    They come from metrics/scores.csv, benchmarks/results.md and benchmarks/rounding.md.
    """
    frame = pd.read_csv(io.StringIO(scores))
    tables = {
        "results": results(frame),
        "claims": claims(frame),
        "benchmark": first_table(benchmark),
        "rounding": first_paragraph(rounding),
    }
    for name, text in tables.items():
        block = re.compile(f"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)

        def replace(match: Any, text: str = text) -> str:
            return f"{match[1]}{text}\n{match[2]}"

        readme = block.sub(replace, readme)
    return readme


if __name__ == "__main__":
    files = (path.read_text("utf-8") for path in (README, SCORES, BENCHMARK, ROUNDING))
    README.write_text(filled(*files), "utf-8")
