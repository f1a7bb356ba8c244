"""The whole run in the pinned image with Apptainer; a changed image reruns it; a registry holds it by digest."""

import os
import shutil
import socket
import subprocess
import time
from types import SimpleNamespace
from urllib.error import URLError
from urllib.request import urlopen

import pytest
import yaml
from build_image import build, push
from conftest import ROOT

IMAGES = sorted((ROOT / "containers").glob("cpu-*.sif"))
PROFILE = ("--profile", "profiles/apptainer")

pytestmark = pytest.mark.skipif(
    not (IMAGES and shutil.which("apptainer")),
    reason="no apptainer, or no image for the CPU environment: .ci/run installs and builds them",
)


def use(checkout):
    """Put the image in the place and under the name that the checkout expects."""
    os.link(IMAGES[-1], checkout.folder / "containers" / IMAGES[-1].name)


def test_chain(checkout, finished):
    use(checkout)
    process = checkout.snakemake(*PROFILE, PYTHONPATH="/nowhere")
    assert process.returncode == 0, process.stdout + process.stderr
    (log,) = (checkout.folder / ".snakemake/log").iterdir()
    activated = [line for line in log.read_text().splitlines() if "Activating singularity image" in line]
    assert activated and all(IMAGES[-1].name in line for line in activated)
    name = "results/tiny/eval/word_problems/grpo-seed0/samples.jsonl"
    assert (checkout.folder / name).read_bytes() == (finished.folder / name).read_bytes()
    assert checkout.planned(*PROFILE) == {}

    # Another definition gives another image, and jobs that ran in the old one rerun.
    with open(checkout.folder / "containers/Containerfile", "a") as file:
        file.write("# changed\n")
    assert {"train", "evaluate", "download_model"} <= checkout.planned(*PROFILE).keys()


def test_the_run_builds_what_is_missing(checkout):
    """If there is no image, the run builds it before its first job; here podman fails, and the log says why."""
    podman = checkout.folder / "programs/podman"
    podman.parent.mkdir()
    podman.write_text("#!/bin/sh\necho no podman today >&2\nexit 1\n")
    podman.chmod(0o755)
    process = checkout.snakemake(*PROFILE, PATH=f"{podman.parent}{os.pathsep}{os.environ['PATH']}")
    output = process.stdout + process.stderr
    assert process.returncode != 0 and "Build the image for environment cpu" in output
    assert "logs/build_image.log says why" in output
    assert "no podman today" in (checkout.folder / "logs/build_image.log").read_text()
    assert not (checkout.folder / "results").exists() or not list((checkout.folder / "results").glob("tiny"))


def test_published_image(checkout):
    """An image that is in a registry under the name that the definition has is pulled by digest, another is not."""
    images = checkout.folder / "containers/images.yaml"
    stated = yaml.safe_load(images.read_text())
    name, reference = IMAGES[-1].stem, f"registry.invalid/reasoning@sha256:{'0' * 64}"
    stated["cpu"]["published"] = {name: reference}
    images.write_text(yaml.safe_dump(stated, sort_keys=False))
    process = checkout.snakemake(*PROFILE, "--dry-run")
    assert process.returncode == 0 and f"docker://{reference}" in process.stdout + process.stderr

    stated["cpu"]["published"] = {"cpu-000000000000": reference}
    images.write_text(yaml.safe_dump(stated, sort_keys=False))
    use(checkout)
    process = checkout.snakemake(*PROFILE, "--dry-run")
    assert process.returncode == 0 and reference not in process.stdout + process.stderr


REGISTRY = ROOT / ".venv/registry/usr/bin/docker-registry"
STORE = ROOT / ".venv/containers"  # podman's, of the image that .ci/image built
REGISTRY_CONFIG = {"version": 0.1, "log": {"level": "error"}, "storage": {"filesystem": {}}, "http": {}}
needs_registry = pytest.mark.skipif(
    not (REGISTRY.exists() and (STORE / "storage.conf").exists()),
    reason="no registry in .venv/registry, or no image of podman's: .ci/run installs and builds them",
)


@pytest.fixture
def registry(tmp_path, monkeypatch):
    """The address of an empty registry on loopback, without encryption, for podman and Apptainer."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
    config = REGISTRY_CONFIG | {"http": {"addr": address}}
    config["storage"]["filesystem"]["rootdirectory"] = str(tmp_path / "registry")
    (tmp_path / "registry.yaml").write_text(yaml.safe_dump(config))
    for name in ("containers", "storage"):
        monkeypatch.setenv(f"CONTAINERS_{'STORAGE_' * (name == 'storage')}CONF", str(STORE / f"{name}.conf"))
    monkeypatch.setenv("PUSH_IMAGE_OPTIONS", "--tls-verify=false")
    monkeypatch.setenv("APPTAINER_NOHTTPS", "true")
    process = subprocess.Popen([REGISTRY, "serve", tmp_path / "registry.yaml"])
    try:
        while True:
            try:
                urlopen(f"http://{address}/v2/")
                break
            except URLError:
                assert process.poll() is None, "the registry ended"
                time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait()


@needs_registry
def test_pushed_and_pulled_by_digest(checkout, finished, registry, tmp_path):
    """A rule runs in the image of the registry, which nobody has built here, to the same bytes."""
    name, repository = IMAGES[-1].stem, f"{registry}/reasoning"
    reference = f"{repository}@{push(f'localhost/{name}', repository, tmp_path)}"
    images = checkout.folder / "containers/images.yaml"
    stated = yaml.safe_load(images.read_text())
    stated["cpu"]["published"] = {name: reference}
    images.write_text(yaml.safe_dump(stated, sort_keys=False))
    samples = "results/tiny/eval/word_problems/base/samples.jsonl"
    process = checkout.snakemake(*PROFILE, "--", samples, PYTHONPATH="/nowhere")
    assert process.returncode == 0, process.stdout + process.stderr
    (log,) = (checkout.folder / ".snakemake/log").iterdir()
    assert f"Pulling singularity image docker://{reference}" in log.read_text()
    assert (checkout.folder / samples).read_bytes() == (finished.folder / samples).read_bytes()


DEFINITION = """
ARG BASE
FROM $BASE
COPY Makefile /opt/reasoning/
COPY envs /opt/reasoning/envs
RUN touch /opt/reasoning/made
USER 1000:1000
"""


@needs_registry
def test_two_builds_have_one_digest(registry, tmp_path, monkeypatch):
    """Of the same files in an image of two layers, at different moments."""
    monkeypatch.setenv("BUILD_IMAGE_OPTIONS", "--build-arg=BASE=localhost/debian-base")
    (tmp_path / "containers").mkdir()
    (tmp_path / "containers/Containerfile").write_text(DEFINITION)
    shutil.copy(ROOT / "Makefile", tmp_path)
    arguments = {"definition": tmp_path / "containers/Containerfile", "environment": "cpu"}
    args = SimpleNamespace(locks=sorted((ROOT / "envs").glob("cpu*.txt")), **arguments)
    digests = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        build(args, {"base": "", "apt_options": ""}, f"localhost/test-{name}", tmp_path / name)
        digests.append(push(f"localhost/test-{name}", f"{registry}/{name}", tmp_path))
        subprocess.run(["podman", "rmi", f"localhost/test-{name}"], check=True, capture_output=True)
        time.sleep(1)  # files that are made in the next second have another time
    assert digests[0] == digests[1]
