# One word each: setup, check, test, demo, bench, docs, serve. Everything lives in .venv; nothing is installed globally.
PYTHON ?= python3
BIN := .venv/bin
UV := UV_PROJECT_ENVIRONMENT=.venv $(BIN)/uv
READY := .venv/.ready
UV_VERSION := 0.13.9

.DEFAULT_GOAL := help
.PHONY: help setup check test demo bench docs serve lock clean

help:  ## Show the commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/'

# uv.lock holds versions and hashes but no download host (see CONTRIBUTING.md), so it is read by
# `uv export` and installed, hashes checked, from whatever index this machine is set up for.
$(READY): uv.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@$(UV) export --quiet --frozen --all-extras --all-groups --no-emit-project --format requirements-txt -o .venv/requirements.txt
	@$(UV) pip sync --quiet --require-hashes .venv/requirements.txt
	@$(UV) pip install --quiet --no-deps --editable .
	@touch $@

setup: $(READY)  ## Make .venv with everything the project needs

lock:  ## Resolve the dependencies anew and write uv.lock without hosts
	@rm -f uv.lock && $(UV) lock && sed -i -E 's#"https://[^/"]+/#"https://index.invalid/#g' uv.lock
