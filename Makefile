# Nothing but Python 3.11 or newer, pip, git and make is needed; everything else goes into .venv.
# The Python outside .venv, also where .venv is activated.
PYTHON ?= $(shell PATH="$${PATH##*/.venv/bin:}" command -v python3)
ACTIVATE := . .venv/bin/activate

.PHONY: run test setup readme check-lock review verify faults lock remote bench rounding

run: setup  ## the pipeline
	$(ACTIVATE) && dvc repro

test: setup  ## lint, types, tests
	$(ACTIVATE) && ruff check . && ruff format --check . && mypy && pytest

setup: .venv/installed

# pip works from outside the environment: Debian's Python has no ensurepip to put it inside.
.venv/installed: requirements.txt
	rm -rf .venv
	"$(PYTHON)" -m venv --without-pip .venv
	"$(PYTHON)" -m pip --python .venv/bin/python install --quiet --require-hashes -r requirements.txt
	touch $@

lock:  ## new pins in requirements.txt from pyproject.toml; needs uv
	uv pip compile pyproject.toml --all-extras --universal --generate-hashes --no-header \
		--no-annotate --upgrade --output-file requirements.txt

faults: setup  ## every stage killed in every way, and the queue, for real; 6 minutes
	$(ACTIVATE) && pytest -m faults

verify: setup  ## are the results, here and in DVC's cache, what dvc.lock says? reads every byte
	@$(ACTIVATE) && python verify.py

bench: setup  ## the notebook's way against this one: benchmarks/results.md, in half an hour
	$(ACTIVATE) && python -m benchmarks.bench $(ARGS)

rounding: setup  ## how far another order of sums moves the metrics: benchmarks/rounding.md
	$(ACTIVATE) && python -m benchmarks.rounding

readme: setup  ## the tables of README.md from metrics/ and benchmarks/
	$(ACTIVATE) && python readme.py

check-lock: setup  ## is dvc.lock current? needs neither data nor models
	@$(ACTIVATE) && dry="$$(dvc repro --allow-missing --dry)" && case "$$dry" in \
		*"Running stage"*) echo "$$dry"; echo "run dvc repro and commit the result" >&2; exit 1;; esac

BASE ?= main
review: setup  ## the workspace against BASE: make review BASE=main ARGS="--fail-on worse"
	@$(ACTIVATE) && python review.py $(BASE) $(ARGS)

URL ?= $(error say where: make remote URL=s3://bucket/path, URL=ssh://user@host/path or URL=/folder)
remote: setup  ## the cache shared through a DVC remote; then commit .dvc/config and dvc push
	@$(ACTIVATE) && dvc remote add --default --force storage "$(URL)" && \
		dvc remote modify storage verify true
