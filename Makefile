# make demo    Whisper base learns Italian telephone prompts without one transcript
# make test    all test tiers that this machine can run
# make check   linters, types, import contracts
# Each needs nothing but Python 3.11, pip and make; apt is used where there is one.

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
RAY := $(VENV)/.ray
ROUNDS ?= 1
VOICES ?= splice
ALL := $(if $(filter all,$(VOICES)),-all)
RUN ?= runs/demo$(ALL)

.PHONY: demo test test-fast check clean

demo: $(STAMP)
	$(BIN)/twister run configs/ivr$(ALL).yaml $(RUN) --set rounds=$(ROUNDS)

test: $(STAMP) $(RAY)
	$(BIN)/python -m pytest -rs

test-fast: $(STAMP)
	$(BIN)/python -m pytest -m "not model and not pretrained and not prefect and not browser and not cluster"

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# torch first and pinned: a plain `torch` may bring gigabytes of CUDA where there is no GPU.
# Of Resemblyzer only the weights are read; what it asks for must be compiled.
$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || python3 -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[all,dev]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -c constraints.txt Resemblyzer
	$(BIN)/twister doctor --fix
	touch $@

# Ray is large, and of no use on one machine but to be tested.
$(RAY): $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[ray]'
	touch $@

clean:
	rm -rf $(VENV) runs .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
