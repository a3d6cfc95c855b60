# make demo     install into .venv, then the tour: train, evaluate, export, predict, report
# make test     install into .venv with the dev extras, then the quick tests in two processes
# make torture  the long tests (minutes, some need the network)
# make lint     ruff
# make docs     the API reference into docs/api, from the docstrings
# make clean    remove what the targets above made
#
# PYTHON=...       the Python 3.11 to build .venv with
# PYTEST_ARGS=...  more arguments for pytest

PYTHON ?= python3.11
PYTEST_ARGS ?=
VENV := .venv

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.NOTPARALLEL:
.DEFAULT_GOAL := help
.PHONY: help demo test torture lint docs clean venv venv-dev

help:
	@sed -n '/^# /s/^# //p;/^$$/q' Makefile

demo: venv
	@$(VENV)/bin/garden-demo --output_dir demo_output

test: venv-dev
	@$(VENV)/bin/python -m pytest -n 2 --dist loadfile $(PYTEST_ARGS)

torture: venv-dev
	@$(VENV)/bin/python -m pytest -m torture $(PYTEST_ARGS)

lint: venv-dev
	@$(VENV)/bin/ruff check .

docs: venv-dev
	@rm -rf docs/api
	$(VENV)/bin/python docs/build_api.py docs/api

clean:
	@rm -rf $(VENV) install.log demo_output docs/api build dist *.egg-info .pytest_cache .ruff_cache
	find garden tools tests bazel -name __pycache__ -type d -prune -exec rm -rf {} +

# .venv holds a stamp: where it stands, what it was installed from, with which extras. While pip
# runs there is another file in its place, so that an environment that a kill left half made is
# known and built anew. With another hash pip brings it up to date; if that fails for want of a
# network, the working one stays as it was.
venv: EXTRAS :=
venv-dev: EXTRAS := dev
venv venv-dev:
	@stamp=$(VENV)/.installed
	begun=$(VENV)/.installing
	log=install.log
	fail() { echo "make: $$1" >&2; exit 1; }
	what="$$PWD $$(cat setup.py pyproject.toml | sha256sum | cut -c1-32)"
	have=
	if [[ -f $$stamp ]] && $(VENV)/bin/python -c '' 2>/dev/null; then have=$$(<$$stamp); fi
	case $$have in
	  "$$what "|"$$what dev") [[ -n "$(EXTRAS)" && $$have != *" dev" ]] || exit 0 ;;
	  "$$PWD "*) ;;  # up to date in all but the requirements or the extras
	  *) have= ;;
	esac
	if [[ -z $$have ]]; then
	  version=$$($(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) \
	    || fail "$(PYTHON) is not there: install Python 3.11, or name it with PYTHON=/path/to/python3.11"
	  [[ $$version == 3.11 ]] || fail "$(PYTHON) is Python $$version, and TensorFlow 2.15 here needs 3.11"
	  $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	    || fail "$(PYTHON) cannot make a virtual environment: install python3.11-venv"
	  [[ ! -e $(VENV) || -e $$stamp || -e $$begun ]] \
	    || fail "$(VENV) was not made by this Makefile: move it away, or run make clean"
	  rm -rf $(VENV)
	  mkdir $(VENV)
	fi
	# A venv cannot be moved, so it is built in place and taken away again.
	trap 'rm -rf $(VENV) $$log; fail "interrupted, $(VENV) removed"' INT TERM HUP
	echo "Installing garden$(EXTRAS:%=[%]) into $(VENV) (a minute or two the first time) ..."
	undo() {
	  if [[ -z $$have ]]; then rm -rf $(VENV); else mv $$begun $$stamp; fi
	  case $$(tail -c 20000 $$log) in
	    *"No space left"*) why="the disk is full" ;;
	    *onnection*|*"timed out"*|*"Name or service"*|*"name resolution"*|*"Could not find a version"*)
	      why="no network?" ;;
	    *) why="pip failed" ;;
	  esac
	  fail "could not install garden: $$why ($$PWD/$$log has the details)"
	}
	echo "$$have" >$$begun
	rm -f $$stamp
	[[ -n $$have ]] || $(PYTHON) -m venv $(VENV) >$$log 2>&1 || undo
	$(VENV)/bin/python -m pip install --quiet --no-input --disable-pip-version-check \
	  --editable ".$(EXTRAS:%=[%])" >$$log 2>&1 || undo
	echo "$$what $(EXTRAS)" >$$begun
	mv $$begun $$stamp
	rm -f $$log
