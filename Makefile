# Needs Python 3.11 or newer and make; everything else comes from PyPI into .venv.
PYTHON ?= python3
# More options for pip, such as --extra-index-url https://download.pytorch.org/whl/cpu
PIP_ARGS ?=
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) -c requirements.lock

.PHONY: demo test quick lint types tests docs bench audit licences sbom hashes clean

demo: .venv/score.done  ## transfer the bundled clips into out/
	$(BIN)/thirdstream demo --out out --force

test: lint types tests  ## everything that is checked before a change lands

quick: lint  ## lint, and the tests that take no patience: for the habit of running it
	OMP_NUM_THREADS=1 $(BIN)/pytest -n auto -m "not slow" --dist worksteal

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

audit: .venv/supply.done  ## known vulnerabilities of the pinned versions; needs pypi.org or osv.dev
	$(BIN)/pip-audit --requirement requirements.lock --no-deps --disable-pip

licences: .venv/supply.done  ## the licence that each installed package states
	$(BIN)/pip-licenses --order=license --with-urls

sbom: .venv/supply.done  ## build/sbom.json: all that is installed, as CycloneDX
	mkdir -p build
	$(BIN)/cyclonedx-py environment $(BIN)/python --pyproject pyproject.toml -o build/sbom.json

# Without torch: a build for one processor or graphics card is not the file that PyPI has.
hashes: .venv/supply.done  ## requirements.hashes, anew from requirements.lock
	$(BIN)/uv pip compile requirements.lock --no-deps --generate-hashes --universal \
		--python-version 3.11.7 --no-header --no-annotate --no-emit-package torch --quiet \
		--output-file requirements.hashes

.venv/python.done:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	$(PYTHON) -m venv .venv
	touch $@

# torch first and by its exact version: a range would fetch the newest build.
.venv/main.done: .venv/python.done pyproject.toml requirements.lock
	$(PIP) torch==$$(sed -n 's/^torch==//p' requirements.lock)
	$(PIP) -e .
	touch $@

.venv/score.done: .venv/main.done
	$(PIP) -e '.[scores]'
	touch $@

# The judges' own requirements are too old to install; only their weights are used.
.venv/test.done: .venv/score.done
	$(PIP) -e '.[dev]'
	$(PIP) --no-deps musicnn basic-pitch
	touch $@

.venv/supply.done: .venv/main.done
	$(PIP) -e '.[supply]'
	touch $@

clean:
	rm -rf .venv out build dist
