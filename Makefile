# Needs Python 3.11 or newer and make; everything else comes from PyPI into .venv.
PYTHON ?= python3
# More options for pip, such as --extra-index-url https://download.pytorch.org/whl/cpu
PIP_ARGS ?=
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) -c requirements.lock

.PHONY: demo test lint types tests docs bench clean

demo: .venv/score.done  ## transfer the bundled clips into out/
	$(BIN)/thirdstream demo --out out --force

test: lint types tests  ## everything that is checked before a change lands

lint: .venv/test.done
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/test.done
	$(BIN)/basedpyright

# A worker a core; more threads in each would only wait for one another.
tests: .venv/test.done
	OMP_NUM_THREADS=1 $(BIN)/pytest -n auto

docs: .venv/test.done  ## the documentation as a site, in build/docs; `make tests` builds it too
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

bench: .venv/test.done  ## tables of speed and memory; by hand only
	$(BIN)/python benchmarks/features.py
	$(BIN)/python benchmarks/synthesis.py
	$(BIN)/python benchmarks/train_step.py
	$(BIN)/python benchmarks/transfer.py
	$(BIN)/python benchmarks/prepare.py
	$(BIN)/python benchmarks/growth.py

.venv/python.done:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	$(PYTHON) -m venv .venv
	touch $@

# torch first and by its exact version: a range would fetch the newest build.
.venv/main.done: .venv/python.done pyproject.toml requirements.lock
	$(PIP) torch==$$(sed -n 's/^torch==//p' requirements.lock)
	$(PIP) -e .
	touch $@

# The transcriber's own requirements are too old to install; only its weights are used.
.venv/score.done: .venv/main.done
	$(PIP) -e '.[scores]'
	$(PIP) --no-deps basic-pitch
	touch $@

# musicnn: the tagger, for its weights likewise.
.venv/test.done: .venv/score.done
	$(PIP) -e '.[dev]'
	$(PIP) --no-deps musicnn
	touch $@

clean:
	rm -rf .venv out build dist
