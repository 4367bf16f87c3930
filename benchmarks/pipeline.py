"""The parts of the benchmark that compare the pipeline with the notebook.

Where a value is a pair, the first is the notebook's and the second is this project's.
"""

from benchmarks.measure import Measured, python, run, set_params, size
from benchmarks.sandbox import Sandbox
from workflow.base.files import CANDIDATE, MODELS

SYSTEMS = "single", "single_regularized", "three_regularized"
EXPERIMENTS = "model.dropout=0.5", "baselines.wide_dropout.dropout=0.5"


def notebook(sandbox: Sandbox) -> Measured:
    """The notebook's parts, and its three systems from nothing."""
    there = sandbox.notebook.last_json
    here = python(sandbox.reviews, "benchmarks.project").last_json
    folder = sandbox.clone("three")
    variants = {name: {"recipe": f"baselines.{name}", "features": "multi_hot"} for name in SYSTEMS}
    set_params(folder, {"train.seeds": 1, "variants": variants})
    run(folder, "rm", "-r", "plots")  # compare refuses those of other variants
    three = run(folder, "dvc", "repro", "plot", "curves")
    return {
        "vectorize": [there["vectorize"], here["vectorize"]],
        "fit": [there["single fit"], here["fit"]],
        "evaluate": [there["single evaluate"], here["evaluate"]],
        "vectors": [there["bytes"] / 1e6, here["bytes"] / 1e6],
        "three": [sandbox.notebook.seconds, three.seconds],
        "peak": [sandbox.notebook.peak, three.peak],
    }


def everything(sandbox: Sandbox) -> Measured:
    """All variants and seeds from nothing, and a second `dvc repro` with `dvc status` beside it."""
    there, (folder, here) = sandbox.notebook, sandbox.everything
    again, status = run(folder, "dvc", "repro"), run(folder, "dvc", "status")
    return {
        "everything": [there.seconds, here.seconds],
        "again": [status.seconds, again.seconds],
        "peak MB": here.peak,
        "cache MB": size(folder / ".dvc/cache") / 1e6,
        "model MB": (folder / MODELS / CANDIDATE / "seed-1.keras").stat().st_size / 1e6,
    }


def experiment(sandbox: Sandbox) -> Measured:
    """One experiment on the candidate, and one on a variant that uses multi-hot vectors."""
    there, (folder, _) = sandbox.notebook, sandbox.everything
    # A clean workspace to begin with, also where another processor rounds otherwise.
    identity = "-c", "user.name=benchmark", "-c", "user.email=benchmark@localhost"
    run(folder, "git", *identity, "commit", "--quiet", "--allow-empty", "--all", "-m", "benchmark")
    results: Measured = {}
    for change in EXPERIMENTS:
        ended = run(folder, "dvc", "exp", "run", "-S", change)
        results[change] = [there.seconds, ended.seconds]
        run(folder, "git", "reset", "--quiet", "--hard")
        run(folder, "dvc", "checkout", "--quiet")
    return results
