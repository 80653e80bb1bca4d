# Every target does its own set-up; `make` alone lists them.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-long bench lint lock secrets clean

VENV := .venv
PY := $(VENV)/bin/python
LINTED := manage.py store catalog licensing payments transcoding tests $(wildcard benchmarks)

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "make %-9s %s\n", $$1, $$2}'

setup: $(VENV)/.ready ## make the virtual environment with everything the store runs on

# The newest Python that has pip and that every dependency has wheels for. Debian leaves ensurepip out of its Python,
# so the environment is made without pip and filled from outside.
PYTHON = $(firstword $(foreach name,python3.13 python3.12 python3.11 python3,$(shell \
	$(name) -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(name))))
INSTALL = $(PYTHON) -m pip --python $(PY) install --quiet --disable-pip-version-check --require-hashes

$(VENV)/.ready: requirements.lock
	@if [ -z "$(PYTHON)" ]; then \
		echo "Clearsong needs Python 3.11 or newer with pip (on Debian: apt-get install python3-pip)." >&2; exit 1; fi
	@$(PY) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ rm -rf $(VENV) && $(PYTHON) -m venv --without-pip $(VENV); }
	@echo "Installing the locked packages into $(VENV); this takes a minute the first time."
	@$(INSTALL) -r requirements.lock
	@touch $@

$(VENV)/.ready-dev: $(VENV)/.ready requirements-dev.lock
	@echo "Installing the locked packages for development."
	@$(INSTALL) -r requirements-dev.lock
	@touch $@

# FOLDER=path   sell that folder of recordings instead of the demo catalogue
# SERVE=no      end after the main job instead of serving the shop
# REPORT=file   write what happened as JSON
# PORT=n        serve on another port than 8000
# OWN_WORKS=no  with FOLDER: the label does not declare that the compositions are the performers' own
demo: setup ## run the main job before your eyes, then serve the shop (FOLDER= SERVE=no REPORT= PORT=)
	@exec $(PY) -m store.demo $(if $(FOLDER),--folder "$(FOLDER)") $(if $(filter no,$(SERVE)),--no-serve) \
		$(if $(REPORT),--report "$(REPORT)") $(if $(PORT),--port "$(PORT)") \
		$(if $(filter no,$(OWN_WORKS)),--no-own-works)

# TESTS=path    run only these
test: $(VENV)/.ready-dev chromium ## run the whole suite, browser tests included (TESTS=path for some)
	@exec $(PY) -m pytest -n 2 $(TESTS)

test-long: $(VENV)/.ready-dev ## try the laws on more than 200,000 cases, and the faults in their full number (long)
	@$(PY) -m pytest -n 2 -p tests.long tests/licensing/test_properties.py
	@exec $(PY) -m pytest -n 2 -p tests.long -m long tests

# Browser tests drive Debian's Chromium. Where it lacks and may not be installed, they skip and say so.
.PHONY: chromium
chromium:
	@if ! command -v chromium >/dev/null && [ -r /etc/debian_version ]; then \
		if [ "$$(id -u)" = 0 ]; then as=; elif sudo -n true 2>/dev/null; then as="sudo -n"; else exit 0; fi; \
		echo "Installing Debian's Chromium for the browser tests."; \
		{ $$as apt-get update -qq && \
		  $$as env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium; } >/dev/null \
		|| echo "Chromium could not be installed; the browser tests will skip." >&2; \
	fi

# NAME=name     one benchmark instead of all · QUICK=1 at a reduced size · REPORT=file as JSON
bench: setup ## measure (NAME= QUICK=1 REPORT=)
	@exec $(PY) -m benchmarks $(NAME) $(if $(filter 1 yes,$(QUICK)),--quick) $(if $(REPORT),--report "$(REPORT)")

lint: $(VENV)/.ready-dev ## style, types and import contracts
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy $(LINTED)
	$(VENV)/bin/lint-imports

lock: ## resolve the dependencies of pyproject.toml anew (needs uv)
	@set -e; \
	options="--quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate"; \
	uv pip compile $$options pyproject.toml -o requirements.lock; \
	uv pip compile $$options --group dev pyproject.toml -o requirements-dev.lock; \
	if grep -n '://' requirements.lock requirements-dev.lock; then echo "A lock file names a host." >&2; exit 1; fi

secrets: setup ## make what docker-compose.yml reads from secrets/ (keeps what is there)
	@$(PY) -m store.secretfiles secrets

clean: ## remove what was made, the data of the demo store included
	rm -rf $(VENV) var .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
