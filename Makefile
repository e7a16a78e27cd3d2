# make demo: everything from nothing to a binary for the NPU.  make test: every test.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: demo test bench clean

demo: $(VENV)/.installed
	$(BIN)/unspool mnist

test: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -n auto

bench: $(VENV)/.installed
	$(BIN)/python bench/bench.py

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	@echo "installing Unspool into $(VENV): 1.6 GB, a minute or two"
	$(PIP) --editable .
	@touch $@

$(VENV)/.installed-test: pyproject.toml | $(BIN)/python
	@echo "installing Unspool and its test tools into $(VENV): 1.6 GB, a minute or two"
	$(PIP) --editable '.[test]'
	@touch $@ $(VENV)/.installed

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' || { \
		echo "$(PYTHON) is `$(PYTHON) --version 2>&1`, but Unspool needs Python 3.10 to 3.13:" \
		"make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)

clean:
	rm -rf $(VENV) unspool-out bench-out
