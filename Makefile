# Only Python 3.11 to 3.13, pip, git and make are needed; everything else goes into .venv.
# The newest suitable Python outside .venv, also if .venv is activated: one whose pip can install
# into another environment, or any if there is uv.
SUITABLE := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))
HAS_PIP := import pip, sys; sys.exit(tuple(map(int, pip.__version__.split('.')[:2])) < (22, 3))
PYTHON ?= $(shell PATH="$${PATH##*/.venv/bin:}"; \
	for check in "$(HAS_PIP)" "import shutil, sys; sys.exit(not shutil.which('uv'))"; do \
		for python in python3.13 python3.12 python3.11 python3; do \
			"$$python" -c "$(SUITABLE)" 2>/dev/null && "$$python" -c "$$check" 2>/dev/null && \
				command -v "$$python" && exit; done; done)
NO_PYTHON = $(error Python 3.11, 3.12 or 3.13 with pip 22.3 or newer, or with uv, is needed)
ACTIVATE := . .venv/bin/activate
# Settings of pip that name an index, a proxy or a certificate hold; those that would install
# elsewhere do not.
PIP = env -u PIP_PREFIX -u PIP_ROOT "$(PYTHON)" -m pip --python .venv/bin/python install \
	--quiet --no-user --target=
UV = uv pip install --quiet --python .venv/bin/python
INSTALL = $(if $(shell "$(PYTHON)" -c "$(HAS_PIP)" 2>/dev/null && echo yes),$(PIP),$(UV))
INSTALLED := from importlib.metadata import version; version("dvc"), version("imdb-workflow")

# A value arrives as typed: through the environment, where neither make nor the shell interprets it.
VALUES := TEXT BASE VARIANT N URL
unexport $(VALUES)
$(foreach name,$(VALUES),$(eval export TYPED_$(name) := $$(value $(name))))

KNOWN := $(VALUES) ARGS PYTHON ACTIVATE
TYPED := $(foreach name,$(.VARIABLES),$(if $(filter command,$(origin $(name))),$(name)))
UNKNOWN := $(strip $(filter-out $(KNOWN),$(TYPED)))
$(if $(UNKNOWN),$(error unknown variable $(UNKNOWN); expected one of $(KNOWN)))

.PHONY: help run test check setup setup-dev lock faults verify check-lock readme notebook page
.PHONY: review sweep remote predict decode export errors bench optimism claims rounding serving

#: Set up and run

run: setup  ## the pipeline
	@git rev-parse --git-dir >/dev/null || { echo "error: DVC needs the project in Git: clone it;" \
		"or, of an unpacked ZIP, git init && git add --all && git commit -m Start" >&2; exit 1; }
	$(ACTIVATE) && dvc repro && python -m commands.summary

setup: .venv/installed  ## what the pipeline and the commands need

setup-dev: .venv/installed-dev  ## what tests, benchmarks, a Dask cluster and remotes need as well

# pip works from outside the environment: Debian's Python has no ensurepip to put it inside.
.venv/installed: requirements.txt
	$(if $(PYTHON),,$(NO_PYTHON))
	@echo "Installing the packages, 2.0 GB, into .venv: about two minutes"
	@rm -rf .venv
	@"$(PYTHON)" -m venv --without-pip .venv
	@$(INSTALL) --require-hashes -r requirements.txt
	@$(INSTALL) --no-index --no-deps --no-build-isolation --editable .
	@.venv/bin/python -c '$(INSTALLED)' || { echo "error: pip installed nothing into .venv:" \
		"is it told to install elsewhere? pip config list" >&2; exit 1; }
	@touch $@

.venv/installed-dev: .venv/installed requirements-dev.txt
	@echo "Installing what development needs as well, 0.6 GB, into .venv"
	@$(INSTALL) --require-hashes -r requirements-dev.txt
	@touch $@

verify: setup  ## do the results, here and in DVC's cache, match dvc.lock? reads every byte
	@$(ACTIVATE) && python -m commands.verify

remote: setup-dev  ## the cache shared through a DVC remote: make remote URL=s3://bucket/path
	@test -n "$$TYPED_URL" || { echo "error: say where: make remote URL=s3://bucket/path," \
		"URL=ssh://user@host/path or URL=/folder" >&2; exit 1; }
	@$(ACTIVATE) && before="$$(cat .dvc/config)" && { \
		dvc remote add --default --force storage "$$TYPED_URL" && \
		dvc remote modify storage verify true; } || { printf '%s\n' "$$before" > .dvc/config; \
		echo "error: no remote was set up. Is it a kind that DVC knows, in letters of ASCII, without" \
		"local settings of another kind, such as keyfile? docs/sharing.md" >&2; exit 1; }

help:  ## this list
	@awk -F ':.*  ## ' '/^#: / {print "\n" substr($$0, 4)} \
		/^[a-z-]+:.*  ## / {printf "  %-13s%s\n", $$1, $$2}' Makefile

#: Judge a change

review: setup  ## the workspace against BASE: make review BASE=main ARGS="--fail-on worse"
	@$(ACTIVATE) && python -m commands.review $${TYPED_BASE:+"$$TYPED_BASE"} $(ARGS)

sweep: setup  ## the experiments on BASE, best first: make sweep BASE=main ARGS="--variant candidate"
	@$(ACTIVATE) && python -m commands.sweep $${TYPED_BASE:+"$$TYPED_BASE"} $(ARGS)

page: setup-dev  ## the page of dvc plots show and diff, with Vega inside: .dvc/plots/page.html
	$(ACTIVATE) && python -m commands.plots_page

#: Use a model

predict: setup  ## is it positive? make predict TEXT="…"; without TEXT, each line of standard input
	@$(ACTIVATE) && python -m commands.predict "$${TYPED_VARIANT:-candidate}" \
		$(if $(filter command environment,$(origin TEXT)),--sentence="$$TYPED_TEXT") $(ARGS)

decode: setup  ## a test review as text, its label, and the predictions for it: make decode N=0
	@$(ACTIVATE) && python -m commands.decode "$${TYPED_N:-0}" $(ARGS)

errors: setup-dev  ## the errors of a variant, as a page: make errors VARIANT=candidate
	@$(ACTIVATE) && python -m commands.errors $${TYPED_VARIANT:+"$$TYPED_VARIANT"} $(ARGS)

export: setup  ## a variant as a TensorFlow SavedModel that takes texts: make export VARIANT=candidate
	@$(ACTIVATE) && python -m commands.export $${TYPED_VARIANT:+"$$TYPED_VARIANT"} $(ARGS)

#: Develop

test: setup-dev  ## lint, layers, types, tests
	$(ACTIVATE) && ruff check . && ruff format --check . && lint-imports && mypy && pytest

check: setup-dev check-lock  ## are the committed results and pages those of this code?
	$(ACTIVATE) && pytest -m published

check-lock: setup  ## is dvc.lock current? needs neither data nor models
	@$(ACTIVATE) && dry="$$(dvc repro --allow-missing --dry)" && case "$$dry" in \
		*"Running stage"*) echo "$$dry"; echo "run dvc repro and commit the result" >&2; exit 1;; \
		*) echo "dvc.lock is current";; esac

faults: setup-dev  ## slow tests: stages, queue and workers killed in every way, other processors
	$(ACTIVATE) && pytest -m faults --dist load

COMPILE := uv pip compile pyproject.toml --universal --generate-hashes --no-header --no-annotate
lock:  ## new pins from pyproject.toml, the second file a superset of the first; needs uv
	@command -v uv >/dev/null || { echo "error: uv is not installed: pip install uv" >&2; exit 1; }
	$(COMPILE) --upgrade --output-file requirements.txt
	$(COMPILE) --all-extras --constraint requirements.txt --output-file requirements-dev.txt

#: Values and pages

readme: setup  ## the tables of README.md and docs/ from metrics/ and benchmarks/
	$(ACTIVATE) && python -m commands.readme

notebook: setup-dev  ## the outputs of docs/from_the_notebook.ipynb, from the results that are here
	$(ACTIVATE) && python -m commands.notebook

bench: setup-dev  ## speed, memory and other classifiers: benchmarks/results.md, rivals.md; an hour
	$(ACTIVATE) && python -m benchmarks.bench $(ARGS)

optimism:  ## validation against test accuracy: benchmarks/optimism.md
claims:  ## the notebook's choices one at a time, and more data: benchmarks/claims.md
serving:  ## how fast and how exact an export is: benchmarks/serving.md
rounding:  ## how far rounding moves the accuracies: benchmarks/rounding.md
optimism claims serving rounding: setup-dev
	$(ACTIVATE) && python -m benchmarks.$@
