"""The plan of a run on Kubernetes. Nothing is run: that needs a cluster and a bucket."""

import pytest
from conftest import ROOT

PLUGINS = ROOT / ".venv/kubernetes"  # snakemake-executor-plugin-kubernetes, and the storage plugins fs and s3


@pytest.mark.skipif(not PLUGINS.exists(), reason="no plugins for Kubernetes in .venv/kubernetes: .ci/run installs them")
def test_every_file_is_in_storage(checkout):
    """A folder stands for the bucket."""
    profile = ["--profile", "profiles/kubernetes", "--default-storage-provider", "fs"]
    options = ["--default-storage-prefix", "bucket", "--dry-run", "--workflow-profile", "none", "--", "all"]
    process = checkout.snakemake(*profile, *options, PYTHONPATH=str(PLUGINS))
    output = process.stdout + process.stderr
    assert process.returncode == 0, output
    assert "bucket/results/tiny/report.html" in output and "train " in output
    assert "gpu_manufacturer=nvidia" in output
