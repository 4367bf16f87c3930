"""Who uses whom: what dvc.yaml says of the code of each stage, and what may import what."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.conftest import PROJECT, TRAINED, attempt, command

PIPELINE = YAML(typ="safe").load(PROJECT / "dvc.yaml")["stages"]
NETWORKS = ("train", "evaluate")  # the stages that need TensorFlow, which takes seconds to import

# Runs the stages that need no network, in a repository with results, and then imports the others.
# What is not of the project is imported once.
LOADED = """
import importlib, json, sys
from pathlib import Path

stages, here, loaded = json.loads(sys.argv[1]), Path.cwd(), {}
for name, arguments in stages.items():
    for module in [m for m in sys.modules if m.split(".")[0] in ("stages", "workflow")]:
        del sys.modules[module]
    stage = importlib.import_module(f"stages.{name}")
    if arguments is not None:
        sys.argv[1:] = arguments
        stage.main()
    files = [Path(module.__file__) for module in list(sys.modules.values())
             if getattr(module, "__file__", None)]
    loaded[name] = {
        "files": sorted(str(f.relative_to(here)) for f in files if f.is_relative_to(here)),
        "tensorflow": bool({"tensorflow", "keras"} & set(sys.modules)),
    }
Path("loaded.json").write_text(json.dumps(loaded))
"""


@pytest.fixture(scope="module")
def loaded(
    repository: Path, mirror: Path, home: Path, tmp_path_factory: pytest.TempPathFactory
) -> Any:
    """For each stage the files of the project that it loads, and whether TensorFlow is loaded."""
    folder = tmp_path_factory.mktemp("loaded") / "a copy"
    command(repository, mirror, home, "cp -r", str(repository), str(folder))
    arguments = {"vectorize": ["multi_hot"], "curves": TRAINED[:1]}
    stages = {name: arguments.get(name, []) for name in PIPELINE if name not in NETWORKS}
    listed = json.dumps(stages | dict.fromkeys(NETWORKS))
    command(folder, mirror, home, "python -c", LOADED, listed)
    return json.loads((folder / "loaded.json").read_text())


@pytest.mark.parametrize("stage", PIPELINE)
def test_the_code_that_a_stage_depends_on_is_what_it_loads(stage: str, loaded: Any):
    definition = PIPELINE[stage].get("do", PIPELINE[stage])
    listed = {path for path in definition["deps"] if path.endswith(".py")}
    needed = set(loaded[stage]["files"])
    changes = [f"add {path}" for path in sorted(needed - listed)]
    changes += [f"remove {path}" for path in sorted(listed - needed)]
    assert not changes, f"dvc.yaml, deps of {stage}: {', '.join(changes)}"


@pytest.mark.parametrize("stage", PIPELINE)
def test_only_stages_that_run_a_network_import_tensorflow(stage: str, loaded: Any):
    assert loaded[stage]["tensorflow"] == (stage in NETWORKS)


def test_no_layer_imports_one_above_it():
    """What [tool.importlinter] in pyproject.toml says."""
    result = subprocess.run(
        ["lint-imports", "--no-cache"], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout


def test_a_clone_with_the_line_ends_of_windows_has_a_current_lock(
    repository: Path, tmp_path: Path, mirror: Path, home: Path
):
    clone = tmp_path / "clone"
    windows = ("-c", "core.autocrlf=true", "clone", "--quiet")
    command(tmp_path, mirror, home, "git", *windows, str(repository), str(clone))
    dry = attempt(clone, mirror, home, "dvc repro --allow-missing --dry")
    assert dry.returncode == 0, dry.stderr
    assert "Running stage" not in dry.stdout
