# Needs python3 with venv, and make. Each command makes the virtual environment and
# installs what it lacks. Set on the command line: PYTHON (the interpreter), VENV (where
# the environment goes), CONSTRAINT (a pip constraints file) and LOCK (a file of exact
# versions with hashes, instead of an extra: for test, lint, docs, coverage and mutation).

PYTHON ?= python3
VENV ?= .venv
CONSTRAINT ?=
LOCK ?=

bin := $(VENV)/bin
pip_install := $(bin)/python -m pip install --quiet --disable-pip-version-check \
	$(if $(CONSTRAINT),--constraint $(CONSTRAINT))

.PHONY: help demo test test-long test-peers lint coverage mutation docs lock \
	bench-convex bench-hidden bench-path bench-scale clean

help:
	@echo "make demo          the estimator on real data: a table and a picture"
	@echo "make test          the whole suite, with doctests"
	@echo "make test-long     what the suite tries briefly: all hostile cases, 1000 fits, ..."
	@echo "make test-peers    scikit-learn's tests of its own classifiers, on ours"
	@echo "make lint          ruff, import-linter and numpydoc, without changing files"
	@echo "make coverage      the suite once more: which lines did it not run?"
	@echo "make mutation      would the tests notice if the mathematics were wrong?"
	@echo "make docs          the documentation site, with the gallery, in build/docs/"
	@echo "make lock          requirements/dev.txt anew: versions and hashes of today"
	@echo "make bench-convex  softmax regression against other packages"
	@echo "make bench-hidden  hidden layers against other packages, and their defaults"
	@echo "make bench-path    sparse fits and paths of penalties against other packages"
	@echo "make bench-scale   files, batches and dask against memory"
	@echo "make clean         delete all that the other commands made"

demo: $(VENV)/demo.stamp
	$(bin)/python examples/demo.py

test: $(VENV)/test.stamp
	$(bin)/python -m pytest

# All of the hostile cases, far more examples of the properties, and a thousand fits:
# does memory grow? The files are those that tests/effort.py speaks to.
test-long: $(VENV)/test.stamp
	SKSOFTMAX_TEST_LONG=1 $(bin)/python -m pytest -m "long or not long" \
		tests/test_hostile.py tests/test_life_cycle.py tests/test_memory.py \
		tests/test_properties.py

# Not a line of those tests is changed: tests/peers/ has the adapters, and the list of
# the tests that are left out.
test-peers: $(VENV)/test.stamp
	$(bin)/python -m pytest -c tests/peers/pytest.ini --rootdir=. -q --pyargs \
		sklearn.linear_model.tests.test_logistic \
		sklearn.neural_network.tests.test_mlp

lint: $(VENV)/lint.stamp
	$(bin)/ruff check
	$(bin)/ruff format --check
	$(bin)/lint-imports --no-cache
	$(bin)/python .ci/check_docstrings.py

coverage: $(VENV)/dev.stamp
	$(bin)/python -m coverage run -m pytest
	$(bin)/python -m coverage report

mutation: $(VENV)/test.stamp
	$(bin)/python tools/mutate.py

docs: $(VENV)/docs.stamp
	$(bin)/python -m pytest docs
	$(bin)/python -m sphinx -W --keep-going --quiet -d build/doctrees docs build/docs
	@echo "The site: build/docs/index.html"

# The versions of a developer's environment, with the hashes of their files.
lock: $(VENV)/lock.stamp
	$(bin)/uv pip compile setup.cfg --extra dev --upgrade --universal --quiet \
		--python-version 3.11 --generate-hashes --no-emit-index-url \
		--custom-compile-command "make lock" --output-file requirements/dev.txt

bench-convex: $(VENV)/bench.stamp
	$(bin)/python benchmarks/convex.py

bench-hidden: $(VENV)/bench-hidden.stamp
	$(bin)/python benchmarks/hidden.py
	$(bin)/python benchmarks/hidden_study.py

bench-path: $(VENV)/bench.stamp
	$(bin)/python benchmarks/path.py
	$(bin)/python benchmarks/weak_penalty.py
	if command -v Rscript; then $(bin)/python benchmarks/glmnet.py; fi

bench-scale: $(VENV)/bench.stamp
	$(bin)/python benchmarks/scale.py

clean:
	rm -rf $(VENV) .venv-locked .venv-oldest build dist sksoftmax.egg-info .coverage
	rm -rf .pytest_cache .ruff_cache docs/gallery docs/api/generated docs/api/examples
	rm -f docs/sg_execution_times.rst
	find sksoftmax tests benchmarks docs examples -name __pycache__ -exec rm -rf {} +

# An environment with one of the extras of setup.cfg; made anew when that file changes.
# Nothing but what is in LOCK is installed with it, nor fetched to build the package.
$(VENV)/%.stamp: setup.cfg pyproject.toml $(CONSTRAINT) $(LOCK) | $(bin)/pip
ifdef LOCK
	$(pip_install) --require-hashes --requirement $(LOCK)
	$(pip_install) --no-deps --no-build-isolation --editable .
else
	$(pip_install) --editable '.[$*]'
endif
	@touch $@

$(bin)/pip:
	$(PYTHON) -m venv $(VENV)
