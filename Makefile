# `make run` and `make test` do all the set-up themselves; they need Python 3.11, 3.12 or 3.13, and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
# Without internet: if `make pack` has filled wheels/, everything is installed from there.
FROM_WHEELS := $(if $(wildcard wheels/packed-for.txt),--no-index --find-links wheels)

.PHONY: help run test lab lint book bench pack store clean

help:
	@echo "make run    execute the course headlessly, from nothing to predictions (ARGS=\"-p epochs 3\" sets a parameter)"
	@echo "make test   run all tests"
	@echo "make lab    open the course in JupyterLab"
	@echo "make book   render the course to static pages, in book/html"
	@echo "make bench  measure how fast everything is on this machine"
	@echo "make pack   download all packages into wheels/, to install the course without internet"
	@echo "make clean  delete what the course has made: workspace/, runs/ and book/"

$(VENV)/installed: requirements.txt requirements.lock
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 11) <= v <= (3, 13) or sys.exit("The course needs Python 3.11, 3.12 or 3.13, and $(PYTHON) is %d.%d: say where one is, as in `make run PYTHON=python3.12`." % v)'
	$(PYTHON) -m venv $(VENV)
	@test -z "$(FROM_WHEELS)" || echo "Installing without internet, from wheels/, which was packed for: $$(paste -sd '|' wheels/packed-for.txt)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(FROM_WHEELS) -r requirements.txt
	@touch $@

run: $(VENV)/installed
	$(BIN)/python -m utils.run $(ARGS)

test: $(VENV)/installed lint
	$(BIN)/python -m pytest $(ARGS)

lint: $(VENV)/installed
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .

lab: $(VENV)/installed
	TF_CPP_MIN_LOG_LEVEL=3 $(BIN)/python -m jupyter lab --notebook-dir=. notebooks/00-start-here.ipynb

# Every page anew, and a warning is an error.
book: $(VENV)/installed
	rm -rf book
	$(BIN)/python -m sphinx -M html . book -c docs -q -W --keep-going
	@echo "Open book/html/index.html in a browser; the folder book/html needs nothing else."

bench: $(VENV)/installed
	$(BIN)/python -m benchmarks.bench $(ARGS)

pack: $(VENV)/installed
	$(BIN)/python -m utils.pack $(ARGS)

# For maintainers: a full run from nothing, whose outputs become those stored in notebooks/.
store: $(VENV)/installed
	rm -rf workspace runs
	$(BIN)/python -m utils.run --store
	$(BIN)/python -m utils.run --solutions --store
	$(BIN)/python -m ruff format --check .

clean:
	rm -rf workspace runs book
