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
from tests.conftest import PROJECT, call
from workflow.base.files import METRICS

MAKEFILE = PROJECT / "Makefile"
ODD = """a&b;`c` $d $(e) "f" 'g' *"""


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
    listed = {line.split()[0] for line in make("help").stdout.splitlines()}
    assert listed == targets == set(" ".join(phony).split())


@pytest.mark.parametrize(
    ("target", "variable"),
    [
        ("review", "BASE"),
        ("sweep", "BASE"),
        ("predict", "TEXT"),
        ("predict", "VARIANT"),
        ("export", "VARIANT"),
        ("errors", "VARIANT"),
        ("decode", "N"),
        ("remote", "URL"),
    ],
)
@pytest.mark.parametrize("by", ["argument", "environment"])
def test_a_value_reaches_the_command_as_typed(target: str, variable: str, by: str, tmp_path: Path):
    """The project's Makefile with an environment whose commands print their arguments."""
    bin_ = tmp_path / ".venv/bin"
    bin_.mkdir(parents=True)
    (bin_ / "activate").write_text(f"PATH={bin_}:$PATH")
    for name in ("python", "dvc"):
        (bin_ / name).write_text('#!/bin/sh\nprintf "%s\\0" "$@"\n')
        (bin_ / name).chmod(0o755)
    for name in ("installed", "installed-dev"):
        (tmp_path / ".venv" / name).touch()
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").touch()
    for name in ("requirements.txt", "requirements-dev.txt"):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (0, 0))
    typed = [f"{variable}={ODD}"] if by == "argument" else []
    printed = subprocess.check_output(
        ["make", "--silent", "-f", MAKEFILE, target, *typed],
        cwd=tmp_path,
        env=os.environ | ({variable: ODD} if by == "environment" else {}),
        text=True,
    )
    assert [word.removeprefix("--sentence=") for word in printed.split("\0")].count(ODD) == 1


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

    monkeypatch.chdir(copy)
    metrics = json.loads(METRICS.read_text())
    accuracies = [metrics[variant]["validation_accuracy"] for variant in ("single", "candidate")]
    usual = steps()
    assert [step.split()[0] for step in usual] == ["make", "dvc", "make"]
    METRICS.write_text("{}")
    commit = 'git add --all && git commit -m "Base"'
    assert steps() == [commit, *usual]
    subprocess.run("git config --unset user.email".split(), check=True)
    assert steps() == [summary.IDENTITY, commit, *usual]


def test_a_misspelt_variable_is_refused():
    refused = make("predict", "TEXT=a VARIENT=b", "VARIENT=single")
    assert refused.returncode != 0
    assert "unknown variable VARIENT; expected one of TEXT BASE VARIANT" in refused.stderr


@pytest.mark.parametrize("redirection", ["PIP_USER=1", "PIP_TARGET={}", "PIP_PREFIX={}"])
def test_pip_installs_into_the_environment_whatever_it_is_told(redirection: str, tmp_path: Path):
    """The line of `make setup` that installs the project itself, into an environment of its own."""
    name, _, value = redirection.format(tmp_path / "elsewhere").partition("=")
    environment = tmp_path / "environment"
    venv.create(environment, system_site_packages=True)
    site = next(environment.glob("lib/python*/site-packages"))
    (site / "tools.pth").write_text("\n".join(path for path in sys.path if "site-packages" in path))
    (line,) = re.findall(r"\$\(INSTALL\) (--no-index .*)", MAKEFILE.read_text())
    pip = make("--eval", "show: ; @echo '$(PIP)'", "show").stdout.strip()
    command = f"{pip} {line}".replace(".venv/bin/python", f"'{environment / 'bin/python'}'")
    subprocess.run(["sh", "-c", command], cwd=PROJECT, env=os.environ | {name: value}, check=True)
    imported = "import workflow; print(workflow.__file__)"
    printed = subprocess.check_output(
        [environment / "bin/python", "-c", imported], cwd=tmp_path, text=True
    )
    assert printed.strip() == str(PROJECT / "workflow/__init__.py")
    assert not (tmp_path / "elsewhere").exists()


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
