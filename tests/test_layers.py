"""Who uses whom: what dvc.yaml says of the code of each stage, and what may import what."""

import json
import tomllib
from pathlib import Path
from typing import Any

import grimp
import pytest
from ruamel.yaml import YAML

from tests.conftest import PROJECT, Dvc, call, commit_in, results, run_in
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


def test_a_change_of_code_makes_only_those_stages_stale_that_it_may_concern(copy: Path, dvc: Dvc):
    for path, old, new in (
        ("../stages/plot.py", '"""', '"""Another docstring. '),
        ("text/own_reviews.py", '"""', '"""Another docstring. '),
        ("evaluation/scores.py", "{deviation}", "({deviation})"),
        ("evaluation/scores.py", '"f1":', '"twice_f1": 2 * float(f1), "f1":'),
        ("charts/style.py", "#009E73", "#009E74"),
        ("serving/predictor.py", '"""', '"""Another docstring. '),
        ("report/comparison.py", '"""', '"""Another docstring. '),
    ):
        file = copy / "workflow" / path
        assert old in file.read_text()
        file.write_text(file.read_text().replace(old, new, 1))
    changed = {
        stage: set(kinds[0]["changed deps"])
        for stage, kinds in json.loads(dvc("status --json")).items()
    }
    evaluation, charts = "workflow/evaluation", "workflow/charts"
    assert changed == {
        "download": {"workflow/text"},
        "evaluate@single": {evaluation},
        "evaluate@candidate": {evaluation},
        "compare": {evaluation},
        "plot": {evaluation, charts, "stages/plot.py"},
    }


def with_other_defaults(value: Any, stage: str) -> Any:
    """Settings in which those that have a default in a schema of another stage are 1."""
    if isinstance(value, dict):
        return {key: with_other_defaults(each, stage) for key, each in value.items()}
    if not isinstance(value, Block):
        return value
    is_own = is_within(type(value).__module__.replace(".", "/") + ".py", DEPS[stage])
    changes = {
        name: with_other_defaults(getattr(value, name), stage)
        if is_own or field.is_required()
        else 1
        for name, field in type(value).model_fields.items()
    }
    return value.model_copy(update=changes)


@pytest.mark.parametrize("stage", [stage for stage in PIPELINE if stage not in NETWORKS])
def test_no_default_of_a_schema_that_a_stage_does_not_depend_on_changes_its_output(
    stage: str, copy: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
):
    params = with_other_defaults(load_params(), stage)
    monkeypatch.setattr(f"stages.{stage}.load_params", lambda: params)
    call(f"stages.{stage}", *(["multi_hot"] if stage == "vectorize" else []))
    assert results(copy) == results(repository)


def test_every_module_stands_in_a_contract_of_import_linter():
    settings = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["importlinter"]
    packages = {path.parent.name for path in PROJECT.glob("*/__init__.py")} - {"tests"}
    assert set(settings["root_packages"]) == packages
    (workflow,) = [of for of in settings["contracts"] if of.get("containers") == ["workflow"]]
    assert workflow["exhaustive"]


def test_a_clone_with_the_line_ends_of_windows_has_a_current_lock(repository: Path, tmp_path: Path):
    clone = tmp_path / "clone"
    windows = ("-c", "core.autocrlf=true", "clone", "--quiet")
    run_in(tmp_path, "git", *windows, str(repository), str(clone))
    dry = run_in(clone, "dvc repro --allow-missing --dry")
    assert "Running stage" not in dry


def test_own_files_keep_their_line_ends(copy: Path, tmp_path: Path):
    own = copy / "own.csv"
    own.write_bytes(b"text,label\r\na,yes\r\nb,no\n")
    commit_in(copy)
    run_in(tmp_path, "git clone --quiet", str(copy), str(tmp_path / "clone"))
    assert (tmp_path / "clone/own.csv").read_bytes() == own.read_bytes()
