"""What a bundle has of a config, and what stops packing before anything is fetched."""

import subprocess
from pathlib import Path
from types import SimpleNamespace

import pack
import pytest
import yaml

OWN = {
    "tasks": {"animals": {"module": "animals.py", "source": "data/animals"}},
    "rewards": {"rewards.py:brevity": 0.2},
    "arms": {"grpo": {}, "bold": {"rewards": {"more/bold.py:bold": 1}}},
    "sweep": {"reward": {"a": {"rewards": {"swept.py:f": 1}}}},
    "baselines": [],
}
FILES = ("animals.py", "rewards.py", "more/bold.py", "swept.py")


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """A clone with a default config, in which pack.py lies."""
    root = tmp_path / "clone"
    (root / "config").mkdir(parents=True)
    (root / "config/config.yaml").write_text("{run: r, environment: cpu, sweep: {}}")
    (root / "containers").mkdir()
    (root / "containers/Containerfile").write_text("")
    subprocess.run(["git", "init", "--quiet"], cwd=root, check=True)
    subprocess.run(["git", "add", "."], cwd=root, check=True)
    monkeypatch.setattr(pack, "ROOT", root)
    monkeypatch.setattr(pack, "call", lambda *command, **options: None)
    return root


def write_own(folder, root):
    """An overlay in `folder` with the files that it names beside it, and its data in `root`; returns its path."""
    for path in [*(folder / name for name in FILES), root / "data/animals/test.jsonl"]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    (folder / "own.yaml").write_text(yaml.safe_dump(OWN))
    return folder / "own.yaml"


def packed(root, *overlays, **options):
    """The bundle of overlays."""
    given = {"folder": root.parent / "bundle", "torch": "cpu", "image": False, "without_wheels": True} | options
    pack.main(SimpleNamespace(configfile=list(overlays), **given))
    return given["folder"]


@pytest.mark.parametrize(("folder", "place"), [("mine", "mine"), ("../elsewhere", "given/0")])
def test_what_an_overlay_names_comes_along(clone, folder, place):
    """At the place that it has in the clone, because a module's path is in the protocol."""
    bundle = packed(clone, write_own(clone / folder, clone))
    source = bundle / "source"
    assert all((source / place / name).is_file() for name in (*FILES, "own.yaml"))
    assert (source / "data/animals/test.jsonl").is_file()
    assert f"--cache --configfile {place}/own.yaml" in (bundle / "run").read_text()
    assert f"{place}/rewards.py" in (bundle / "SHA256SUMS").read_text()


def test_several_overlays(clone):
    for name, settings in (("a", {"run": "x y"}), ("b c", {})):
        (clone / f"{name}.yaml").write_text(yaml.safe_dump(settings))
    bundle = packed(clone, clone / "a.yaml", clone / "b c.yaml")
    assert "--configfile a.yaml 'b c.yaml' \"$@\"" in (bundle / "run").read_text()


@pytest.mark.parametrize("name", ["../shared.py", "/shared.py"])
def test_a_file_that_has_no_place_in_a_bundle(clone, tmp_path, name):
    (tmp_path / "shared.py").write_text("")
    (clone / "own.yaml").write_text(yaml.safe_dump({"rewards": {f"{name}:f": 1}}))
    with pytest.raises(SystemExit, match="shared.py (lies neither in|is at another place)"):
        packed(clone, clone / "own.yaml")


@pytest.mark.parametrize("task", [{"module": "reasoning_gym"}, {"source": "reasoning_gym://chain_sum?seed=0&test=9"}])
def test_packages_of_the_gym(clone, monkeypatch, task):
    """Come along, and are installed, if a task needs them."""
    fetched = []
    monkeypatch.setattr(pack, "download", lambda wheels, locks: fetched.extend(locks))
    (clone / "own.yaml").write_text(yaml.safe_dump({"tasks": {"sums": task}}))
    assert "for lock in gym.txt; do" in (packed(clone, clone / "own.yaml", without_wheels=False) / "run").read_text()
    assert fetched == ["cpu.txt", "cpu-torch.txt", "build.txt", "gym.txt"]


def test_no_packages_of_the_gym(clone):
    assert "for lock in ; do" in (packed(clone, write_own(clone / "mine", clone)) / "run").read_text()


def test_the_image_comes_along(clone):
    """The newest of the environment: Snakemake says if that is not the one that it needs."""
    (clone / "containers/gpu-1.sif").write_text("an image")
    (clone / "own.yaml").write_text("environment: gpu")
    bundle = packed(clone, clone / "own.yaml", image=True)
    assert (bundle / "source/containers/gpu-1.sif").read_text() == "an image"
    assert "--profile profiles/apptainer --apptainer-prefix ../images" in (bundle / "run").read_text()


def refuses(root, words, *overlays, **options):
    """Packing stops with these words, and leaves nothing."""
    before = sorted(root.parent.iterdir())
    with pytest.raises(SystemExit, match=f"^error: .*{words}"):
        packed(root, *overlays, **options)
    assert sorted(root.parent.iterdir()) == before


def test_what_cannot_be_packed(clone, tmp_path):
    refuses(clone, "--configfile .*nowhere.yaml: .*: give a YAML file of settings", Path("nowhere.yaml"))
    for text in ("a: [", "[1]", "word"):
        (clone / "own.yaml").write_text(text)
        refuses(clone, "own.yaml: .*: give a YAML file of settings", clone / "own.yaml")
    (clone / "own.yaml").write_text("{run: large, environment: gpu}")
    refuses(clone, "run large asks for environment gpu, .*: add --image", clone / "own.yaml", without_wheels=False)
    (tmp_path / "bundle").mkdir()
    refuses(clone, "exists: move it away")


def test_no_clone(clone):
    for path in sorted((clone / ".git").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    refuses(clone, "git tracks no files in .*: pack in a clone")


def test_a_failed_packing_leaves_nothing(clone, monkeypatch):
    """But its logs, so that the same command can be given again."""

    def fail(*command, cwd, **options):
        (cwd / "logs").mkdir()
        (cwd / "logs/download.log").write_text("why")
        raise SystemExit(f"error: {command[0]} failed")

    monkeypatch.setattr(pack, "call", fail)
    for _ in range(2):
        refuses(clone, "snakemake failed")
        assert (clone / "logs/pack/download.log").read_text() == "why"
