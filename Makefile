# The commands of Terrane. What they make lies in .venv and TERRANE_HOME; `make clean` removes it.
SHELL := /bin/bash
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: help install demo up down status env test simulate chaos check docs bench lock clean

# The first Python that Azure Functions and the pinned packages support.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null \
	&& echo $$python && break; done)
VENV := .venv/bin

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: ## install what is missing: .venv, PostgreSQL with PostGIS, Node, Azurite
	@$(if $(PYTHON),,echo "Python 3.11 to 3.13 is needed: apt-get install python3, or brew install python@3.13" >&2; exit 1;) \
	$(PYTHON) -m scripts.install

demo: install ## publish the samples through the local system and show what came out
	@$(VENV)/python -m local.demo

up: install ## start the local system in the background
	@$(VENV)/python -m local up

down: ## stop the local system; its data stay
	@if [ -x $(VENV)/python ]; then $(VENV)/python -m local down; else echo "Terrane is not installed."; fi

status: ## show the processes of the local system
	@$(VENV)/python -m local status

env: ## print what points a client at the running system, for eval "$(make env)"
	@$(VENV)/python -m local env

test: install ## run every test, or those of T=path
	@$(VENV)/python -m scripts.test $(T)

simulate: install ## run SEEDS=2000 seeds of the engine's simulation from FIRST=0 on; ONLY= and WISHES= replay a part
	@$(VENV)/python -m tests.simulation $(if $(SEEDS),--seeds $(SEEDS)) $(if $(FIRST),--first $(FIRST)) \
	$(if $(WISHES),--wishes $(WISHES)) $(if $(ONLY),--only $(ONLY))

check: ## lint, types, layers, dead code, generated documents
	@$(if $(PYTHON),,echo "Python 3.11 to 3.13 is needed" >&2; exit 1;) $(PYTHON) -m scripts.install packages
	@$(VENV)/python -m scripts.check

docs: ## write the documents that are generated from the code
	@$(VENV)/python -m scripts.generate_reference

chaos: install ## break a running system for SECONDS=120 by SEED=1 and judge what is left
	@$(VENV)/python -m tests.chaos --seconds $(or $(SECONDS),120) --seed $(or $(SEED),1)

bench: install ## run every benchmark beside its peer, or B=name
	@$(PYTHON) -m scripts.install gdal
	@$(VENV)/python -m benchmarks $(B)

lock: ## renew the pinned requirements
	@$(VENV)/python -m scripts.lock

clean: ## stop the local system and remove all that these commands made
	@$(PYTHON) -m scripts.clean
