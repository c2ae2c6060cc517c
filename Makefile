# Each target sets up .venv by itself if it is missing or older than pyproject.toml.
PYTHON ?= python3
PROFILE ?= demo
SEEDS ?=

# The trainer that `make bench` compares with: any script that prints images_per_second in JSON.
BASELINE ?= $(wildcard ../shared/bench/baseline.py)

BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help reproduce lab app test bench clean

# Whatever folder a notebook runs in, it finds the same runs and data.
reproduce lab app: export RESLAB_STORE ?= $(CURDIR)/runs
reproduce lab app: export RESLAB_DATA ?= $(CURDIR)/data
# Not empty: a projector or a public room, where nobody can start training or write a file.
READ_ONLY ?= $(RESLAB_READ_ONLY)
app: export RESLAB_READ_ONLY = $(READ_ONLY)

help:  ## this list
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/^([a-z]+):[^#]*## /  make \1	/'

reproduce: .venv/installed  ## the degradation experiment: PROFILE=demo, short or paper; SEEDS=3; ARGS="-p lr=0.05"
	@$(BIN)/reslab reproduce degradation --profile $(PROFILE) $(if $(SEEDS),--seeds $(SEEDS)) $(ARGS)

lab: .venv/installed  ## JupyterLab on the notebooks
	@$(BIN)/jupyter lab --notebook-dir=notebooks

app: .venv/installed-app  ## the shortcut explorer for a class, no code in sight: READ_ONLY=1 to watch only; ARGS="--port 8866"
	@JUPYTER_PATH=$(CURDIR)/reslab/widgets $(BIN)/voila notebooks/02_shortcut_explorer.ipynb --template reslab $(ARGS)

# What has no browser two files at a time, with one thread each. pytest ends with 5 where ARGS choose nothing of a part.
test: .venv/installed-test  ## every test; ARGS="-k curves" for some
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile -m "not browser" $(ARGS); first=$$?; \
	[ $$first = 0 ] || [ $$first = 5 ] || exit $$first; \
	$(BIN)/python -m pytest -m browser $(ARGS); second=$$?; \
	[ $$second = 5 ] && exit $$first; exit $$second

bench: .venv/installed  ## training speed on this machine, and what a run costs besides: BASELINE=script.py to compare with
	@$(BIN)/reslab bench $(if $(BASELINE),--baseline $(BASELINE)) --json reports/bench.json --figure reports/bench.html $(ARGS)
	@$(BIN)/reslab bench --overheads --json reports/overheads.json

clean:  ## removes .venv; runs, reports and data stay
	rm -rf .venv

.venv/installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("reslab needs Python 3.11 or newer: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

.venv/installed-app: .venv/installed
	$(BIN)/python -m pip install --quiet --editable '.[app]'
	@touch $@

.venv/installed-test: .venv/installed
	$(BIN)/python -m pip install --quiet --editable '.[app,ray,s3,tensorboard,test]'
	@touch $@
