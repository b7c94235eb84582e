# Needs make, Python >= 3.11 and, for the first run, a network. Everything is installed into $(VENV).
#   make demo                     explain a bundled GAN, write out/demo/
#   make demo PYTHON=python3.12   with another Python
#   make demo TORCH_INDEX=https://download.pytorch.org/whl/cpu    with the small CPU build of torch

PYTHON      ?= python3
VENV        ?= .venv
TORCH_INDEX ?=
PYTEST_ARGS ?=

BIN     := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --no-compile -q -c constraints.txt \
           $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))
# one thread a process: pytest-xdist already fills the cores
PYTEST  := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2
# a module of benchmarks/ that starts with an underscore is a helper; these three write files of the
# repository, not timings
BENCHES := $(filter-out bundled notebooks readme,$(patsubst benchmarks/%.py,%,$(filter-out benchmarks/\_%,$(wildcard benchmarks/*.py))))

.PHONY: demo test test-full lint bench notebooks clean
.DELETE_ON_ERROR:

demo: $(VENV)/.package
	$(BIN)/ganexplain demo --out out/demo
	@echo "The report is $(CURDIR)/out/demo/index.html"

test: $(VENV)/.test
	$(PYTEST) -m "not full" $(PYTEST_ARGS)

test-full: $(VENV)/.test
	$(PYTEST) $(PYTEST_ARGS)

lint: $(VENV)/.lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.test
	@set -e; for name in $(BENCHES); do echo "== benchmarks.$$name"; $(BIN)/python -m benchmarks.$$name; done

notebooks: $(VENV)/.test
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.notebooks --write

clean:
	rm -rf .venv out build dist .pytest_cache .mypy_cache .ruff_cache .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# stamps: a second run installs nothing unless the requirements have changed
$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "ganexplain needs Python 3.11 or newer, and '$(PYTHON)' is not; name one: make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.package: $(VENV)/.python pyproject.toml constraints.txt
	@echo "Installing ganexplain into $(VENV); the first time this takes some minutes"
	$(INSTALL) -e .
	@touch $@

$(VENV)/.test: $(VENV)/.python pyproject.toml constraints.txt
	@echo "Installing ganexplain and what its tests need into $(VENV); the first time this takes some minutes"
	$(INSTALL) -e '.[test]'
	@touch $@ $(VENV)/.package

$(VENV)/.lint: $(VENV)/.python pyproject.toml constraints.txt
	$(INSTALL) -e '.[lint]'
	@touch $@
