# make demo        Whisper base learns Italian telephone prompts without any transcript
# make test        all tests but the longest; a tier that this machine cannot run is skipped
# make test-all    the same with the tests that take minutes each
# make test-fast   the loop in the toy language: no torch, no Prefect
# make check       linters, types, import contracts
# Every target needs Python 3.11, pip and make only. If apt is there, the demo downloads its
# recordings with it.

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
RAY := $(VENV)/.ray
ROUNDS ?= 1
VOICES ?= splice
ALL := $(if $(filter all,$(VOICES)),-all)
RUN ?= runs/demo$(ALL)
WORKERS ?= 4
# Whole files go to processes of one thread each: much of a test is waiting, and the networks of
# tests are so small that a second thread is waited for longer than it computes.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

.PHONY: demo test test-all test-fast check clean

demo: $(STAMP)
ifeq ($(VOICES),all)
	$(BIN)/twister run configs/ivr-all.yaml $(RUN) --set rounds=$(ROUNDS)
else
	$(BIN)/twister demo $(RUN) --rounds $(ROUNDS)
endif

test: $(STAMP) $(RAY)
	$(PYTEST) -rs

test-all: $(STAMP) $(RAY)
	$(PYTEST) -rs --long

test-fast: $(STAMP)
	$(PYTEST) -m "not model and not pretrained and not prefect and not browser and not cluster"

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# torch first and pinned: as a dependency of another package pip may choose a build with gigabytes
# of CUDA. Resemblyzer without its dependencies: only its weights are read, and one dependency must
# be compiled.
$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || python3 -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[all,dev]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -c constraints.txt Resemblyzer
	$(BIN)/twister doctor --fix
	touch $@

# Ray only for the tests: it is large, and of no use on a single machine.
$(RAY): $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[ray]'
	touch $@

clean:
	rm -rf $(VENV) runs .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
