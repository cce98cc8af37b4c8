# Needs Python 3.11 or newer and make; everything else comes from PyPI into .venv.
PYTHON ?= python3
# More options for pip, such as --extra-index-url https://download.pytorch.org/whl/cpu
PIP_ARGS ?=
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS)

.PHONY: demo test quick lint types tests docs bench audit licences sbom hashes clean

demo: .venv/scores.done  ## transfer the bundled clips into out/
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
	$(BIN)/python benchmarks/speed.py
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

hashes: .venv/supply.done  ## requirements.hashes, anew from requirements.lock; needs pypi.org
	$(BIN)/python recipes/hashes.py

.venv/python.done:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	$(PYTHON) -m venv .venv
	touch $@

# What is fetched is compared with the hashes of its step; the package itself is built with what came.
define install
	sed -n '/^# $(1)$$/,/^# /p' requirements.hashes > .venv/$(1).hashes
	$(PIP) --no-deps --require-hashes -r .venv/$(1).hashes
endef

# torch apart, by its exact version: each index has other builds of it, with other hashes.
.venv/main.done: .venv/python.done pyproject.toml requirements.lock requirements.hashes
	$(call install,main)
	$(PIP) torch==$$(sed -n 's/^torch==//p' requirements.lock) -c requirements.lock
	$(PIP) --no-deps --no-build-isolation -e .
	touch $@

.venv/scores.done: .venv/main.done
	$(call install,scores)
	touch $@

.venv/test.done: .venv/scores.done
	$(call install,test)
	touch $@

.venv/supply.done: .venv/scores.done
	$(call install,supply)
	touch $@

clean:
	rm -rf .venv out build dist
