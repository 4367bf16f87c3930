"""The workflow of GitHub Actions, and that it runs what can be run by hand."""

import re
import subprocess

from ruamel.yaml import YAML

from tests.conftest import PROJECT

WORKFLOW = PROJECT / ".github/workflows/review.yml"


def test_the_workflow_passes_its_linter():
    """zizmor: valid, least privilege, actions pinned by hash, nothing injected into a shell."""
    result = subprocess.run(
        ["zizmor", "--offline", "--strict-collection", "--pedantic", "--no-progress", WORKFLOW],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_its_steps_are_make_targets():
    jobs = YAML(typ="safe").load(WORKFLOW.read_text())["jobs"]
    steps = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    lines = [line for step in steps for line in step.splitlines()]
    other = ("gh ", 'base="$(git merge-base ')
    made = [re.match(r"make ([\w-]+)", line) for line in lines if not line.startswith(other)]
    targets = set(re.findall(r"^([\w-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    assert {match[1] for match in made if match} <= targets
    assert all(made)
