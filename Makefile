# Everything a developer needs. `make` prints the targets.
# Nothing outside Python 3.11+, make and the package indexes is assumed.

PY ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV ?= $(BIN)/uv
UV_VERSION := 0.13.8
MEMBERS := $(wildcard libs/*) $(wildcard services/*)
NAMES := $(notdir $(MEMBERS))
READY := $(VENV)/.ready
# Only the bench knows these: the queues that the bus is measured beside.
PEERS := .venv-peers
PEERS_READY := $(PEERS)/.ready

export UV_PYTHON_DOWNLOADS := never
export VIRTUAL_ENV := $(abspath $(VENV))

.DEFAULT_GOAL := help
.PHONY: help setup demo up test test-kafka test-kafka-part test-faults test-outage check format bench bench-bus bench-render soak gallery lock docs mutants clean

help: ## Print this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## Install everything into .venv, from hashes

demo: $(READY) ## Start the whole system, make a video into demo/, stop it again
	@$(BIN)/fenta demo --out demo

up: $(READY) ## Run the system here until Ctrl-C; state in .fenta/. KAFKA=host:port takes that Kafka
	@$(if $(KAFKA),KAFKA_BOOTSTRAP_SERVERS='$(KAFKA)' )$(BIN)/fenta up

test: $(READY) ## Run all tests on real parts started for them; 85 % of the lines must be run
	$(BIN)/python -m coverage erase
	$(BIN)/python -m coverage run -m pytest
	$(BIN)/python -m coverage combine -q
	$(BIN)/python -m tools.covered --at-least 85

KILLS ?= 60
SEED ?= 1
SEEDS ?= 1
OUTAGE_SECONDS ?= 600

test-faults: $(READY) ## Kill everything, everywhere: every gap, every zombie, KILLS at random from SEED on; up to 30 min
	ALL_FAULTS=1 KILLS=$(KILLS) SEED=$(SEED) SEEDS=$(SEEDS) FROZEN_SECONDS=20 $(BIN)/python -m pytest tests/faults -s

test-outage: $(READY) ## Kafka away for OUTAGE_SECONDS, then Postgres; 25 min
	OUTAGE_SECONDS=$(OUTAGE_SECONDS) $(BIN)/python -m pytest tests/faults/test_outage.py -s

# What runs unchanged against the real thing: everything that speaks over Kafka.
OVER_KAFKA := tests/chassis tests/broker tests/e2e tests/faults
OVER_KAFKA_PART := $(addprefix tests/chassis/test_,consumer.py group.py dead_letters.py) \
  $(addprefix tests/broker/test_,protocol.py topics.py up.py) \
  tests/e2e/test_video_journey.py::test_a_brief_becomes_a_video_its_files_its_bill_and_its_news

test-kafka: $(READY) ## Run the bus, end-to-end and fault tests on real Apache Kafka, one node and three; needs Java, Maven
	$(BIN)/python -m pytest -m long tests/broker
	FENTA_TEST_KAFKA=1 $(BIN)/python -m pytest -m "long or not long" $(OVER_KAFKA)
	FENTA_TEST_KAFKA=3 $(BIN)/python -m pytest -m "long or not long" $(OVER_KAFKA)

test-kafka-part: $(READY) ## The quick part of test-kafka: one node, two minutes
	FENTA_TEST_KAFKA=1 $(BIN)/python -m pytest -rs $(OVER_KAFKA_PART)

check: $(READY) ## Format, lint, types, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY) ## Put the code into shape
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix-only .

bench: $(READY) $(PEERS_READY) ## Measure; writes docs/bench/*.json and docs/bench.md
	$(BIN)/python -m tools.bench

bench-bus: $(READY) $(PEERS_READY) ## Measure the bus alone, beside floors and peers, and on Apache Kafka where there is Java
	$(BIN)/python -m tools.bench bus kafka

bench-render: $(READY) $(PEERS_READY) ## Measure films: cost, edits, memory, looks, sound, beside x264, zoompan and MoviePy; half an hour
	$(BIN)/python -m tools.bench render

SOAK_MINUTES ?= 20

soak: $(READY) ## The stack at half load for SOAK_MINUTES: does anything grow? Writes docs/bench/soak.json
	SOAK_MINUTES=$(SOAK_MINUTES) $(BIN)/python -m tools.bench soak

gallery: $(READY) ## Draw the contact sheets of docs/gallery: moves, transitions, blend modes, effects, placing
	$(BIN)/python -m tools.gallery

docs: $(READY) ## Write the generated pages: events, nodes, looks, settings, OpenAPI
	$(BIN)/python -m tools.documents

mutants: $(READY) ## Plant known faults one by one; each must be caught
	$(BIN)/python -m tools.mutants

COMPILE := pip compile --universal --python-version 3.11 --generate-hashes --upgrade \
  --no-header --no-annotate --no-emit-index-url --no-emit-find-links

lock: $(VENV)/uv ## Resolve all dependencies anew into requirements.lock and requirements-peers.lock
	$(UV) $(COMPILE) $(NAMES:%=--no-emit-package fenta-%) --group dev \
	  $(MEMBERS:%=%/pyproject.toml) -o requirements.lock -q
	$(UV) $(COMPILE) --group peers -o requirements-peers.lock -q

clean: ## Remove the environment and all local state
	-@test -x $(BIN)/fenta && $(BIN)/fenta down
	rm -rf $(VENV) $(PEERS) .fenta demo .coverage* htmlcov

# The lock decides what is installed, hash by hash; our own packages are linked in afterwards.
$(READY): requirements.lock $(MEMBERS:%=%/pyproject.toml) | $(VENV)/uv
	$(UV) pip sync -q --require-hashes --compile-bytecode requirements.lock
	$(UV) pip install -q --no-deps $(MEMBERS:%=-e %)
	@touch $@

$(PEERS_READY): requirements-peers.lock | $(READY)
	$(UV) venv -q --clear --python $(BIN)/python $(PEERS)
	$(UV) pip sync -q --python $(PEERS)/bin/python --require-hashes --compile-bytecode requirements-peers.lock
	@touch $@

# uv comes from the package index, by whatever means this Python has.
$(VENV)/uv: tools/bootstrap.py
	@$(PY) tools/bootstrap.py $(VENV) $(UV_VERSION)
	@touch $@
