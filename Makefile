# make demo: everything from nothing to a binary for the NPU.
# make quick: while at work.  make test: before a commit.  make test-all: the slow tests too.
# make cover: what no test runs.  make docs: the site, in docs/_build.
# make fuzz: damaged files, COUNT=20000 of each KIND (onnx, pt2, keras, ... or all), for SECONDS=1800.
# make kills: COMMAND=deploy (or all), ended by SIGNAL=SIGINT (or all) at COUNT=200 moments of its life.
# make release-check: the packages in dist, tried out.
# make lock: requirements/tested.txt, of what is installed.  make licences: of the core.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# CONSTRAINTS=requirements/tested.txt: the versions that were tested, of all that pyproject.toml allows.
CONSTRAINTS ?=
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check $(addprefix --constraint ,$(CONSTRAINTS))
# Where Python is told to keep no bytecode, each of the tests' processes would compile all of it.
unexport PYTHONDONTWRITEBYTECODE
# A warning is an error: a link that leads nowhere, a name that does not exist.
SITE := $(BIN)/python -m sphinx -q -W --keep-going -d docs/_build/.doctrees docs docs/_build

# NumPy 2.2, the last for Python 3.10, wants parameters that newer ones have defaults for.
TYPES := $(BIN)/python -c 'import sys; sys.exit(sys.version_info >= (3, 11))' || $(BIN)/mypy

# Neighbours stay on one worker as long as it has work: they share what their modules make.
# One more than there are cores: tests wait for processes, and for browsers.
PYTEST := $(BIN)/pytest -n $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1) --dist worksteal
# Rooms that need no TensorFlow, or little.
QUICK := $(addprefix tests/,npu compilation tflite test_rooms.py test_docs.py test_dependencies.py)

.PHONY: demo quick test test-all cover fuzz kills docs release-check zoo keras-names onnx-forms lock licences bench clean

demo: $(VENV)/.installed
	$(BIN)/unspool mnist

# The long tails too: every case of docs/supported.md at 33 steps, in int8 and int16; training in
# TensorFlow's graphs; damaged files by the thousand.
test-all: $(VENV)/.installed-test
	$(PYTEST) -m 'slow or not slow'

quick: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(PYTEST) $(QUICK)

test: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(TYPES)
	$(BIN)/codespell
	$(SITE)
	$(PYTEST)

# Lines and branches of src/unspool that no test runs, other processes included; less than 95 % fails.
cover: $(VENV)/.installed-test
	$(PYTEST) --cov

# Files that are damaged or made to do harm; faulty ones are kept in fuzz-out.
COUNT ?= 20000
SECONDS ?= 1800
KIND ?= all
SEED ?= 0
fuzz: $(VENV)/.installed-test
	PYTHONPATH=tests $(BIN)/python -m fuzz --kind $(KIND) --count $(COUNT) --seconds $(SECONDS) --seed $(SEED)

# Commands that are interrupted and killed; of each command and signal some ten minutes, and more.
COMMAND ?= all
SIGNAL ?= all
kills: COUNT = 200
kills: $(VENV)/.installed-test
	PYTHONPATH=tests $(BIN)/python -m kills --command $(COMMAND) --signal $(SIGNAL) --count $(COUNT) --seed $(SEED)

docs: $(VENV)/.installed-test
	$(SITE)
	@echo "the site: docs/_build/index.html"

# Before a tag: sdist and wheel in dist, looked at by twine, and the wheel used where nothing else is.
release-check: $(VENV)/.installed-release
	rm -rf build dist
	$(BIN)/python -m build
	$(BIN)/twine check --strict dist/*
	.ci/release-check $(BIN)/python

# What becomes of networks as people publish them: docs/zoo.md. Hours; it goes on where it stopped.
zoo: $(VENV)/.installed
	PYTHONPATH=tests $(BIN)/python -m zoo

# Each layer and function that Keras exports, tried alone: docs/keras.md. Some minutes.
keras-names: $(VENV)/.installed-test
	PYTHONPATH=tests $(BIN)/python -m keras_names

# What becomes of each of ONNX's operators: docs/onnx.md. About a minute.
onnx-forms: $(VENV)/.installed-test
	PYTHONPATH=tests $(BIN)/python -m onnx_forms

# On Python 3.11. From the newest that pyproject.toml allows: make clean test lock.
lock: $(VENV)/.installed-test
	PYTHONPATH=tests $(BIN)/python -m locked

# What all that the core brings along is licensed under; a test knows which licences are compatible.
licences: $(VENV)/.installed-test
	PYTHONPATH=tests $(BIN)/python -m licences

bench: $(VENV)/.installed
	$(BIN)/python bench/bench.py

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	@echo "installing Unspool into $(VENV): 1.6 GB, a minute or two"
	$(PIP) --editable .
	@touch $@

$(VENV)/.installed-test: pyproject.toml | $(BIN)/python
	@echo "installing Unspool and its test tools into $(VENV): 1.6 GB, a minute or two"
	$(PIP) --editable '.[test,docs,examples]'
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-release: pyproject.toml | $(BIN)/python
	$(PIP) --editable '.[release]'
	@touch $@ $(VENV)/.installed

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' || { \
		echo "$(PYTHON) is `$(PYTHON) --version 2>&1`, but Unspool needs Python 3.10 to 3.13:" \
		"make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)

clean:
	rm -rf $(VENV) build dist unspool-out unspool-compressed bench-out zoo-out fuzz-out docs/_build
