# One environment for everything: made once, then reused until what it is made of changes.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PEERS := benchmarks/.peers
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: lesson lab test bench clean help

help:
	@echo "make lesson   the whole lesson as one page, lesson.html"
	@echo "make lab      the live page: move a slider, watch the descent move"
	@echo "make test     lint, types and tests: what CI runs"
	@echo "make bench    every speed claim, measured here, into benchmarks/RESULTS.md"
	@echo "make clean    remove the environment and what was made with it"

lesson: $(VENV)/run.stamp
	@$(BIN)/thalweg lesson --out lesson.html

lab: $(VENV)/run.stamp
	@$(BIN)/thalweg lab

test: $(VENV)/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -n 2 --dist worksteal

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

# The peers that claims are measured against, in an environment of their own.
$(PEERS)/peers.stamp: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/pip install --quiet --constraint constraints.txt pip
	$(PEERS)/bin/pip install --quiet --constraint constraints.txt --editable '.[torch,sklearn]' --group bench
	@touch $@

clean:
	rm -rf $(VENV) $(PEERS) lesson.html dist build .mypy_cache .ruff_cache .pytest_cache
