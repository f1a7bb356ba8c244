"""A bundle installs and runs without a network: in a network namespace without a route."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ISOLATED = ["unshare", "--net"]


def isolates():
    """Whether this user may make a network namespace."""
    return subprocess.run([*ISOLATED, "true"], capture_output=True).returncode == 0


pytestmark = pytest.mark.skipif(not isolates(), reason="no network namespaces for this user")


def pack(checkout, *options):
    """Pack a checkout; returns the bundle."""
    for command in ("git init --quiet", "git add ."):
        subprocess.run(command.split(), cwd=checkout.folder, check=True)
    bundle = checkout.folder.parent / "bundle"
    command = [sys.executable, "scripts/pack.py", bundle, "--configfile", "tiny.yaml", *options]
    process = subprocess.run(command, cwd=checkout.folder, capture_output=True, text=True)
    assert process.returncode == 0, process.stdout + process.stderr
    return bundle


def test_packages_install_without_a_network(checkout):
    """Of the lock files, here cut to what comes as source and what builds it: the rest are wheels."""
    envs = checkout.folder / "envs"
    blocks = re.split(r"(?m)^(?=[a-z])", (envs / "cpu.txt").read_text())
    cut = [block for block in blocks if re.match("(connection-pool|setuptools|packaging)==", block)]
    assert len(cut) == 3
    (envs / "cpu.txt").write_text("".join(cut))
    (envs / "cpu-torch.txt").write_text(next(block for block in blocks if block.startswith("tqdm==")))
    bundle = pack(checkout)
    assert [path.name for path in (bundle / "wheels").iterdir() if path.suffix != ".whl"] == [
        "connection_pool-0.0.3.tar.gz"
    ]
    process = subprocess.run([*ISOLATED, bundle / "run", "--version"], capture_output=True, text=True, cwd="/")
    assert process.returncode == 0, process.stdout + process.stderr
    python = bundle / "source/.venv/bin/python"
    subprocess.run([python, "-c", "import connection_pool, tqdm"], check=True)


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
