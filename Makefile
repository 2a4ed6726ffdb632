# `make verify` and `make test` need Python >= 3.11 and make; everything else they set up themselves, in $(VENV).

VENV   ?= .venv
PIP    ?= pip==26.3
OUT    ?= out

# The first Python >= 3.11 on the path; `make PYTHON=/path/to/python test` takes another.
NEW_ENOUGH := -c 'import sys; sys.exit(sys.version_info < (3, 11))'
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$python $(NEW_ENOUGH) >/dev/null 2>&1 && { echo $$python; break; }; done)

BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# The matrices are small: threads wait for each other, on a busy machine ten times longer than they compute.
export OMP_NUM_THREADS ?= 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help verify proofs test lint types doctest unit soak fuzz docs examples benchmarks clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

verify: $(VENV)/.package  ## check every claim of the theory (budget quick); the report goes to out/report.html
	$(BIN)/ntp-theory verify --budget quick --out $(OUT)

proofs: $(VENV)/.package  ## decide every statement of the theory by computation
	$(BIN)/python -m proofs_check

test: lint types doctest unit  ## the next four: lint, types, doctest, unit

lint: $(VENV)/.dev  ## style and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev  ## strict type check of the package
	$(BIN)/mypy

doctest: $(VENV)/.dev  ## the examples in the docstrings
	$(BIN)/python -m pytest -q --doctest-modules ntp_theory proofs_check/kit proofs_check/statement.py proofs_check/registry.py proofs_check/citations.py

# HYPOTHESIS_PROFILE=ci repeats the same examples every time; HYPOTHESIS_PROFILE=exhaustive tries many more.
unit: $(VENV)/.dev  ## the tests, the commands and the example of the README among them
	$(BIN)/python -m pytest -q -n 2

soak: $(VENV)/.package  ## 10,000 drawn problems against exact proofs (an hour); goes on where it was stopped
	$(BIN)/python -m tests.hardening.soak --problems 10000 --out $(OUT)/soak.jsonl --figures tests/hardening/soak.json

fuzz: $(VENV)/.fuzz  ## coverage-guided fuzzing of the readers of files, two minutes each
	$(BIN)/python -m tests.hardening.fuzz --seconds 120 --corpus $(OUT)/fuzz --figures tests/hardening/fuzz.json

docs: $(VENV)/.docs  ## the documentation, warnings as errors, in docs/_build/html
	$(BIN)/sphinx-build -W --keep-going -b html docs docs/_build/html

examples: $(VENV)/.package  ## every script under examples/
	@set -e; for script in examples/*/[!_]*.py; do echo "$$script"; $(BIN)/python "$$script"; done

benchmarks: $(VENV)/.benchmarks  ## measure what benchmarks/svm/results.jsonl lacks (hours if all), write docs/benchmarks.md
	$(BIN)/python -m benchmarks.svm

clean:  ## remove what the targets wrote, the environment included
	rm -rf $(VENV) $(OUT) build dist docs/_build docs/_generated docs/jupyter_execute
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis

# Set-up. A stamp is newer than the files that say what to install, or the install runs again.
INSTALL = $(BIN)/python -m pip install --quiet --constraint constraints.txt

$(VENV)/.package: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" && $(PYTHON) $(NEW_ENOUGH) || \
		{ echo "error: no Python >= 3.11 found; install one, or name it: make PYTHON=/path/to/python" >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet '$(PIP)'
	$(INSTALL) --editable '.[exact,text]'
	@touch $@

$(VENV)/.dev $(VENV)/.docs $(VENV)/.benchmarks $(VENV)/.fuzz: $(VENV)/.%: $(VENV)/.package
	$(INSTALL) --group $*
	@touch $@
