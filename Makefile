# The thinnest layer that every machine has: make the environment, then call snakemake or pytest.
PYTHON ?= python3
CORES ?= 1
BIN := $(CURDIR)/.venv/bin
export PATH := $(BIN):$(PATH)

run: .venv/cpu ## make the environment and run the default run, from the download to the report
	snakemake --cores $(CORES)

# Stages are single processes that mostly import packages: as many files of tests at once as there are cores, up to 4.
test: .venv/test ## make the environment with the test tools and run the test suite
	pytest --numprocesses $$(nproc) --maxprocesses 4 --dist loadfile --no-loadscope-reorder

# A T4 (compute capability 7.5) has an environment of its own. Of several GPUs, the first that may be used decides.
CAPABILITY = $(firstword $(shell nvidia-smi --query-gpu=compute_cap --format=csv,noheader $(if $(CUDA_VISIBLE_DEVICES),--id=$(CUDA_VISIBLE_DEVICES)) 2>/dev/null))
gpu: ## make the environment that fits this machine's GPU
	@command -v nvidia-smi >/dev/null || { echo "error: no nvidia-smi here: use a machine with an NVIDIA GPU, or make run"; exit 1; }
	$(MAKE) .venv/$(if $(filter 7.5,$(CAPABILITY)),t4,gpu)

# Each environment leaves a file of its name in .venv, which a run compares with its config. Another one's packages go first.
VENV = $(PYTHON) -m venv $(if $(wildcard $(filter-out $@,.venv/cpu .venv/gpu .venv/t4)),--clear) .venv
INSTALL := pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement

# torch's CPU build where the machine's package indexes have it; else the public index's build with its CUDA libraries.
.venv/cpu: envs/cpu.txt envs/cpu-torch.txt envs/cpu-torch-public.txt
	$(VENV)
	$(INSTALL) envs/cpu-torch.txt || $(INSTALL) envs/cpu-torch-public.txt
	$(INSTALL) envs/cpu.txt
	pip check
	touch $@

# For a GPU without containers: Linux, Python 3.12, a .venv of its own.
.venv/gpu .venv/t4: .venv/%: envs/%.txt
	$(VENV)
	$(INSTALL) $<
	pip check
	touch $@

.venv/test: .venv/cpu envs/test.txt
	$(INSTALL) envs/test.txt
	touch $@

# Tools that measure and describe this repository, apart from the packages of the runs and the tests.
.venv/bench: envs/bench.txt
	$(PYTHON) -m venv $@
	$@/bin/$(INSTALL) $<
	touch $@

mutation: .venv/test .venv/bench ## measure how many small changes of the domain's code the unit tests notice: an hour or more
	nice .venv/bench/bin/python bench/measure_mutation.py

# What an environment is made of, from its lock files: the same bytes everywhere, with every hash.
SBOMS := $(patsubst %,sbom/%.json,cpu gpu t4 test slurm contract bench)
sbom: $(SBOMS) ## write a software bill of materials (CycloneDX) for every environment
sbom/cpu.json: envs/cpu-torch.txt
sbom/test.json: envs/cpu.txt envs/cpu-torch.txt
$(SBOMS): sbom/%.json: envs/%.txt | .venv/bench
	mkdir -p $(@D)
	cat $(sort $^) | .venv/bench/bin/cyclonedx-py requirements - --output-reproducible --of JSON --output-file $@

lock: ## write envs/*.txt anew from envs/*.in (needs uv)
	envs/lock

.PHONY: run test gpu mutation sbom lock
