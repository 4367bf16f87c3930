"""Who uses whom: what dvc.yaml says of the code of each stage, and what may import what."""

import tomllib
from pathlib import Path

import grimp
import pytest
from ruamel.yaml import YAML

from tests.conftest import PROJECT, call, command, results
from workflow.base.schema import Block
from workflow.params import load_params

PIPELINE = YAML(typ="safe").load(PROJECT / "dvc.yaml")["stages"]
DEPS = {name: stage.get("do", stage)["deps"] for name, stage in PIPELINE.items()}
SCHEMAS = {str(path.relative_to(PROJECT)) for path in PROJECT.glob("workflow/*/params.py")}
OWN = ("stages", "workflow")
NETWORKS = ("train", "evaluate")  # the stages that need TensorFlow, which takes seconds to import


@pytest.fixture(scope="module")
def imports() -> grimp.ImportGraph:
    """Every import of the code, within functions too."""
    return grimp.build_graph("stages", "workflow", include_external_packages=True)


def is_within(path: str, folders: list[str]) -> bool:
    return any(Path(path).is_relative_to(folder) for folder in folders)


@pytest.mark.parametrize("stage", PIPELINE)
def test_a_stage_depends_on_the_code_that_it_uses(stage: str, imports: grimp.ImportGraph):
    """Apart from the schemas of others, which a test below is about."""
    modules = [f"stages.{stage}", *imports.find_upstream_modules(f"stages.{stage}")]
    paths = [Path(module.replace(".", "/")) for module in modules if module.startswith(OWN)]
    used = {
        str(path / "__init__.py" if (PROJECT / path).is_dir() else path.with_suffix(".py"))
        for path in paths
    }
    listed = [dep for dep in DEPS[stage] if dep.startswith(OWN)]
    missing = {path for path in used - SCHEMAS if not is_within(path, listed)}
    superfluous = {dep for dep in listed if not any(is_within(path, [dep]) for path in used)}
    assert (missing, superfluous) == (set(), set())


@pytest.mark.parametrize("stage", PIPELINE)
def test_only_stages_that_run_a_network_import_tensorflow(stage: str, imports: grimp.ImportGraph):
    upstream = imports.find_upstream_modules(f"stages.{stage}")
    assert bool({"tensorflow", "keras"} & upstream) == (stage in NETWORKS)


@pytest.mark.parametrize("stage", [stage for stage in PIPELINE if stage not in NETWORKS])
def test_no_default_of_a_schema_that_a_stage_does_not_depend_on_changes_its_output(
    stage: str, copy: Path, repository: Path, mirror: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(copy)
    monkeypatch.setenv("IMDB_MIRROR", str(mirror))
    params = load_params()
    for name, block in params:
        path = type(block).__module__.replace(".", "/") + ".py"
        if isinstance(block, Block) and not is_within(path, DEPS[stage]):
            fields = type(block).model_fields.items()
            defaults = {key: 1 for key, field in fields if not field.is_required()}
            params = params.model_copy(update={name: block.model_copy(update=defaults)})
    monkeypatch.setattr(f"stages.{stage}.load_params", lambda: params)
    items = {"vectorize": ["multi_hot"], "curves": ["single"]}
    call(f"stages.{stage}", *items.get(stage, []))
    assert results(copy) == results(repository)


def test_every_module_stands_in_a_contract_of_import_linter():
    settings = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["importlinter"]
    packages = {path.parent.name for path in PROJECT.glob("*/__init__.py")} - {"tests"}
    assert set(settings["root_packages"]) == packages
    (workflow,) = [of for of in settings["contracts"] if of.get("containers") == ["workflow"]]
    assert workflow["exhaustive"]


def test_a_clone_with_the_line_ends_of_windows_has_a_current_lock(
    repository: Path, tmp_path: Path, mirror: Path, home: Path
):
    clone = tmp_path / "clone"
    windows = ("-c", "core.autocrlf=true", "clone", "--quiet")
    command(tmp_path, mirror, home, "git", *windows, str(repository), str(clone))
    dry = command(clone, mirror, home, "dvc repro --allow-missing --dry")
    assert "Running stage" not in dry
