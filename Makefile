# `make run` and `make test` do all the set-up themselves; they need Python 3.11, 3.12 or 3.13, and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
# A file of parameters in benchmarks/recipes/, such as RECIPE=quick.
RECIPE ?=
# Without internet: if `make pack` has filled wheels/, everything is installed from there.
FROM_WHEELS := $(if $(wildcard wheels/packed-for.txt),--no-index --find-links wheels)

.PHONY: help run test lab fresh lint book bench pack store clean

help:
	@echo "make run    execute the course headlessly, from nothing to predictions (ARGS=\"-p epochs 3\" sets a parameter,"
	@echo "            RECIPE=quick uses smaller pictures, for slow machines)"
	@echo "make test   run all tests"
	@echo "make lab    open your copies of the notebooks, in my-course/, in JupyterLab"
	@echo "make fresh  lay your changed copies aside (in my-course/before-1), and make new ones"
	@echo "make book   render the course to static pages, in book/html"
	@echo "make bench  measure how fast everything is on this machine"
	@echo "make pack   download all packages into wheels/, to install the course without internet"
	@echo "make clean  delete what the course has made: workspace/, runs/ and book/ (my-course/ stays)"

# The course is installed where it lies: a copy of the folder that brings its .venv along installs itself anew, and so
# does a course whose Python is gone.
ifneq ($(shell $(BIN)/python -c pass 2>/dev/null && cat $(VENV)/installed 2>/dev/null),$(CURDIR))
.PHONY: $(VENV)/installed
endif

$(VENV)/installed: requirements.txt requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 11) <= v <= (3, 13) or sys.exit("The course needs Python 3.11, 3.12 or 3.13, and $(PYTHON) is %d.%d: say where one is, as in `make run PYTHON=python3.12`." % v)'
	$(PYTHON) -m venv $$($(BIN)/python -c pass 2>/dev/null || echo --clear) $(VENV)
	@test -z "$(FROM_WHEELS)" || echo "Installing without internet, from wheels/, which was packed for: $$(paste -sd '|' wheels/packed-for.txt)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(FROM_WHEELS) -r requirements.txt
	@pwd -P > $@

run: $(VENV)/installed
	$(BIN)/python -m utils.run $(if $(RECIPE),-f benchmarks/recipes/$(RECIPE).yaml -p workspace workspace/$(RECIPE)) $(ARGS)

test: $(VENV)/installed lint
	$(BIN)/python -m pytest $(ARGS)

lint: $(VENV)/installed
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .

lab: $(VENV)/installed
	$(BIN)/python -m utils.copies
	TF_CPP_MIN_LOG_LEVEL=3 $(BIN)/python -m jupyter lab --notebook-dir=. --LabApp.news_url=None \
		--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate my-course/00-start-here.ipynb

fresh: $(VENV)/installed
	$(BIN)/python -m utils.copies --fresh

# Every page anew, and a warning is an error. TEACHER=1 shows the notes for teachers too.
book: $(VENV)/installed
	rm -rf book
	$(BIN)/python -m sphinx -M html . book -c docs -q -W --keep-going
	@echo "Open book/html/index.html in a browser; the folder book/html needs nothing else."

bench: $(VENV)/installed
	$(BIN)/python -m benchmarks.bench $(ARGS)

pack: $(VENV)/installed
	$(BIN)/python -m utils.pack $(ARGS)

# For maintainers: a full run from nothing. Its outputs are stored in notebooks/, its numbers written into all pages.
store: $(VENV)/installed
	rm -rf workspace runs
	$(BIN)/python -m utils.run --store
	$(BIN)/python -m utils.run --solutions --store
	$(BIN)/python -m utils.numbers --check
	$(BIN)/python -m ruff format --check .

clean:
	rm -rf workspace runs book
