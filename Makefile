# Trainyard: everything starts here. `make demo` and `make test` work on a machine with Python and make.
PYTHON ?= python3
TORCH ?= torch==2.13.0
AT_ONCE ?= 2
VENV := .venv
BIN := $(VENV)/bin
TESTS_AT_ONCE := $(BIN)/python -m pytest -n $(AT_ONCE) --dist loadfile --no-loadscope-reorder
INSTALLED := $(VENV)/.installed

# Tests start hundreds of processes: what is compiled once, all of them begin with.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: install demo up test test-all lint format bench clean

install: $(INSTALLED)

# torch first and pinned: any looser request may bring gigabytes of CUDA libraries along.
$(INSTALLED): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "$(TORCH)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	touch $(INSTALLED)

demo: $(INSTALLED)
	$(BIN)/trainyard demo

up: $(INSTALLED)
	$(BIN)/trainyard up

test: $(INSTALLED)
	$(TESTS_AT_ONCE) -m "not slow"

test-all: test
	$(BIN)/python -m pytest -m slow

lint: $(INSTALLED)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/python tools/lengths.py
	$(BIN)/lint-imports
	$(BIN)/pyright
	$(BIN)/hadolint Dockerfile
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml

format: $(INSTALLED)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(INSTALLED)
	for script in benchmarks/*.py; do $(BIN)/python $$script || exit 1; done

clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache
