SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup demo test look bench-ingest bench-rules soak check lock clean
ARGS ?=

help:  ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' Makefile

setup:  ## .venv with everything for development (make test does it by itself)
	@scripts/setup dev

demo:  ## a simulated community, from sensor to grid member; ARGS="--fresh" starts anew
	@scripts/setup demo
	@exec .venv/bin/gridwarden demo $(ARGS)

test:  ## all tests, on a real TimescaleDB and a real Mosquitto; ARGS="-k name" for some
	@scripts/setup dev
	@scripts/test $(ARGS)

look:  ## the inbox in a real browser (needs chromium); screenshots in .cache/look
	@scripts/setup dev
	@.venv/bin/python -m tests.browser.look $(ARGS)

bench-ingest:  ## what ingest takes, one JSON line a figure; ARGS=--quick for a minute's look
	@scripts/setup dev
	@.venv/bin/python -m tests.bench_ingest $(ARGS)

bench-rules:  ## what judging takes, one JSON line a figure; ARGS=--quick for half a minute's look
	@scripts/setup dev
	@.venv/bin/python -m tests.bench_rules $(ARGS)

soak:  ## the service under random faults, one JSON line a check; ARGS="--minutes 10"
	@scripts/setup dev
	@.venv/bin/python -m tests.soak $(ARGS)

check:  ## style, types, import layers, generated files
	@scripts/setup dev
	@scripts/check

lock:  ## write requirements/*.lock from pyproject.toml; ARGS=--upgrade for newer versions
	@scripts/lock $(ARGS)

clean:  ## remove .venv and the tools' caches (the demo's data and the test servers stay)
	rm -rf .venv dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
