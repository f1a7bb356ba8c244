"""The command that a report states makes its numbers, whatever files and options the config came from."""

import hashlib
import html
import json
import re
import subprocess

import pytest
import yaml
from conftest import Checkout, call

SAMPLES = "results/tiny/eval/word_problems/base/samples.jsonl"
SHORTER = {"eval": {"sampling": {"max_new_tokens": 5}}}


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    "overlays",
    [
        ["--configfile", "elsewhere/whole.yaml"],
        ["--configfile", "tiny.yaml", "shorter.yaml"],
        ["--configfile", "tiny.yaml", "shorter.yaml", "--config", "headline=flexible"],
    ],
    ids=["a file outside config", "two files", "a value on the command line"],
)
def test_stated_command(rerun, tiny_model, tmp_path, overlays):
    """In a clean clone, with the config that lies beside the report where the command says."""
    before = digest(rerun.folder / SAMPLES)
    (rerun.folder / "shorter.yaml").write_text(yaml.safe_dump(SHORTER))
    (rerun.folder / "elsewhere").mkdir()
    sampling = rerun.settings["eval"]["sampling"] | SHORTER["eval"]["sampling"]
    whole = rerun.settings | {"eval": rerun.settings["eval"] | {"sampling": sampling}}
    (rerun.folder / "elsewhere/whole.yaml").write_text(yaml.safe_dump(whole))
    process = call(rerun.folder, *overlays, "--", "results/tiny/report.html")
    assert process.returncode == 0, process.stdout
    page = (rerun.folder / "results/tiny/report.html").read_text()
    (command,) = re.findall(r"<code>(snakemake [^<]*)</code>, at the commit", page)

    config = json.loads((rerun.folder / "results/tiny/config.json").read_text())
    assert config["headline"] == ("flexible" if "--config" in overlays else "strict")

    clone = Checkout(tmp_path / "clone", tiny_model)
    (clone.folder / "tiny.yaml").unlink()
    (clone.folder / "results/tiny").mkdir(parents=True)
    (clone.folder / "results/tiny/config.json").write_text((rerun.folder / "results/tiny/config.json").read_text())
    words = html.unescape(command).split()
    process = subprocess.run([*words, "--", SAMPLES], cwd=clone.folder, capture_output=True, text=True)
    assert process.returncode == 0, process.stdout + process.stderr
    assert digest(clone.folder / SAMPLES) == digest(rerun.folder / SAMPLES) != before


def stated(folder, *arguments):
    """The commands that report and model card would state, in order."""
    process = call(folder, *arguments, "--dry-run", "--printshellcmds")
    assert process.returncode == 0, process.stdout
    return re.findall(r"--command '([^']*)'", process.stdout)


def test_short_commands(checkout):
    """The default run needs no file, and a preset its own; a preset with something else is not the preset."""
    assert stated(checkout.folder) == ["snakemake --cores 1"] * 3  # the report, and two packages
    preset = "config/smollm2-135m-gsm8k.yaml"
    own = stated(checkout.folder, "--configfile", preset)  # packages nothing
    assert own == [f"snakemake --cores 1 --configfile {preset}"]
    files = {"results/smollm2-135m-words/config.json", "run-config.json"}
    found = stated(checkout.folder, "--config", "headline=flexible")
    assert set(found) == {f"snakemake --cores 1 --configfile {file}" for file in files}


def test_record_and_package_hold_the_config(published):
    """The same whole config in the run's folder and the record; in the package without what only `controls` reads."""
    results, record = published.folder / "results/tiny", published.folder / "results/published/tiny"
    config = (results / "config.json").read_text()
    assert (record / "config.json").read_text() == (record / "controls/config.json").read_text() == config
    whole, packaged = json.loads(config), json.loads((results / "hub/grpo-seed0/run-config.json").read_text())
    assert packaged == {key: value for key, value in whole.items() if key != "controls"}
    stated = "snakemake --cores 1 --configfile results/published/tiny/config.json"
    assert f'"{stated}"' in (record / "provenance.json").read_text()
