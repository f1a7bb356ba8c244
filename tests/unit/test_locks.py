"""The lock files satisfy envs/*.in, and every file in them has its sha256."""

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

ENVIRONMENTS = {
    "cpu": ["cpu", "cpu-torch", "cpu-torch-public"],
    "gpu": ["gpu"],
    "t4": ["t4"],
    "test": ["test", "cpu"],
    "contract": ["contract"],
    "slurm": ["slurm", "cpu"],
    "bench": ["bench"],
    "gym": ["gym", "cpu"],
    "build": ["build", "cpu"],
}


def locked(name):
    """`{package: version}` of a lock file, every requirement of which must have hashes and no URL."""
    text = re.sub(r"\\\n", " ", Path(f"envs/{name}.txt").read_text())
    found = {}
    for line in text.splitlines():
        match = re.match(r"([A-Za-z0-9._-]+)==([^ ;]+)", line)
        assert match, f"envs/{name}.txt: {line[:60]}"
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", line), f"envs/{name}.txt: {match[1]} has no hash"
        assert "://" not in line
        found[match[1].lower()] = match[2]
    return found


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_lock_files_hold_what_is_asked_for(environment):
    packages = {k: v for name in ENVIRONMENTS[environment] for k, v in locked(name).items()}
    asked = [line.strip() for line in Path(f"envs/{environment}.in").read_text().splitlines()]
    for line in filter(lambda line: line and not line.startswith("#"), asked):
        name, _, version = line.partition("==")
        found = packages.get(re.sub(r"[-_.]+", "-", name).lower())
        assert found, f"envs/{environment}.in requires {name}, which its lock file lacks: run envs/lock"
        assert not version or found.split("+")[0] == version, f"{name}: {version} is required, {found} is locked"


def test_environments_share_their_versions():
    """Tests on a CPU and training on a GPU use the same versions, except for intended differences."""
    cpu, gpu, t4 = (
        {k: v for name in ENVIRONMENTS[environment] for k, v in locked(name).items()}
        for environment in ("cpu", "gpu", "t4")
    )
    for name in ("transformers", "peft", "datasets", "accelerate", "huggingface-hub", "snakemake", "math-verify"):
        assert cpu[name] == gpu[name] == t4[name], name
    for name in ("unsloth", "trl", "bitsandbytes"):
        assert gpu[name] == t4[name], name


def test_images():
    """Each image has a lock file, and its base image has a digest."""
    images = yaml.safe_load(Path("containers/images.yaml").read_text())
    assert images.keys() == ENVIRONMENTS.keys() - {"test", "contract", "slurm", "bench", "gym", "build"}
    for image in images.values():
        assert re.fullmatch(r"[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}", image["base"])
        for published in image.get("published", {}).values():
            assert re.fullmatch(r"[\w./:-]+@sha256:[0-9a-f]{64}", published)


@pytest.mark.skipif(not Path(".venv/bench").exists(), reason="no tools to write an SBOM: make .venv/bench")
def test_an_sbom_is_the_lock_files():
    """Every package with its version and all its hashes, and the same bytes when it is made again."""
    path, files, texts = Path("sbom/cpu.json"), ["cpu", "cpu-torch"], []
    for _ in range(2):
        path.unlink(missing_ok=True)
        subprocess.run(["make", str(path)], check=True, capture_output=True)
        texts.append(path.read_text())
    assert texts[0] == texts[1]
    components = json.loads(texts[0])["components"]
    found = {component["name"].lower(): component["version"] for component in components}
    assert found == {name: version for file in files for name, version in locked(file).items()}
    hashes = [h["content"] for c in components for each in c["externalReferences"] for h in each["hashes"]]
    stated = [digest for file in files for digest in re.findall(r"sha256:(\w+)", Path(f"envs/{file}.txt").read_text())]
    assert sorted(hashes) == sorted(stated)
