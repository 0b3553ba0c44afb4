# make help lists the targets. Everything runs in .venv, which the first target makes from the lock files.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PEERS  := .venv-bench
SWEEPS := tests/night/test_every_fault.py tests/google/test_google_reader.py tests/microsoft/test_microsoft365_faults.py tests/active_directory tests/contract/test_killed.py tests/hr_api tests/hr_scim

# Tests, and the command line in them, are started a thousand times: what Python has compiled is kept.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test check fix fuzz sweep bench kills live lock clean

help:           ## this list
	@grep -hE '^[a-z]+: .*##|^[a-z]+:.*  +##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 10

demo: $(VENV)/.runs   ## two nights on an embedded company: no credentials, no network, no root (about a minute to set up, then ten seconds)
	@$(BIN)/reconciler demo .demo

test: $(VENV)/.tests  ## every test that needs no root (under three minutes on two cores)
	@echo "All tests that need no root: under three minutes on two cores."
	@$(BIN)/python -m pytest -n 3 --dist worksteal -m "not live"

check: $(VENV)/.tests ## style, types, import directions
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

fix: $(VENV)/.tests   ## let the formatter and the linter mend what they can
	@$(BIN)/ruff check --fix-only -q .
	@$(BIN)/ruff format -q .

bench: $(PEERS)/.peers ## time the night and the readers beside their peers, for docs/benchmarks.md (half an hour on a quiet machine; BENCHES=engine SIZE=100000: two minutes)
	@SIZE="$(SIZE)" ROUNDS="$(ROUNDS)" $(PEERS)/bin/python -m benchmarks $(BENCHES)

kills: $(VENV)/.tests ## an apply broken off at every call that leaves a trace, other people's edits, tamperings, for docs/benchmarks.md (hours; EVERY=50: at each fiftieth call, and no write-up)
	@EVERY="$(EVERY)" $(BIN)/python -m benchmarks edits kills

sweep: $(VENV)/.tests ## every kind of fault at every page of every listing, counted, for docs/benchmarks.md (twenty minutes on two quiet cores; SIZE=12: one in twelve)
	@SIZE="$(SIZE)" $(BIN)/python -m benchmarks faults

fuzz: $(VENV)/.tests  ## read bad rosters from a seed, CSV and workbooks (N=100000 files, SEED=20261122; some minutes; with a million or more for docs/benchmarks.md)
	@N="$(N)" SEED="$(SEED)" $(BIN)/python -m benchmarks fuzz

live: $(VENV)/.tests  ## against real parts, as root: a Samba domain controller, a browser, vendors' own clients; then the sweeps of faults (EVERY_FAULT=1: all)
	@$(BIN)/python -m pytest -m live tests/live
	@EVERY_FAULT=$(or $(EVERY_FAULT),12) $(BIN)/python -m pytest -n 2 --dist worksteal $(SWEEPS)

lock: $(VENV)/.tests  ## write the lock files anew from pyproject.toml (needs uv)
	uv pip compile -q pyproject.toml --universal --generate-hashes --python-version 3.11 --no-header -o requirements.lock
	uv pip compile -q pyproject.toml --extra dev --universal --generate-hashes --python-version 3.11 --no-header -o requirements-dev.lock

clean:          ## remove what make has made
	rm -rf $(VENV) $(PEERS) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache

# A Python without ensurepip (some distributions split it off) still makes a venv; its own pip then fills it.
$(VENV)/bin/python $(PEERS)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "identity-reconciler needs Python 3.11 or newer; run: make PYTHON=python3.12 …"; exit 1; }
	@echo "Setting up $(@:/bin/python=) from the lock file: about a minute, once."
	@$(PYTHON) -m venv $(@:/bin/python=) 2>/dev/null || $(PYTHON) -m venv --without-pip $(@:/bin/python=)

PIP = $(PYTHON) -m pip --python $(@D)/bin/python install -q --disable-pip-version-check

$(VENV)/.runs: requirements.lock pyproject.toml | $(VENV)/bin/python
	@$(PIP) --require-hashes -r requirements.lock
	@$(PIP) --no-deps -e .
	@touch $@

$(VENV)/.tests: requirements-dev.lock $(VENV)/.runs
	@$(PIP) --require-hashes -r requirements-dev.lock
	@touch $@

# The peers are in no lock: what cannot be had here (python-ldap needs a compiler and OpenLDAP's headers) is missing in the tables.
$(PEERS)/.peers: requirements.lock benchmarks/peers.txt | $(PEERS)/bin/python
	@echo "The peers come from the package index: two minutes and half a gigabyte, once."
	@$(PIP) --require-hashes -r requirements.lock
	@$(PIP) --no-deps -e .
	@while read -r peer; do $(PIP) "$$peer" 2>/dev/null || echo "$$peer cannot be had here; the bench goes on without it."; done < benchmarks/peers.txt
	@touch $@
