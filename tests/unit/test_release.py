"""What the release workflow does to files, by its own commands: it cannot be run as a whole before a release."""

import subprocess

import pytest
import yaml
from conftest import ROOT
from stage.files import write_json

JOBS = yaml.safe_load((ROOT / ".github/workflows/release.yaml").read_text())["jobs"]


def commands(job, step, without=()):
    """The shell commands of a step, without those that begin with a word of `without`."""
    (run,) = (each["run"] for each in JOBS[job]["steps"] if each.get("name", "").startswith(step))
    return "\n".join(line for line in run.splitlines() if not line.startswith(tuple(without)))


def bash(script, folder, **variables):
    """Run commands as the runner does: they end with the first that fails."""
    environment = {"PATH": "/usr/bin:/bin", "GITHUB_OUTPUT": str(folder / "output"), **variables}
    subprocess.run(["bash", "-e", "-o", "pipefail", "-c", script], cwd=folder, env=environment, check=True)


def outputs(folder):
    """What the last step said to those after it."""
    text = (folder / "output").read_text()
    (folder / "output").unlink()
    return dict(line.split("=", 1) for line in text.splitlines())


@pytest.mark.parametrize("environment", ["cpu", "gpu", "t4"])
def test_the_pushed_digest_is_stated(tmp_path, environment):
    """In images.yaml, of that environment alone, and in place of an earlier one."""
    (tmp_path / "containers").mkdir()
    images = tmp_path / "containers/images.yaml"
    images.write_text((ROOT / "containers/images.yaml").read_text())
    before = yaml.safe_load(images.read_text())
    for digit in "ab":
        name, digest = f"{environment}-{digit * 12}", f"sha256:{digit * 64}"
        pushed = tmp_path / f"containers/{name}.published.json"
        write_json(pushed, {name: f"registry.example/owner/{environment}@{digest}"})
        bash(commands("image", "Build and push", ("make", "IMAGE_REPOSITORY")), tmp_path)
        said = outputs(tmp_path)
        assert said["digest"] == digest
        change = commands("image", "Open a change", ("git", "gh"))
        bash(change, tmp_path, ENVIRONMENT=environment, PUBLISHED=said["published"])
        of_image = before[environment] | {"published": {name: f"registry.example/owner/{environment}@{digest}"}}
        assert yaml.safe_load(images.read_text()) == before | {environment: of_image}
        pushed.unlink()


def test_a_release_has_its_entry_of_the_changelog(tmp_path):
    for name in ("CHANGELOG.md", "CITATION.cff"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    version = yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"]
    bash(commands("notes", "Does the changelog"), tmp_path, TAG=f"v{version}", IMAGES="registry.example/owner/name")
    bash(commands("release", "The repository's crate", ("make", ".venv", "(cd")), tmp_path, TAG=f"v{version}")
    notes = (tmp_path / "notes.md").read_text()
    assert notes.strip() and "\n## " not in notes and notes.strip() in (ROOT / "CHANGELOG.md").read_text()
    with pytest.raises(subprocess.CalledProcessError):
        bash(commands("notes", "Does the changelog"), tmp_path, TAG="v9.9.9", IMAGES="registry.example/owner/name")
