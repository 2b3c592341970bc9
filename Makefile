# Each target makes the environment first, if it is missing or the lock is newer.
PYTHON ?= python3
CONFIG ?= demo/journeycast.toml

venv := .venv
bin := $(venv)/bin
ready := $(venv)/ready
install := install --quiet --no-deps
hashed := $(install) --require-hashes
by_two := $(bin)/python -m pytest --numprocesses 2 --dist loadscope -m "not spark and not torture"

.PHONY: help install demo test test-all coverage torture check serve spark lock clean

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*  ## /\1\t/p' $(MAKEFILE_LIST)

install: $(ready)  ## the environment from the hashed lock, and nothing else

demo: $(ready)  ## a simulated shop from raw log to served scores, in minutes
	$(bin)/journeycast demo

test: $(ready)  ## the quick tier, by two processes: all that a change of code can break
	$(by_two) $(ARGS)

# Torture kills at random instants of what it measured: it runs alone, where the instants hit.
test-all: $(venv)/spark test  ## every tier, as in CI: Spark and minutes of torture as well
	$(bin)/python -m pytest -m spark $(ARGS)
	JOURNEYCAST_TORTURE=ci $(bin)/python -m pytest tests/torture $(ARGS)

coverage: $(ready)  ## the test suite with branch coverage
	$(by_two) --cov $(ARGS)

torture: $(ready)  ## crashes, clocks, disorder and broken files in full: hours; it needs strace and faketime
	JOURNEYCAST_TORTURE=full $(bin)/python -m pytest tests/torture $(ARGS)

check: $(ready)  ## lint, format, types and architecture; fast
	$(bin)/ruff check
	$(bin)/ruff format --check
	$(bin)/mypy
	$(bin)/python -m pytest --quiet tests/test_architecture.py

serve: $(ready)  ## the HTTP service on what was trained; CONFIG=… chooses the shop
	$(bin)/journeycast -c $(CONFIG) serve

spark: $(venv)/spark  ## PySpark as well, for panels on a cluster (400 MB); it needs a JRE, 17 or newer

lock: $(ready)  ## resolve both locks anew from pyproject.toml
	$(bin)/uv pip compile pyproject.toml --extra dev --extra postgres --universal --python-version 3.11 --upgrade \
		--generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate --quiet \
		--output-file requirements.lock
	$(bin)/uv pip compile pyproject.toml --extra spark --universal --python-version 3.11 --constraint requirements.lock \
		--generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate --quiet \
		| sed -n '/^\(py4j\|pyspark\)==/,/[^\]$$/p' > requirements-spark.lock

clean:  ## remove what make made; workspaces stay
	rm -rf $(venv) .cache .coverage .hypothesis build *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# uv comes out of the lock itself and installs the rest in a tenth of pip's time. It does not read pip's configuration:
# where only pip knows the way to the packages, pip does it. Bytecode is made once, here: importing MLflow without it takes
# ten seconds in every process of a user who has switched the writing of bytecode off.
$(ready): requirements.lock pyproject.toml
	test -x $(bin)/python || $(PYTHON) -m venv $(venv)
	sed -n '/^uv==/,/[^\\]$$/p' requirements.lock > $(venv)/uv.lock
	{ $(bin)/python -m pip $(hashed) -r $(venv)/uv.lock \
		&& $(bin)/uv pip $(hashed) --compile-bytecode --python $(bin)/python -r requirements.lock; } \
		|| $(bin)/python -m pip $(hashed) -r requirements.lock
	$(bin)/python -m pip $(install) --no-build-isolation --editable .
	touch $@

$(venv)/spark: requirements-spark.lock $(ready)
	$(bin)/uv pip $(hashed) --no-build-isolation --python $(bin)/python -r requirements-spark.lock \
		|| $(bin)/python -m pip $(hashed) --no-build-isolation -r requirements-spark.lock
	touch $@
