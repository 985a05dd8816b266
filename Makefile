# One environment for everything: made once, then reused until what it is made of changes.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PEERS := benchmarks/.peers
LOWEST := .venv-lowest
LOWEST_PYTHON ?= python3.11
SECONDS ?= 300
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: lesson lab test test-long test-lowest fuzz bench clean help

help:
	@echo "make lesson        the whole lesson as one page, lesson.html"
	@echo "make lab           the live page: move a slider, watch the descent move"
	@echo "make test          lint, types and tests: what CI runs"
	@echo "make test-long     the tests that take long"
	@echo "make test-lowest   each dependency used once, in the lowest version that is allowed"
	@echo "make fuzz          the generated tests with new examples, for SECONDS=$(SECONDS)"
	@echo "make bench         every speed claim, measured here, into benchmarks/RESULTS.md"
	@echo "make clean         remove the environments and what was made with them"

lesson: $(VENV)/run.stamp
	@$(BIN)/thalweg lesson --out lesson.html

lab: $(VENV)/run.stamp
	@$(BIN)/thalweg lab

test: $(VENV)/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -n 2 --dist worksteal -m 'not long'

# Pytest ends with 5 where no test is marked: then there is nothing to run, and nothing wrong.
test-long: $(VENV)/test.stamp
	$(BIN)/pytest -n 2 --dist worksteal -m long || test $$? -eq 5

# What this environment compiles is not for the other's Numba.
test-lowest: $(LOWEST)/stamp
	NUMBA_CACHE_DIR=$(CURDIR)/$(LOWEST)/numba $(LOWEST)/bin/pytest tests/test_smoke.py

fuzz: $(VENV)/test.stamp
	$(BIN)/python tests/fuzz.py $(SECONDS)

bench: $(PEERS)/peers.stamp
	$(PEERS)/bin/python -m benchmarks

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Thalweg needs Python 3.11 or newer; '$(PYTHON)' is older. Name another: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "Installing into $(VENV) (once; a minute or two)"
	$(BIN)/pip install --quiet --constraint constraints.txt pip
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[torch,sklearn]'
	@touch $@

$(VENV)/test.stamp: $(VENV)/run.stamp
	$(BIN)/pip install --quiet --constraint constraints.txt --group test
	@touch $@

$(LOWEST)/stamp: pyproject.toml constraints-lowest.txt
	$(LOWEST_PYTHON) -m venv --clear $(LOWEST)
	$(LOWEST)/bin/pip install --quiet --constraint constraints-lowest.txt --editable '.[sklearn]' pytest hypothesis
	@touch $@

# The peers that claims are measured against, in an environment of their own.
$(PEERS)/peers.stamp: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/pip install --quiet --constraint constraints.txt pip
	$(PEERS)/bin/pip install --quiet --constraint constraints.txt --editable '.[torch,sklearn]' --group bench
	@touch $@

clean:
	rm -rf $(VENV) $(LOWEST) $(PEERS) lesson.html dist build .mypy_cache .ruff_cache .pytest_cache
