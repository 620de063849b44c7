# One word each. Everything is installed into .venv; nothing is installed globally.
PYTHON ?= python3
BIN := .venv/bin
UV := UV_PROJECT_ENVIRONMENT=.venv $(BIN)/uv
UV_VERSION := 0.13.9
READY := .venv/.ready
INPUT ?= examples/spam/messages.jsonl
# Most of the tests' time is waiting for real processes, so that four at once fit two cores.
JOBS ?= 4

.DEFAULT_GOAL := help
.PHONY: help setup check test fuzz coverage demo bench growth soak docs serve lock clean

help:  ## Show the commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/'

# uv.lock holds versions and hashes but names no download host (CONTRIBUTING.md says why), so it is read with
# `uv export` and installed, hashes checked, from whatever index this machine is set up for.
$(READY): uv.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Hotplane needs Python 3.11 or newer; say which with make PYTHON=python3.11")'
	@echo "Setting up .venv (once) …"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@$(UV) export --quiet --frozen --all-extras --all-groups --no-emit-project --format requirements-txt -o .venv/requirements.txt
	@$(UV) pip sync --quiet --require-hashes .venv/requirements.txt
	@$(UV) pip install --quiet --no-deps --editable .
	@touch $@

setup: $(READY)  ## Make .venv with everything the project needs

check: $(READY)  ## Formatting, lint, types, layers
	@$(BIN)/ruff format --check --quiet . || { echo "Run: $(BIN)/ruff format ."; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/pyright --warnings
	@$(BIN)/lint-imports --no-logo

test: $(READY)  ## The whole test suite (JOBS=1 for one test after the other)
	@$(BIN)/pytest -n $(JOBS) --dist worksteal

fuzz: $(READY)  ## The property tests with 2 000 examples each, others each time (two minutes)
	@$(BIN)/pytest -n $(JOBS) --dist worksteal -m hypothesis -p tests.thorough --hypothesis-profile=thorough -o timeout=900

coverage: $(READY)  ## Lines and branches of the inner rooms that their tests run, at least 95 % (a quarter of an hour)
	@$(BIN)/python -m tests.rooms $(if $(MISSING),--missing)

demo: $(READY)  ## Run real messages through a real server (INPUT=path.jsonl for your own)
	@$(BIN)/python -m examples.demo $(INPUT)

bench: $(READY)  ## Measure against the peers, in one run, and write docs/reference/benchmarks.md (QUICK=1: fewer rounds, prints only)
	@$(BIN)/python -m benchmarks $(if $(QUICK),--quick,--write)

growth: $(READY)  ## Measure how cost grows with work and plugins, and write the figures of docs/explanation/cost.md
	@$(BIN)/python -m benchmarks.growth --write
	@$(BIN)/python -m benchmarks.stages --write

soak: $(READY)  ## Mixed load while everything breaks, then the accounts (MINUTES=2; KILL_HOST=1 also kills the host)
	@$(BIN)/python -m benchmarks.soak --minutes $(or $(MINUTES),2) $(if $(KILL_HOST),--kill-host)

docs: $(READY)  ## Build the documentation into docs/_build/html, warnings as errors
	@$(BIN)/sphinx-build -W --keep-going -n -q -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

serve: $(READY)  ## Serve the example on http://127.0.0.1:3000
	@$(BIN)/hotplane serve --config examples/spam/hotplane.yaml

lock: .venv/bin/uv  ## Resolve the dependencies anew; uv.lock is written without hosts
	@rm -f uv.lock
	@$(UV) lock --quiet
	@sed -i -E 's#"https://[^/"]+/#"https://index.invalid/#g' uv.lock

.venv/bin/uv:
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

clean:  ## Remove what was built
	@rm -rf .venv docs/_build dist .pytest_cache .ruff_cache .hypothesis
