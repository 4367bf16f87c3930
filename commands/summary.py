"""What the pipeline's results are and what to do next: `make run` prints it after `dvc repro`.

usage   python -m commands.summary
reads   params.yaml, metrics/scores.csv, Git's status and settings
prints  the best variants on validation, where the pictures are, and commands for the next steps
"""

import os

from workflow.base.errors import run
from workflow.base.files import FIGURES, SCORES
from workflow.evaluation.results import read_scores
from workflow.params import load_params
from workflow.report.revisions import git

SHOWN = 3
IDENTITY = 'git config --global user.name "…" && git config --global user.email "…"'


def knows_git_user() -> bool:
    """Whether Git has a name and an address, without which DVC runs no experiment."""
    return all(
        os.environ.get(f"GIT_COMMITTER_{key.upper()}")
        or git("config", "--default", "", f"user.{key}").strip()
        for key in ("name", "email")
    )


def next_steps() -> dict[str, str]:
    """Commands, and what each is for."""
    steps = {}
    if not knows_git_user():
        steps[IDENTITY] = "needed for commits and DVC's experiments"
    changed = git("status", "--porcelain", "--", "params.yaml", "dvc.lock", "metrics", "plots")
    if changed and b"params.yaml" not in changed:
        steps['git add --all && git commit -m "Base"'] = "this machine's results, before you change"
    return steps | {
        'make predict TEXT="A gorgeous, moving film"': "use the model",
        "dvc exp run -S model.dropout=0.5": "try a change, after . .venv/bin/activate",
        "make review BASE=HEAD": "is it a gain or noise?",
    }


def main() -> None:
    params = load_params()
    scores = read_scores(SCORES, params.variants, params.train.all_seeds)
    best = scores.groupby("variant")["validation_accuracy"].mean().nlargest(SHOWN)
    ranked = ", ".join(f"{variant} {accuracy:.2%}" for variant, accuracy in best.items())
    print(f"\nBest on validation: {ranked}. Pictures: {FIGURES}/. Next:\n")
    steps = next_steps()
    width = max(map(len, steps))
    for command, purpose in steps.items():
        print(f"    {command:{width}}  # {purpose}")


if __name__ == "__main__":
    run(main)
