# `make help` lists the targets. Requires Python 3.13 and make; everything else is installed into the checkout.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PORT ?= 3000
RESET ?=
WITH ?=
ARCH ?= arm64
MINUTES ?= 10
RACES ?= 10000
REQUESTS ?= 100000
SEED ?= 1
MUTANTS ?= 20

# Programs on PATH may be shims of a version manager, which work in some folders and fail in others. So this finds the
# programs behind the shims once, including versions that pyenv has installed but doesn't activate in this folder.
# A virtual environment's Python stands for the one that it was made from, which stays when the environment is deleted.
PYENV := $(or $(PYENV_ROOT),$(HOME)/.pyenv)/versions
PYTHON3 := $(shell for p in python3.13 python3 $(wildcard $(PYENV)/3.13*/bin/python3.13); do "$$p" -c 'import sys; sys.version_info[:2] != (3, 13) and sys.exit(1); print(sys._base_executable)' 2>/dev/null && break; done)
UV := $(or $(shell for u in uv $(wildcard $(PYENV)/*/bin/uv); do "$$u" run --quiet --no-project --no-config --offline $(if $(PYTHON3),--python "$(PYTHON3)") -- printenv UV 2>/dev/null && break; done),.uv/bin/uv)
RUN := .venv/bin
# A Ctrl-C while Python itself starts waits until the command handles it. Python would print a stack trace.
START := $(shell env --block-signal=INT true 2>/dev/null && echo "env --block-signal=INT")
# tests/plugins/distribution.py says how many workers there are. In T, `-n 0` runs the tests in one process.
PYTEST := $(RUN)/pytest -n auto --maxprocesses 8 --dist loadgroup -p tests.plugins.distribution -p tests.plugins.leftovers
export UV
export UV_PYTHON := $(PYTHON3)
# Tests start many processes: without bytecode, each of them compiles everything it imports.
export PYTHONDONTWRITEBYTECODE :=
export PATH := $(CURDIR)/.venv/bin:$(CURDIR)/.uv/bin:$(PATH)

.PHONY: help dev serve shell test test-unit check build deploy bench fuzz races schema mutate docs fmt clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.uv/bin/uv:
	@test -n "$(PYTHON3)" || { echo "Python 3.13 is needed: install it, or put its python3.13 on PATH" >&2; exit 1; }
	@echo "installing uv into .uv/"
	@$(PYTHON3) -m venv .uv && .uv/bin/pip install --quiet --disable-pip-version-check 'uv>=0.13,<1'

.PHONY: stack tools
# Install the packages that run the product. `--inexact` keeps the packages of `tools`.
stack: $(filter .uv/bin/uv,$(UV))
	@$(UV) sync --quiet --frozen --inexact --no-default-groups --extra cli --extra container
# Install the packages for checks and tests too. `--inexact` keeps the packages of `fuzz`.
tools: $(filter .uv/bin/uv,$(UV))
	@$(UV) sync --quiet --frozen --inexact --all-extras

dev: stack ## Run everything locally (PORT=3000, RESET=1 to start over, WITH=template.yaml of a guarded stack)
	@exec $(START) $(RUN)/tenantgate dev --port $(PORT) $(if $(RESET),--reset) $(if $(WITH),--with $(WITH))

serve: stack ## Run the container's application locally, without an image (PORT=3000)
	@exec $(START) $(RUN)/tenantgate serve --port $(PORT)

shell: stack ## Open your shell with `tenantgate` as a command
	@exec $(RUN)/python -m tenantgate_cli.commands.shell

test: tools ## Run all tests, and measure branch coverage (T='-k name' for some tests, without coverage)
	@$(PYTEST) $(if $(T),$(T),-p tests.plugins.measured)

test-unit: tools ## Run the unit tests (T='-k name' for some)
	@$(PYTEST) tests/unit $(T)

check: tools ## Check style, types, imports, structure, generated docs, prose and templates
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy
	$(RUN)/lint-imports
	$(RUN)/python -m tenantgate_cli.checks.structure
	$(RUN)/tenantgate docs --check
	$(RUN)/python -m tenantgate_cli.checks.prose
	$(RUN)/python -m tenantgate_cli.commands.sam validate
	$(RUN)/python -m tenantgate_cli.commands.scan

build: stack ## Build layer and functions into .aws-sam/build (ARCH=arm64 or x86_64)
	@$(RUN)/python -m tenantgate_cli.commands.sam build --arch $(ARCH)

deploy: stack ## Build, check and deploy to AWS, and test the deployment (ENV=dev, staging or prod; PARAMS=file; DRY=1)
	@$(RUN)/python -m tenantgate_cli.commands.deploy $(or $(ENV),$(error ENV is missing: make deploy ENV=dev, staging or prod)) --arch $(ARCH) $(if $(PARAMS),--params $(PARAMS)) $(if $(DRY),--dry-run)

bench: tools ## Run the benchmarks and write the figures into docs/PERFORMANCE.md
	@$(RUN)/python -m benchmarks

fuzz: tools ## Fuzz everything that reads untrusted input, and log the run in docs/fuzzing/LOG.md (MINUTES=10)
	@$(UV) sync --quiet --frozen --inexact --all-extras --group fuzz || echo "atheris is not available here: only the differential run"
	@$(RUN)/python -m fuzz all --minutes $(MINUTES)

races: tools ## Race refreshes of one session, and log the run in docs/races/LOG.md (RACES=10000)
	@$(RUN)/python -m races --races $(RACES)

schema: tools ## Send generated requests to every route, and log the run in docs/schema/LOG.md (REQUESTS=100000, SEED=1)
	@$(RUN)/python -m tests.functional.schema.campaign --requests $(REQUESTS) --seed $(SEED)

mutate: tools ## Run mutation tests of the security core, and write the table in docs/mutation/ (SEED=1, MUTANTS=20 per module)
	@$(RUN)/python -m mutation --seed $(SEED) --size $(MUTANTS)

docs: tools ## Write the generated docs
	@$(RUN)/tenantgate docs

fmt: tools ## Format the code and fix what ruff can fix
	$(RUN)/ruff check --fix-only --quiet .
	$(RUN)/ruff format .

clean: ## Remove everything that was installed or created here, including the data in .local/
	rm -rf .venv .uv .local .aws-sam .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage .coverage.*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
