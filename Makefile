# The product's commands. Everything runs from .venv, which is made on first use.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# What tests run with: make test RUN=".venv/bin/coverage run --append" counts what they reach.
RUN := $(BIN)/python
STAMP := $(VENV)/.installed

.PHONY: help demo test chaos lint check format lab-up lab-down clean

help:
	@echo "make demo      fresh machine to a finished batch"
	@echo "make test      fresh machine to a finished test run (everything that can run here)"
	@echo "make chaos     at least 1000 kill -9s, other faults, a check that nothing was lost or repeated (1 h)"
	@echo "make lint      format, lint, types"
	@echo "make check     the same, and all tests that need no lab, with coverage"
	@echo "make lab-up    a real Asterisk lab on 127.0.0.1 (root, debootstrap)"
	@echo "make lab-down  end it"
	@echo "make clean     remove what was made here"

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or later is needed; say which with make PYTHON=/path/to/python3.11"; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable . --group dev
	@touch $@

demo: $(STAMP)
	$(BIN)/dialer demo

# The laws of the tree and the pure tests (under 10 s) first, then what needs files, sockets or the lab.
test: $(STAMP)
	$(RUN) -m pytest -q tests/laws
	$(RUN) -m pytest -q -m "not io" tests/unit
	$(RUN) -m pytest -q -m io tests/unit
	$(RUN) -m pytest -q tests/conformance tests/acceptance
	$(BIN)/python -m pytest -q tests/properties tests/openapi tests/chaos tests/lab

# CHAOS="--kills 100 --lab-kills 0 --seed 7" for another campaign.
chaos: $(STAMP)
	$(BIN)/python -m chaos $(CHAOS)

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

check: lint
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -q tests/laws tests/unit tests/conformance tests/acceptance -m "not lab"
	$(BIN)/coverage report

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lab-up:
	lab/up

lab-down:
	lab/down

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
