# make help lists the targets. Everything runs in .venv, which the first target makes from the lock files.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help demo test check fix fuzz bench live lock clean

help:           ## this list
	@grep -hE '^[a-z]+: .*##|^[a-z]+:.*  +##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 10

demo: $(VENV)/.runs   ## two nights on an embedded company: no credentials, no network, no root (about a minute to set up, then ten seconds)
	@$(BIN)/reconciler demo .demo

test: $(VENV)/.tests  ## every test that needs no root (under 3 minutes on two cores)
	@echo "All tests that need no root: under 3 minutes on two cores."
	@$(BIN)/python -m pytest -n 2 -m "not live"

check: $(VENV)/.tests ## style, types, import directions
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

fix: $(VENV)/.tests   ## let the formatter and the linter mend what they can
	@$(BIN)/ruff check --fix-only -q .
	@$(BIN)/ruff format -q .

fuzz: $(VENV)/.tests  ## read bad rosters from a seed, CSV and workbooks (N=100000 files, SEED=20261122; some minutes)
	@$(BIN)/python -m tests.hr_file.fuzz $(or $(N),100000) $(or $(SEED),20261122)

bench: $(VENV)/.tests ## time the engine's night on a generated company (SIZE=100000 people takes a minute)
	@$(BIN)/python -m benchmarks $(or $(SIZE),100000)

live: $(VENV)/.tests  ## against real parts, as root: a Samba domain controller, a browser, vendors' own clients
	@$(BIN)/python -m pytest -m live tests/live

lock: $(VENV)/.tests  ## write the lock files anew from pyproject.toml (needs uv)
	uv pip compile -q pyproject.toml --universal --generate-hashes --python-version 3.11 --no-header -o requirements.lock
	uv pip compile -q pyproject.toml --extra dev --universal --generate-hashes --python-version 3.11 --no-header -o requirements-dev.lock

clean:          ## remove what make has made
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache

# A Python without ensurepip (some distributions split it off) still makes a venv; its own pip then fills it.
$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "identity-reconciler needs Python 3.11 or newer; run: make PYTHON=python3.12 …"; exit 1; }
	@echo "Setting up $(VENV) from the lock file: about a minute, once."
	@$(PYTHON) -m venv $(VENV) 2>/dev/null || $(PYTHON) -m venv --without-pip $(VENV)

PIP = $(PYTHON) -m pip --python $(BIN)/python install -q --disable-pip-version-check

$(VENV)/.runs: requirements.lock pyproject.toml | $(VENV)/bin/python
	@$(PIP) --require-hashes -r requirements.lock
	@$(PIP) --no-deps -e .
	@touch $@

$(VENV)/.tests: requirements-dev.lock $(VENV)/.runs
	@$(PIP) --require-hashes -r requirements-dev.lock
	@touch $@
