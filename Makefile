# Wherry: `make up` gives a cluster, `make test` runs every test. Nothing else is needed first.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := containerd runc containernetworking-plugins nftables iptables conntrack iproute2
TEST_PACKAGES := wrk jq curl
# Each file's tests stay together, so that what a file makes once is made once. What drives the one machine's
# containers runs alone: `make test`.
EACH := -n auto --dist loadfile
QUICK := -m "not cluster and not slow" $(EACH)
# Whatever the shell says: without compiled files each test process compiles and rewrites all tests anew.
unexport PYTHONDONTWRITEBYTECODE

# What running needs, and what working on Wherry needs: both are installed from the locked files, and
# again when one of these changed.
RUN := $(VENV)/.run
DEV := $(VENV)/.dev
LATEST := .venv-latest
DIST := dist
COMPILE := $(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes --no-header --python-version 3.11

.PHONY: help up root down check test quick latest chaos bench format lock audit tools kubectl dev install wheel \
	packages test-packages clean

help:  ## Show what can be made.
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 12

up: root packages $(RUN) kubectl  ## Install what is missing, start a cluster, wait until its node is Ready.
	@$(BIN)/wherry up
	@tools/say_path.sh $(BIN)

root:
	@tools/need_root.sh up "containers, interfaces and firewall rules"

down:  ## End every cluster of yours (as root: of root's); data is kept, nothing else stays.
	@if [ -x $(BIN)/wherry ]; then $(BIN)/wherry down --all; fi

check: $(DEV)  ## Formatting, lint, types, import contracts.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: packages test-packages $(DEV) tools  ## Every test, those with real containers too.
	$(BIN)/pytest $(QUICK)
	$(BIN)/pytest -m "slow and not cluster" $(EACH)
	$(BIN)/pytest -m cluster

quick: $(DEV)  ## The quick tests on all cores: no root, no containers, no processes.
	$(BIN)/pytest $(QUICK)

latest: $(RUN)  ## The quick tests against the newest of every dependency: are the ranges in pyproject.toml honest?
	$(PYTHON) -m venv --clear $(LATEST)
	$(BIN)/uv pip install --quiet --python $(LATEST) --upgrade -e '.[dev]'
	$(LATEST)/bin/pytest $(QUICK)

chaos: packages test-packages $(DEV) tools  ## Half an hour of random faults under load on a real cluster.
	$(BIN)/python -m tests.chaos --minutes $(or $(MINUTES),30)

bench: packages test-packages $(DEV) tools  ## Measure start, memory, requests per second.
	$(BIN)/python -m bench

format: $(DEV)  ## Format the code.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(RUN)  ## Lock the newest of every dependency that pyproject.toml allows, with hashes.
	$(COMPILE) requirements/install.in -o requirements/install.txt
	$(COMPILE) pyproject.toml -o requirements/run.txt
	$(COMPILE) pyproject.toml --extra dev -c requirements/run.txt -o requirements/dev.txt
	$(COMPILE) --no-deps requirements/clients.in -o requirements/clients.txt

audit: $(RUN)  ## Look the locked versions up among known vulnerabilities; asks pypi.org.
	$(BIN)/uvx --quiet pip-audit --disable-pip --require-hashes -r requirements/run.txt

tools: $(RUN)  ## Fetch kubectl and helm into ~/.cache/wherry/tools.
	@$(BIN)/python -m tools.fetch_clients

kubectl: $(RUN)
	@$(BIN)/python -m tools.fetch_clients --unless-on-path

dev: $(DEV)  ## Install what checks and tests need, and the descriptions of `kubectl explain`.

install: $(RUN)  ## Link `wherry` into /usr/local/bin (as root) or ~/.local/bin.
	@tools/link_command.sh $(BIN)/wherry

wheel: $(RUN)  ## Build a wheel into dist/.
	@$(BIN)/uv build --quiet --wheel --no-build-isolation --python $(BIN)/python --out-dir $(DIST)
	@ls $(DIST)/wherry-*.whl

packages:
	@tools/install_packages.sh $(PACKAGES)

test-packages:
	@tools/install_packages.sh $(TEST_PACKAGES)

$(RUN): pyproject.toml requirements/install.txt requirements/run.txt
	@command -v $(PYTHON) >/dev/null || tools/install_packages.sh python3
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || tools/install_packages.sh python3-venv
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@tools/progress.sh "Installing what installs into $(VENV)" $(BIN)/python -m pip install --quiet \
		--disable-pip-version-check --no-compile --require-hashes -r requirements/install.txt
	@tools/progress.sh "Installing what Wherry runs on" $(BIN)/uv pip install --quiet --python $(VENV) \
		--require-hashes -r requirements/run.txt
	@tools/progress.sh "Installing Wherry" $(BIN)/uv pip install --quiet --python $(VENV) \
		--no-deps --no-build-isolation -e .
	@touch $@

$(DEV): $(RUN) requirements/dev.txt
	@tools/progress.sh "Installing what checks and tests need into $(VENV)" $(BIN)/uv pip install --quiet \
		--python $(VENV) --require-hashes -r requirements/dev.txt
	@touch $@

clean:  ## Remove what was built.
	rm -rf $(VENV) $(LATEST) dist build .mypy_cache .ruff_cache
