"""A bundle runs without a network: in a network namespace without a route, in the environment of the tests."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ISOLATED = ["unshare", "--net"]


def isolates():
    """Whether this user may make a network namespace."""
    return subprocess.run([*ISOLATED, "true"], capture_output=True).returncode == 0


@pytest.mark.skipif(not isolates(), reason="no network namespaces for this user")
def test_a_bundle_runs_without_a_network(checkout, tmp_path):
    for command in ("git init --quiet", "git add ."):
        subprocess.run(command.split(), cwd=checkout.folder, check=True)
    bundle = tmp_path / "bundle"
    pack = [sys.executable, "scripts/pack.py", bundle, "--configfile", "tiny.yaml", "--without-wheels"]
    process = subprocess.run(pack, cwd=checkout.folder, capture_output=True, text=True)
    assert process.returncode == 0, process.stdout + process.stderr
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
