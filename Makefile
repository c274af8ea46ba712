# 'make demo' and 'make test' need nothing but Python 3.11 or newer and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOWEST := $(VENV)-lowest
DEMO := demo
# Takes two thirds as long again; 'make test-all COVERAGE=' does without.
COVERAGE ?= --cov --cov-report=term:skip-covered

.PHONY: demo test test-all test-lowest check format bench clean

demo: $(VENV)/.installed
	$(BIN)/tartarus init $(DEMO) --example
	$(BIN)/tartarus run cold_multi a-sem-emb audio-emb --baselines --workspace $(DEMO)
	@echo "To go on: . $(BIN)/activate && cd $(DEMO)"

test: $(VENV)/.installed-dev
	$(BIN)/pytest -n auto --dist worksteal -m "not slow"

test-all: $(VENV)/.installed-dev
	$(BIN)/pytest -n auto --dist worksteal $(COVERAGE)

# With the oldest versions that pyproject.toml allows; PYTHON should be the oldest one too.
test-lowest:
	$(PYTHON) -m venv --clear $(LOWEST)
	$(LOWEST)/bin/pip install --quiet --disable-pip-version-check uv
	$(LOWEST)/bin/uv pip install --quiet --python $(LOWEST)/bin/python --resolution lowest-direct --compile-bytecode --editable '.[dev]'
	$(LOWEST)/bin/pytest -n auto --dist worksteal

check: $(VENV)/.installed-dev
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.installed-dev
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

bench: $(VENV)/.installed-dev
	$(BIN)/python -m tests.benchmarks.training
	$(BIN)/python -m tests.benchmarks.two_tower
	$(BIN)/python -m tests.benchmarks.cold_presets
	$(BIN)/python -m tests.benchmarks.convolutions
	$(BIN)/python -m tests.benchmarks.patches
	$(BIN)/python -m tests.benchmarks.patches_memory
	$(BIN)/python -m tests.benchmarks.patch_training
	$(BIN)/python -m tests.benchmarks.kill_patches
	$(BIN)/python -m tests.benchmarks.evaluation
	$(BIN)/python -m tests.benchmarks.split --rows 2000000
	$(BIN)/python -m tests.benchmarks.factorize
	$(BIN)/python -m tests.benchmarks.start_up
	$(BIN)/python -m tests.benchmarks.text

clean:
	rm -rf $(VENV) $(LOWEST) $(DEMO) build dist

$(BIN)/pip:
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; name one: make PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(BIN)/pip
	$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/.installed-dev: pyproject.toml | $(BIN)/pip
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@ $(VENV)/.installed
