# Nothing but Python 3.11 to 3.13, pip, git and make is needed; everything else goes into .venv.
# The newest suitable Python outside .venv, also where .venv is activated.
SUITABLE := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))
PYTHON ?= $(shell PATH="$${PATH##*/.venv/bin:}"; \
	for python in python3.13 python3.12 python3.11 python3; do \
		"$$python" -c "$(SUITABLE)" 2>/dev/null && command -v "$$python" && break; done)
NO_PYTHON = $(error Python 3.11, 3.12 or 3.13 is needed: TensorFlow has wheels for no other)
ACTIVATE := . .venv/bin/activate
PIP = "$(PYTHON)" -m pip --python .venv/bin/python install --quiet --require-hashes

.PHONY: run test setup setup-dev readme check-lock review sweep verify faults lock remote bench optimism claims rounding
.PHONY: predict decode export errors

run: setup  ## the pipeline
	@git rev-parse --git-dir >/dev/null || { echo "error: DVC needs the project in Git: clone it;" \
		"or, of an unpacked ZIP, git init && git add --all && git commit -m Start" >&2; exit 1; }
	$(ACTIVATE) && dvc repro

test: setup-dev  ## lint, layers, types, tests
	$(ACTIVATE) && ruff check . && ruff format --check . && lint-imports && mypy && pytest

setup: .venv/installed  ## what the pipeline and the commands need

setup-dev: .venv/installed-dev  ## and what the tests, a Dask cluster and remotes need

# pip works from outside the environment: Debian's Python has no ensurepip to put it inside.
.venv/installed: requirements.txt
	$(if $(PYTHON),,$(NO_PYTHON))
	rm -rf .venv
	"$(PYTHON)" -m venv --without-pip .venv
	$(PIP) -r requirements.txt
	touch $@

.venv/installed-dev: .venv/installed requirements-dev.txt
	$(PIP) -r requirements-dev.txt
	touch $@

COMPILE := uv pip compile pyproject.toml --universal --generate-hashes --no-header --no-annotate
lock:  ## new pins from pyproject.toml, the second file a superset of the first; needs uv
	$(COMPILE) --upgrade --output-file requirements.txt
	$(COMPILE) --all-extras --constraint requirements.txt --output-file requirements-dev.txt

faults: setup-dev  ## every stage killed in every way, and the queue, for real; 5 minutes
	$(ACTIVATE) && pytest -m faults --dist load

verify: setup  ## are the results, here and in DVC's cache, what dvc.lock says? reads every byte
	@$(ACTIVATE) && python -m commands.verify

bench: setup-dev  ## speed, memory and other classifiers: benchmarks/results.md, rivals.md; an hour
	$(ACTIVATE) && python -m benchmarks.bench $(ARGS)

optimism: setup-dev  ## validation against test accuracy: benchmarks/optimism.md
	$(ACTIVATE) && python -m benchmarks.optimism

claims: setup-dev  ## the notebook's choices one at a time, and more data: benchmarks/claims.md
	$(ACTIVATE) && python -m benchmarks.claims

rounding: setup-dev  ## how far rounding moves the accuracies: benchmarks/rounding.md
	$(ACTIVATE) && python -m benchmarks.rounding

readme: setup  ## the tables of README.md and docs/ from metrics/ and benchmarks/
	$(ACTIVATE) && python -m commands.readme

page: setup-dev  ## the page of dvc plots show and diff, with Vega inside: .dvc/plots/page.html
	$(ACTIVATE) && python -m commands.plots_page

check-lock: setup  ## is dvc.lock current? needs neither data nor models
	@$(ACTIVATE) && dry="$$(dvc repro --allow-missing --dry)" && case "$$dry" in \
		*"Running stage"*) echo "$$dry"; echo "run dvc repro and commit the result" >&2; exit 1;; esac

BASE ?= main
review: setup  ## the workspace against BASE: make review BASE=main ARGS="--fail-on worse"
	@$(ACTIVATE) && python -m commands.review $(BASE) $(ARGS)

sweep: BASE = HEAD
sweep: setup  ## the experiments on BASE, best first: make sweep BASE=main ARGS="--variant candidate"
	@$(ACTIVATE) && python -m commands.sweep $(BASE) $(ARGS)

# Its TEXT arrives as typed: by way of the environment, where neither make nor the shell reads it.
unexport TEXT
predict: export SENTENCE := $(value TEXT)
predict: setup  ## is it positive? make predict TEXT="…"; without TEXT, each line of standard input
	@$(ACTIVATE) && python -m commands.predict \
		$(if $(filter command environment,$(origin TEXT)),--sentence="$$SENTENCE") $(ARGS)

N ?= 0
decode: setup  ## a test review as text, its label, and what the variants say: make decode N=0
	@$(ACTIVATE) && python -m commands.decode $(N) $(ARGS)

export: setup  ## the candidate as a TensorFlow SavedModel that takes texts: exports/candidate
	@$(ACTIVATE) && python -m commands.export $(ARGS)

VARIANT ?= candidate
errors: setup-dev  ## what a variant gets wrong, as a page: make errors VARIANT=candidate
	@$(ACTIVATE) && python -m commands.errors $(VARIANT) $(ARGS)

URL ?= $(error say where: make remote URL=s3://bucket/path, URL=ssh://user@host/path or URL=/folder)
remote: setup-dev  ## the cache shared through a DVC remote; then commit .dvc/config and dvc push
	@$(ACTIVATE) && dvc remote add --default --force storage "$(URL)" && \
		dvc remote modify storage verify true
