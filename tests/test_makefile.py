"""The targets of the Makefile: what they install, and that they hand on values as typed."""

import json
import os
import re
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from commands import summary
from tests.conftest import PROJECT, call, edit_params
from workflow.base.files import METRICS

MAKEFILE = PROJECT / "Makefile"
ODD = """a&b;`c` $d $(error e) "f" 'g' *"""


def make(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "--no-print-directory", *words],
        cwd=PROJECT,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def test_help_lists_every_target():
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE.read_text(), re.MULTILINE))
    (phony,) = [re.findall(r"^\.PHONY: (.*)", MAKEFILE.read_text(), re.MULTILINE)]
    shown = make("help").stdout.splitlines()
    assert "Judge a change" in shown
    listed = {line.split()[0] for line in shown if line.startswith("  ")}
    assert listed == targets == set(" ".join(phony).split())


def test_a_value_reaches_the_command_as_typed(tmp_path: Path):
    """The project's Makefile with commands that print their arguments."""
    for name in ("python", "dvc"):
        (tmp_path / name).write_text('#!/bin/sh\nprintf "%s\\0" "$@"\n')
        (tmp_path / name).chmod(0o755)
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").touch()
    installed = "ACTIVATE=true PYTHON=true -o .venv/installed -o .venv/installed-dev".split()
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    for target, variables in {
        "review": ["BASE"],
        "sweep": ["BASE"],
        "predict": ["TEXT", "VARIANT"],
        "export": ["VARIANT"],
        "errors": ["VARIANT"],
        "decode": ["N"],
        "remote": ["URL"],
    }.items():
        command = ["make", "-s", "-f", str(MAKEFILE), *installed, target]
        typed = [f"{variable}={ODD}" for variable in variables]
        for words, env in (
            ([*command, *typed], environment),
            (command, environment | dict.fromkeys(variables, ODD)),
        ):
            printed = subprocess.check_output(words, cwd=tmp_path, env=env, text=True)
            values = [word.removeprefix("--sentence=") for word in printed.split("\0")]
            assert values.count(ODD) == len(variables), target


def test_after_a_run_it_says_what_is_there_and_what_comes_next(
    copy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def steps() -> list[str]:
        call("commands.summary")
        first, *others = capsys.readouterr().out.strip().splitlines()
        values = [float(value) for value in re.findall(r" ([\d.]+)%", first)]
        assert values == [round(100 * best, 2) for best in sorted(accuracies, reverse=True)]
        assert first.endswith("Pictures: plots/figures/. Next:")
        return [line.split("  #")[0].strip() for line in others if line]

    metrics = json.loads(METRICS.read_text())
    accuracies = [metrics[variant]["validation_accuracy"] for variant in ("single", "candidate")]
    usual = steps()
    assert [step.split()[0] for step in usual] == ["make", "dvc", "make"]
    METRICS.write_text("{}")
    commit = 'git add --all && git commit -m "Base"'
    assert steps() == [commit, *usual]
    subprocess.run("git config --unset user.email".split(), check=True)
    assert steps() == [summary.IDENTITY, commit, *usual]
    edit_params(copy, model__dropout=0.5)  # a change is no base
    assert steps() == [summary.IDENTITY, *usual]


def test_a_misspelt_variable_is_refused():
    refused = make("predict", "TEXT=a VARIENT=b", "VARIENT=single")
    assert refused.returncode != 0
    assert "unknown variable VARIENT; expected one of TEXT BASE VARIANT" in refused.stderr


def test_the_pip_that_is_found_in_the_environment_is_its_own():
    """So that `pip install optuna`, as the pages have it, adds to it."""
    pip = Path(sys.executable).with_name("pip")
    assert f"from {sys.prefix}/" in subprocess.check_output([pip, "--version"], text=True)


def test_pip_installs_into_the_environment_whatever_it_is_told(tmp_path: Path):
    """The line of `make setup` that installs the project itself, into an environment of its own."""
    elsewhere, environment = str(tmp_path / "elsewhere"), tmp_path / "environment"
    venv.create(environment, system_site_packages=True)
    site = next(environment.glob("lib/python*/site-packages"))
    (site / "tools.pth").write_text("\n".join(path for path in sys.path if "site-packages" in path))
    (line,) = re.findall(r"\$\(INSTALL\) (--no-index .*)", MAKEFILE.read_text())
    pip = make("--eval", "show: ; @echo '$(PIP)'", "show").stdout.strip()
    command = f"{pip} {line}".replace(".venv/bin/python", f"'{environment / 'bin/python'}'")
    told = {"PIP_USER": "1", "PIP_TARGET": elsewhere, "PIP_PREFIX": elsewhere}
    subprocess.run(["sh", "-c", command], cwd=PROJECT, env=os.environ | told, check=True)
    printed = subprocess.check_output(
        [environment / "bin/python", "-c", "import workflow; print(workflow.__file__)"],
        cwd=tmp_path,
        text=True,
    )
    assert printed.strip() == str(PROJECT / "workflow/__init__.py")
    assert not Path(elsewhere).exists()


@pytest.mark.parametrize(
    ("newest", "expected"),
    [
        ("pip = None", "python3.12"),
        ("pip = '22.2'", "python3.12"),
        ("pip = '22.3.1'", "python3.13"),
        ("pip = '23.0'; version = (3, 14)", "python3.12"),
    ],
)
def test_the_newest_python_whose_pip_can_do_it_is_taken(newest: str, expected: str, tmp_path: Path):
    """Interpreters that answer the questions of the Makefile as this one, but for one fact."""
    for name, facts in (("python3.13", newest), ("python3.12", "pip = '24.0'")):
        prelude = tmp_path / f"{name}.py"
        prelude.write_text(
            f"import sys, types\nversion = (3, 12)\n{facts}\n"
            "sys.version_info = (*version, 0)\n"
            "sys.modules['pip'] = pip and types.SimpleNamespace(__version__=pip)\n"
            "exec(sys.argv[2])\n"
        )
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\nexec '{sys.executable}' '{prelude}' \"$@\"\n")
        program.chmod(0o755)
    found = make("--eval", "show: ; @echo '$(PYTHON)'", "show", PATH=f"{tmp_path}:/usr/bin:/bin")
    assert Path(found.stdout.strip()).name == expected
