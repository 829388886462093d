# Wherry: `make up` gives a cluster, `make test` runs every test. Nothing else is needed first.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := containerd runc containernetworking-plugins iptables conntrack iproute2
TEST_PACKAGES := wrk
# Each file's tests stay together, so that what a file makes once is made once. What measures, and what
# drives the one machine's containers, runs alone: `make test`.
QUICK := $(BIN)/pytest -m "not cluster and not slow" -n auto --dist loadfile
STAMP := $(VENV)/.installed

.PHONY: help up down check test quick bench format tools packages test-packages clean

help:  ## Show what can be made.
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 12

up: packages $(STAMP) tools  ## Install what is missing, start a cluster, wait until its node is Ready.
	@$(BIN)/wherry up

down:  ## Stop all clusters; no process, container, mount, interface or rule stays.
	@if [ -x $(BIN)/wherry ]; then $(BIN)/wherry down --all; fi

check: $(STAMP)  ## Formatting, lint, types, import contracts.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: packages test-packages $(STAMP) tools  ## Every test, those with real containers too.
	$(QUICK)
	$(BIN)/pytest -m "cluster or slow"

quick: $(STAMP)  ## The quick tests on all cores: no root, no containers, no processes.
	$(QUICK)

bench: packages test-packages $(STAMP) tools  ## Measure start, memory, requests per second.
	$(BIN)/python -m bench

format: $(STAMP)  ## Format the code.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

tools: $(STAMP)  ## Fetch kubectl and helm into ~/.cache/wherry/tools.
	@$(BIN)/python -m tools.fetch_clients

packages:
	@tools/install_packages.sh $(PACKAGES)

test-packages:
	@tools/install_packages.sh $(TEST_PACKAGES)

$(STAMP): pyproject.toml
	@command -v $(PYTHON) >/dev/null || tools/install_packages.sh python3
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || tools/install_packages.sh python3-venv
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "* Installing Wherry and its dependencies into $(VENV)"
	@$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]' 2>&1 | { grep -vE '^WARNING: ' || true; }
	@touch $(STAMP)

clean:  ## Remove what was built.
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache
