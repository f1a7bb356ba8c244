"""A bundle installs and runs without a network: in a network namespace without a route."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import make_tiny_model

ISOLATED = ["unshare", "--net"]


def isolates():
    """Whether this user may make a network namespace."""
    return subprocess.run([*ISOLATED, "true"], capture_output=True).returncode == 0


pytestmark = pytest.mark.skipif(not isolates(), reason="no network namespaces for this user")


def pack(checkout, *options, configfile="tiny.yaml"):
    """Pack a checkout; returns the bundle."""
    for command in ("git init --quiet", "git add ."):
        subprocess.run(command.split(), cwd=checkout.folder, check=True)
    bundle = checkout.folder.parent / "bundle"
    command = [sys.executable, "scripts/pack.py", bundle, "--configfile", configfile, *options]
    process = subprocess.run(command, cwd=checkout.folder, capture_output=True, text=True)
    assert process.returncode == 0, process.stdout + process.stderr
    return bundle


def test_packages_install_without_a_network(checkout):
    """Of the lock files, also the one that a task asks for, here cut to what comes as source and what builds it."""
    envs = checkout.folder / "envs"
    blocks = re.split(r"(?m)^(?=[a-z])", (envs / "cpu.txt").read_text())
    cut = [block for block in blocks if re.match("(connection-pool|setuptools|packaging)==", block)]
    assert len(cut) == 3
    (envs / "cpu.txt").write_text("".join(cut))
    (envs / "cpu-torch.txt").write_text(next(block for block in blocks if block.startswith("tqdm==")))
    gym = re.split(r"(?m)^(?=[a-z])", (envs / "gym.txt").read_text())
    (envs / "gym.txt").write_text(next(block for block in gym if block.startswith("zss==")))
    sums = {"source": "reasoning_gym://chain_sum?seed=0&test=9", "size": {"test": 9}, "sha256": {}, "limit": {}}
    checkout.write(tasks=checkout.settings["tasks"] | {"sums": sums | {"module": "reasoning_gym"}})
    bundle = pack(checkout)
    sources = sorted(path.name for path in (bundle / "wheels").iterdir() if path.suffix != ".whl")
    assert sources == ["connection_pool-0.0.3.tar.gz", "zss-1.2.0.tar.gz"]
    process = subprocess.run([*ISOLATED, bundle / "run", "--version"], capture_output=True, text=True, cwd="/")
    assert process.returncode == 0, process.stdout + process.stderr
    python = bundle / "source/.venv/bin/python"
    installed = "import connection_pool, tqdm; from importlib.metadata import version; version('zss')"
    subprocess.run([python, "-c", installed], check=True)


def test_a_bundle_runs_without_a_network(checkout):
    """In the environment of the tests."""
    bundle = pack(checkout, "--without-wheels")
    assert not (bundle / "source/results/tiny").exists() and list((bundle / "cache").iterdir())

    metrics = "results/tiny/eval/word_problems/base/metrics.json"
    blocked = [sys.executable, "-c", "import socket; socket.create_connection(('192.0.2.1', 80), 5)"]
    assert "unreachable" in subprocess.run([*ISOLATED, *blocked], capture_output=True, text=True).stderr
    process = subprocess.run([*ISOLATED, bundle / "run", "--", metrics], capture_output=True, text=True, cwd="/")
    output = process.stdout + process.stderr
    assert process.returncode == 0, output
    assert (bundle / "source" / metrics).exists() and "Evaluate base" in output
    for made in ("models/base/model.safetensors", "data/word_problems/test.jsonl"):
        assert Path(os.path.realpath(bundle / "source/results/tiny" / made)).is_relative_to(bundle / "cache")

    (bundle / "source/scripts/evaluate.py").write_text("# damaged")
    process = subprocess.run([bundle / "run"], capture_output=True, text=True)
    assert process.returncode != 0 and "source/scripts/evaluate.py: FAILED" in process.stdout + process.stderr


def test_a_bundle_of_files_and_models_of_ones_own(checkout, tiny_model):
    """A reward and data that only the overlay names, both models of a sweep, and the problems of its dev split."""
    mine = checkout.folder / "mine"
    make_tiny_model(checkout.folder / "large", intermediate_size=48)
    shutil.copytree(tiny_model, checkout.folder / "small")
    checkout.settings["model"]["source"] = "small"
    sweep = {"size": {"small": {}, "large": {"model": {"source": "large"}}}}
    checkout.write(sweep=sweep, rewards={"own.py:varied": 1.0})
    subprocess.run(["git", "init", "--quiet"], cwd=checkout.folder, check=True)
    (checkout.folder / ".gitignore").write_text("mine\nsmall\nlarge\n")
    mine.mkdir()
    (checkout.folder / "tiny.yaml").rename(mine / "tiny.yaml")
    (mine / "own.py").write_text("def varied(text, tokens, problem):\n    return float(len(set(text)))\n")
    bundle = pack(checkout, "--without-wheels", configfile="mine/tiny.yaml")

    shutil.rmtree(checkout.folder)
    moved = bundle.rename(bundle.with_name("moved"))
    history = "results/tiny/training/grpo_large-seed0/history.csv"
    dev = "results/tiny/data/word_problems_dev/dev.jsonl"
    process = subprocess.run([*ISOLATED, moved / "run", "--", history, dev], capture_output=True, text=True, cwd="/")
    assert process.returncode == 0, process.stdout + process.stderr
    assert "rewards/mine/own.py:varied/mean" in (moved / "source" / history).read_text()
    assert (moved / "source" / dev).exists()
    assert subprocess.run([moved / "run", "--", dev], capture_output=True).returncode == 0  # no checksum is of bytecode
