"""A run's exports for other tools, read by those tools if they are installed."""

import json
import re
import runpy
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

TOOLS = Path(".venv/tools/bin").resolve()


@pytest.fixture(scope="module")
def exported(finished, tmp_path_factory):
    """The folder of a checkout with all descriptions of its task."""
    checkout = finished.copy(tmp_path_factory.mktemp("exports") / "checkout")
    names = ("lm_eval/word_problems.yaml", "inspect/word_problems.py", "croissant/word_problems.json")
    process = checkout.snakemake("--", *(f"results/tiny/{name}" for name in names))
    assert process.returncode == 0, process.stdout + process.stderr
    return checkout.folder


class Loader(yaml.SafeLoader):
    """Takes the functions that the harness imports from a file beside the task for their names."""


Loader.add_constructor("!function", Loader.construct_scalar)


def test_lm_eval_task(exported):
    """tests/unit/test_export_lm_eval.py has the harness run such a task."""
    folder = exported / "results/tiny/lm_eval"
    task = yaml.load((folder / "word_problems.yaml").read_text(), Loader)
    assert (exported / task["dataset_kwargs"]["data_files"]["test"]).exists()
    assert [entry["name"] for entry in task["filter_list"]] == ["strict", "flexible", "math_verify"]
    assert task["filter_list"][0]["filter"][0] == {"function": "custom", "filter_fn": "word_problems.strict"}
    filters = runpy.run_path(str(folder / "word_problems.py"))
    assert filters["strict"]([["9 - 3 = 6\n#### 6.0", "none"]], None) == [["6", "[invalid]"]]


def test_inspect_task(exported):
    """Its paths are right from where it lies; tests/unit/test_export_inspect.py runs it."""
    text = (exported / "results/tiny/inspect/word_problems.py").read_text()
    compile(text, "word_problems.py", "exec")
    for path in re.findall(r"HERE / '([^']+)'", text):
        assert (exported / "results/tiny/inspect" / path).exists(), path
    assert "'../../../scripts'" in text and "'../data/word_problems/test.jsonl'" in text


def test_croissant(exported):
    path = exported / "results/tiny/croissant/word_problems.json"
    for file in json.loads(path.read_text())["distribution"]:
        assert (path.parent / file["contentUrl"]).resolve().is_file()
    command = shutil.which("mlcroissant") or shutil.which(TOOLS / "mlcroissant")
    if command is None:
        pytest.skip("mlcroissant is missing: .ci/run installs it in .venv/tools")
    subprocess.run([command, "validate", "--jsonld", path], check=True)
    loaded = subprocess.run(
        [command, "load", "--jsonld", path, "--record_set", "test", "--num_records", "2"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert "test-0" in loaded.stdout + loaded.stderr


def test_gguf_in_the_package(rerun):
    """With hub.gguf, the package has the file, and the card has its comparison with the model."""
    rerun.write(hub={"gguf": "F16"})
    process = rerun.snakemake("--", "results/tiny/hub/grpo-seed0.sha256")
    assert process.returncode == 0, process.stdout + process.stderr
    package = rerun.folder / "results/tiny/hub/grpo-seed0"
    assert (package / "tiny-grpo-seed0.gguf").read_bytes()[:4] == b"GGUF"
    parity = json.loads((package / "tiny-grpo-seed0.json").read_text())
    assert (
        f"{100 * parity['agreement']:.1f} % of {parity['problems']} dev problems" in (package / "README.md").read_text()
    )


def test_adapter_alone(rerun):
    rerun.write(hub={"contents": "adapter"})
    assert rerun.planned().keys() == {"report", "package_model"}
    process = rerun.snakemake("--", "results/tiny/hub/grpo-seed0.sha256")
    assert process.returncode == 0, process.stdout + process.stderr
    package = rerun.folder / "results/tiny/hub/grpo-seed0"
    assert (package / "adapter_model.safetensors").exists() and not (package / "model.safetensors").exists()
    assert "library_name: peft" in (package / "README.md").read_text()
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=package, check=True)
