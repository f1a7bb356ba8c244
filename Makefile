# The thinnest layer that every machine has: make the environment, then call snakemake or pytest.
PYTHON ?= python3
CORES ?= 1
BIN := $(CURDIR)/.venv/bin
export PATH := $(BIN):$(PATH)

run: .venv/run ## make the environment and run the default run, from the download to the report
	snakemake --cores $(CORES)

test: .venv/test ## make the environment with the test tools and run the test suite
	pytest

.venv/run: envs/cpu.txt envs/torch-cuda.txt
	$(PYTHON) -m venv .venv
	pip install --no-deps --require-hashes --requirement envs/cpu.txt
# The public index has torch for x86-64 Linux only as a CUDA build, which does not import without its libraries;
# `pip check` says whether that is the build we got.
	pip check || pip install --no-deps --require-hashes --requirement envs/torch-cuda.txt
	touch $@

.venv/test: .venv/run envs/test.txt
	pip install --no-deps --require-hashes --requirement envs/test.txt
	touch $@

lock: ## write envs/*.txt anew from envs/*.in (needs uv)
	envs/lock

.PHONY: run test lock
