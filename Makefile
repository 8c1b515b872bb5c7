# You need make, and python3 with venv. Each command creates the virtual environment and
# installs what is missing there. Variables for the command line: PYTHON (the
# interpreter), VENV (the folder of the environment), CONSTRAINT (a pip constraints file)
# LOCK (a file of exact versions with hashes, which replaces the extra: for test, lint,
# docs, coverage and mutation), BEFORE (what `make bench-before` compares with) and JOBS
# (how many processes run the tests).

PYTHON ?= python3
VENV ?= .venv
CONSTRAINT ?=
BEFORE ?= HEAD~1
LOCK ?=
JOBS ?= 2

bin := $(VENV)/bin
kernels := setup.py $(wildcard sksoftmax/_kernels/*.pyx sksoftmax/_kernels/*.h)
pip_install := $(bin)/python -m pip install --quiet --disable-pip-version-check \
	$(if $(CONSTRAINT),--constraint $(CONSTRAINT))
# Files go to processes whole: their tests share fixtures.
pytest := -m pytest --numprocesses $(JOBS) --dist loadfile

.PHONY: help demo test test-long test-peers lint types coverage mutation docs lock \
	bench-before bench-certificates bench-convex bench-hidden bench-inference \
	bench-leave-one-out bench-path bench-predict bench-runtimes bench-scale wheel \
	test-wheel clean

help:
	@echo "make demo          run the estimator on real data: a table and a picture"
	@echo "make test          run the test suite, doctests included"
	@echo "make test-long     run the long tests: all hostile inputs, a thousand fits"
	@echo "make test-peers    run scikit-learn's tests of its classifiers on this one"
	@echo "make lint          check style, imports and docstrings; change no file"
	@echo "make types         run type checkers on code that calls everything"
	@echo "make coverage      run the suite again and list the lines that it missed"
	@echo "make mutation      change the mathematics and see whether a test fails"
	@echo "make docs          build the documentation site in build/docs/"
	@echo "make lock          write requirements/dev.txt: today's versions and hashes"
	@echo "make bench-before  time fits against those of the git revision BEFORE"
	@echo "make bench-certificates  compare optimality_ with true distances"
	@echo "make bench-convex  time softmax regression against other packages"
	@echo "make bench-hidden  time hidden layers against other packages; their defaults"
	@echo "make bench-inference  time summaries, effects and predictions"
	@echo "make bench-leave-one-out  compare cv=\"alo\" with fits without each row"
	@echo "make bench-path    time sparse fits and paths against other packages"
	@echo "make bench-predict time predictions against other packages"
	@echo "make bench-runtimes run exported models in other runtimes"
	@echo "make bench-scale   time files, batches and dask against data in memory"
	@echo "make wheel         build a wheel and an sdist in dist/, and check them"
	@echo "make test-wheel    install both without the source, and run the suite there"
	@echo "make clean         delete everything that these commands made"

demo: $(VENV)/demo.stamp
	$(bin)/python examples/demo.py

test: $(VENV)/test.stamp
	$(bin)/python $(pytest)

# All hostile inputs, many more random problems, a thousand fits that show whether
# memory grows, and trainings that are killed at any moment. These are the files that
# read tests/effort.py.
test-long: $(VENV)/test.stamp
	SKSOFTMAX_TEST_LONG=1 $(bin)/python $(pytest) -m "long or not long" \
		tests/test_checkpoints.py tests/test_hostile.py tests/test_inference_profile.py \
		tests/test_life_cycle.py tests/test_memory.py tests/test_properties.py \
		tests/test_separation.py

# scikit-learn's tests run unchanged. tests/peers/ has the adapters, and the list of the
# tests that are left out.
test-peers: $(VENV)/test.stamp
	$(bin)/python -m pytest -c tests/peers/pytest.ini --rootdir=. -q --pyargs \
		sklearn.linear_model.tests.test_logistic \
		sklearn.neural_network.tests.test_mlp

lint: $(VENV)/lint.stamp
	$(bin)/ruff check
	$(bin)/ruff format --check
	$(bin)/lint-imports --no-cache
	$(bin)/python .ci/check_docstrings.py

# What type checkers say of users' code.
types: $(VENV)/types.stamp
	$(bin)/mypy --strict --follow-imports=silent tests/typed_calls.py
	$(bin)/pyright --pythonpath $(bin)/python tests/typed_calls.py

# Without the compiled kernels, whose lines it cannot see.
coverage: $(VENV)/dev.stamp
	SKSOFTMAX_KERNELS=numpy $(bin)/python -m coverage run $(pytest)
	$(bin)/python -m coverage combine --quiet
	$(bin)/python -m coverage report

mutation: $(VENV)/test.stamp
	$(bin)/python tools/mutate.py

docs: $(VENV)/docs.stamp
	$(bin)/python -m pytest docs
	$(bin)/python -m sphinx -W --keep-going --quiet -d build/doctrees docs build/docs
	@echo "The site: build/docs/index.html"

# Pins the versions of a developer's environment, with the hashes of their files.
lock: $(VENV)/lock.stamp
	$(bin)/uv pip compile setup.cfg --extra dev --upgrade --universal --quiet \
		--python-version 3.11 --generate-hashes --no-emit-index-url \
		--custom-compile-command "make lock" --output-file requirements/dev.txt

bench-before: $(VENV)/bench.stamp
	$(bin)/python benchmarks/before.py $(BEFORE)

bench-certificates: $(VENV)/bench.stamp
	$(bin)/python benchmarks/certificates.py

bench-convex: $(VENV)/bench.stamp
	$(bin)/python benchmarks/convex.py

bench-hidden: $(VENV)/bench-hidden.stamp
	$(bin)/python benchmarks/hidden.py
	$(bin)/python benchmarks/hidden_study.py

bench-inference: $(VENV)/bench.stamp
	$(bin)/python benchmarks/inference.py

bench-leave-one-out: $(VENV)/bench.stamp
	$(bin)/python benchmarks/leave_one_out.py

bench-path: $(VENV)/bench.stamp
	$(bin)/python benchmarks/path.py
	$(bin)/python benchmarks/weak_penalty.py
	if command -v Rscript; then $(bin)/python benchmarks/glmnet.py; fi

bench-predict: $(VENV)/bench.stamp
	$(bin)/python benchmarks/predict.py

bench-runtimes: $(VENV)/bench-runtimes.stamp
	$(bin)/python benchmarks/runtimes.py

bench-scale: $(VENV)/bench.stamp
	$(bin)/python benchmarks/scale.py

# The sdist is built first, and the wheel from its files.
wheel: $(VENV)/wheel.stamp
	rm -rf dist
	$(bin)/python -m build
	$(bin)/python -m twine check --strict dist/*
	$(bin)/python tools/check_distribution.py dist

test-wheel: wheel
	$(bin)/python tools/check_distribution.py dist --suite

clean:
	rm -rf $(VENV) .venv-locked .venv-oldest build dist sksoftmax.egg-info .coverage*
	rm -rf .pytest_cache .ruff_cache docs/gallery docs/api/generated docs/api/examples
	rm -f docs/sg_execution_times.rst sksoftmax/_kernels/*.so
	find sksoftmax tests benchmarks docs examples -name __pycache__ -exec rm -rf {} +

# Makes an environment with one of the extras of setup.cfg, and makes it again when that
# file or a compiled kernel changes. With LOCK, nothing is installed or fetched that LOCK does not list.
$(VENV)/%.stamp: setup.cfg pyproject.toml $(kernels) $(CONSTRAINT) $(LOCK) | $(bin)/pip
ifdef LOCK
	$(pip_install) --require-hashes --requirement $(LOCK)
	$(pip_install) --no-deps --no-build-isolation --editable .
else
	$(pip_install) --editable '.[$*]'
endif
	@touch $@

$(bin)/pip:
	$(PYTHON) -m venv $(VENV)
