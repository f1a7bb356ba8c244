"""The workflow's own form: presets, schema, lint, names."""

import dataclasses
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

PRESETS = sorted(path.name for path in Path("config").glob("*.yaml") if path.name != "config.yaml")
SCHEMA = yaml.safe_load(Path("workflow/schemas/config.schema.yaml").read_text())


# Snakemake, which says what a job asks for only if the rule has no message.
WITHOUT_MESSAGES = "from snakemake import cli, jobs; jobs.Job.message = None; cli.main()"


@pytest.mark.parametrize("preset", PRESETS)
def test_preset_dry_runs(checkout, preset):
    """Its jobs ask for the memory, the time and the GPU that its config states."""
    command = [sys.executable, "-c", WITHOUT_MESSAGES, "--cores", "2", "--dry-run", "--configfile", f"config/{preset}"]
    process = subprocess.run(command, cwd=checkout.folder, capture_output=True, text=True)
    output = process.stdout + process.stderr
    assert process.returncode == 0, output
    config = yaml.safe_load(Path("config", preset).read_text())
    assert config["run"] == Path(preset).stem
    sections = yaml.safe_load(Path("config/config.yaml").read_text())["resources"]
    for rule, changes in config.get("resources", {}).items():
        sections[rule] = sections.get(rule, {}) | changes
    asked = re.findall(r"^rule (\w+):\n(?:    .*\n)*?    resources: (.*mem_mb=.*)$", output, re.MULTILINE)
    assert {"train", "evaluate", "merge_lora", "check_merge", "probe_contamination"} <= {rule for rule, _ in asked}
    gpu = config.get("environment", "cpu") != "cpu"
    for rule, words in asked:
        expected = sections["other"] | sections.get(rule, {})
        found = dict(word.split("=", 1) for word in words.split(", "))
        assert {name: int(found[name]) for name in expected} == expected, rule
        assert ("gpu" in found) == (gpu and rule in ("train", "evaluate", "check_merge", "probe_contamination")), rule


def test_lint(checkout):
    process = subprocess.run(["snakemake", "--lint"], cwd=checkout.folder, capture_output=True, text=True)
    assert process.returncode == 0, process.stdout + process.stderr


def test_formatting():
    subprocess.run(["snakefmt", "--check", "Snakefile", "workflow"], check=True)
    subprocess.run(["ruff", "check", "."], check=True)
    subprocess.run(["ruff", "format", "--check", "."], check=True)


def test_rule_graph(checkout):
    process = subprocess.run(
        ["snakemake", "--rulegraph", "mermaid-js"], cwd=checkout.folder, capture_output=True, text=True
    )
    rules = set(re.findall(r'\["?(\w+)"?\]', process.stdout)) - {"all"}
    assert rules == {
        *("download_model", "download_data", "format_task", "evaluate", "train", "merge_lora", "check_merge"),
        *("probe_contamination", "compare", "tabulate_results", "report", "package_model"),
    }
    assert all(Path(f"scripts/{rule}.py").exists() for rule in rules)
    picture = Path("images/rulegraph.svg").read_text()  # snakemake --rulegraph dot | dot -Tsvg > images/rulegraph.svg
    assert all(f">{rule}<" in picture for rule in rules), "draw images/rulegraph.svg again"


def test_schema_names_are_the_libraries_own():
    from peft import LoraConfig
    from transformers import GenerationConfig
    from trl import GRPOConfig

    train = SCHEMA["$defs"]["train"]["properties"]
    assert train["grpo"]["properties"].keys() <= {field.name for field in dataclasses.fields(GRPOConfig)}
    assert train["lora"]["properties"].keys() <= {field.name for field in dataclasses.fields(LoraConfig)}
    assert SCHEMA["$defs"]["sampling"]["properties"].keys() <= vars(GenerationConfig()).keys()


def test_every_key_is_in_the_manual():
    """config/README.md names every key of the schema."""
    manual = Path("config/README.md").read_text()

    def keys(schema):
        for name, value in schema.get("properties", {}).items():
            yield name
            yield from keys(value)
        for below in ("items", "additionalProperties"):
            if isinstance(schema.get(below), dict):
                yield from keys(schema[below])
        if "$ref" in schema:
            yield from keys(SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]])

    missing = {key for key in keys(SCHEMA) if f"`{key}`" not in manual}
    assert not missing


def test_locks_hold_hashes():
    for lock in Path("envs").glob("*.txt"):
        for requirement in re.split(r"\n(?=\S)", lock.read_text().strip()):
            assert "==" in requirement and "--hash=sha256:" in requirement, (lock, requirement.splitlines()[0])


def test_braces_in_settings(checkout):
    """Regular expressions may have braces, which must not be mistaken for wildcards."""
    checkout.write(prompt=checkout.settings["prompt"] | {"answer": r"\\boxed{(\w{1,9})}", "system": "Answer in {x}."})
    assert "train" in checkout.planned()


def test_an_arm_overrides_what_it_names(checkout):
    """Its other settings are the run's, not the schema's defaults."""
    checkout.write(arms={"grpo": {}, "half": {"rewards": {"accuracy": 0.5}}}, rewards={"format": 0.25, "steps": 0.125})
    process = checkout.snakemake("--dry-run", "--printshellcmds")
    assert process.returncode == 0, process.stdout + process.stderr
    expected = json.dumps({"accuracy": 0.5, "format": 0.25, "random": 0.0, "steps": 0.125})
    assert f"--rewards-config '{expected}'" in (process.stdout + process.stderr).replace('\\"', '"')


def test_arms_of_an_overlay(checkout):
    """They take the place of the default's, also in a run that is given its whole config; overlays add up."""
    checkout.write(arms={"cold": {"train": {"trainer": "sft"}}}, arm="cold")
    assert checkout.planned()["train"] == 1
    (checkout.folder / "more.yaml").write_text("arms: {grpo: {train: {start: cold}}}\n")
    process = checkout.snakemake("more.yaml", "--dry-run", "--quiet", "rules")
    assert re.search(r"^train +2$", process.stdout + process.stderr, re.MULTILINE), process.stdout + process.stderr
    assert checkout.planned("--config", "arms={cold: {}}")["train"] == 1
    process = checkout.snakemake("--dry-run", "--printshellcmds")
    given = max(re.findall(r"--config '([^']*)'", process.stdout + process.stderr), key=len)
    checkout.settings = json.loads(given)
    checkout.write()
    assert checkout.planned()["train"] == 1


RULES = {path.name: path.read_text() for path in sorted(Path("workflow/rules").glob("*.smk"))}


@pytest.mark.parametrize("name", RULES)
def test_rules_read_alike(name):
    """Every rule has a docstring, a message, one flag per line, quoted paths, and lines of at most 120 characters."""
    text = RULES[name]
    for rule, body in re.findall(r"^rule (\w+):\n((?:    .*\n|\n)*)", text, re.MULTILINE):
        assert re.match(r'    """[A-Z][^\n]*\."""\n', body), rule
        assert body.count("    message:\n") == 1, rule
        assert not re.search(r" --[a-z].* --[a-z]", body), rule
        shell = body[body.index("    shell:") :]
        assert not re.search(r"\{(input|output|log)\b[^}:]*\}", shell), rule
        assert re.search(r'2>\{log:q\}\n        """\s*$', body), rule
    assert max(map(len, text.splitlines())) <= 120


def test_packages_are_found():
    """modulefinder, which finds the code that a rule depends on, ignores folders without __init__.py."""
    folders = {path.parent for path in Path("scripts").rglob("*.py")} - {Path("scripts")}
    assert all((folder / "__init__.py").exists() for folder in folders)
