# Nothing but Python 3.11 or newer, pip, git and make is needed; everything else goes into .venv.
PYTHON ?= python3
VENV := .venv/installed
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: run test setup lock

run: setup  ## the pipeline
	dvc repro

test: setup  ## lint, types, tests
	ruff check .
	ruff format --check .
	mypy
	pytest

setup: $(VENV)

# pip works from outside the environment: Debian's Python has no ensurepip to put it inside.
$(VENV): requirements.txt
	rm -rf .venv
	$(PYTHON) -m venv --without-pip .venv
	$(PYTHON) -m pip --python .venv/bin/python install --quiet --require-hashes -r requirements.txt
	touch $@

lock:  ## new pins in requirements.txt from pyproject.toml; needs uv
	uv pip compile pyproject.toml --extra dev --universal --generate-hashes --no-header \
		--no-annotate --upgrade --output-file requirements.txt
