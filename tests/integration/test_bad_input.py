"""Bad input stops at once, with one line that says what to do, and finished outputs are not touched."""

import hashlib
import json
import os
import shutil
import subprocess
import sys

import pytest
import yaml

RECORD = {"question": "Q?", "answer": "1+1=<<1+1=2>>2\n#### 2"}


def script(checkout, name, *arguments, **environment):
    """Run a stage as the workflow would; returns the error lines in its log, the last of which is on the screen too."""
    process = subprocess.run(
        [sys.executable, f"scripts/{name}.py", *map(str, arguments)],
        cwd=checkout.folder,
        capture_output=True,
        text=True,
        env=os.environ | environment,
    )
    assert process.returncode != 0
    assert "Traceback" not in process.stderr, process.stderr
    lines = [line for line in process.stderr.splitlines() if line.startswith("error: ")]
    assert process.stdout.splitlines()[-1] == lines[-1]
    return lines


def download_data(checkout, train, test, **settings):
    """Run download_data on two files with the given text; returns the error line and whether outputs are untouched."""
    source, target = checkout.folder / "source", checkout.folder / "raw"
    source.mkdir(), target.mkdir()
    (source / "train.jsonl").write_text(train)
    (source / "test.jsonl").write_text(test)
    for split in ("train", "test"):
        (target / f"{split}.jsonl").write_text("finished")
    settings = {"source": str(source), "sha256": {}, "size": {"train": 1, "test": 1}} | settings
    paths = ("--train", target / "train.jsonl", "--test", target / "test.jsonl")
    (line,) = script(checkout, "download_data", "--task-config", json.dumps(settings), *paths)
    assert {path.read_text() for path in target.iterdir()} == {"finished"}
    return line


GOOD = json.dumps(RECORD) + "\n"


@pytest.mark.parametrize(
    ("bad", "settings", "says"),
    [
        (json.dumps(RECORD | {"answer": "2"}), {}, "has no '#### N'"),
        (json.dumps(RECORD | {"answer": "#### "}), {}, "has no '#### N'"),
        (json.dumps({"answer": "#### 2"}), {}, "no text under 'question'"),
        (json.dumps(RECORD | {"question": 5}), {}, "no text under 'question'"),
        (GOOD + '{"question": "Q', {}, "line 2 is not JSON"),
        ("[1]", {}, "not a JSON object"),
        ("", {}, "is empty"),
        (GOOD + GOOD, {}, "2 problems and should have 1"),
        (GOOD, {"sha256": {"test": "0" * 64}}, "is pinned"),
        (GOOD, {"source": "nowhere"}, "no folder nowhere"),
        (GOOD, {"source": "generated://riddles"}, "write generated://"),
        (GOOD, {"source": "ftp://host/data"}, "no source is called ftp"),
        (GOOD, {"source": "hf://openai/gsm8k@main"}, "40 hex digits"),
    ],
)
def test_data(checkout, bad, settings, says):
    assert says in download_data(checkout, GOOD, bad, **settings)


def test_answer_that_is_not_a_number(checkout):
    """It is found during formatting, so that downloads do not depend on how numbers are read."""
    (checkout.folder / "good.jsonl").write_text(GOOD + GOOD.replace("Q?", "R?"))
    (checkout.folder / "bad.jsonl").write_text(json.dumps(RECORD | {"question": "S?", "answer": "#### two"}))
    task = json.dumps({"dev": 1, "limit": {}})
    paths = [f"--{name}={path}" for name, path in (("raw-train", "good.jsonl"), ("raw-test", "bad.jsonl"))]
    paths += [f"--{split}={split}.jsonl" for split in ("train", "dev", "test")]
    prompt = json.dumps({"system": "", "examples": []})
    (line,) = script(checkout, "format_gsm8k", "--prompt-config", prompt, "--task-config", task, *paths)
    assert "test-0: the answer 'two' is not a number" in line and not (checkout.folder / "test.jsonl").exists()


def test_hub_unreachable(checkout):
    source = f"hf://openai/gsm8k@{'0' * 40}/main"
    settings = json.dumps({"source": source, "sha256": {}, "size": {"train": 1, "test": 1}})
    (line,) = script(
        checkout,
        "download_data",
        *("--task-config", settings, "--train", "train.jsonl", "--test", "test.jsonl"),
        HF_ENDPOINT="http://127.0.0.1:9",  # the discard port: nothing listens there
    )
    assert "openai/gsm8k" in line and "the Hub did not answer" in line and "HF_ENDPOINT" in line


def model_settings(**changes):
    return json.dumps({"source": "model", "sha256": None, "license": "mit", "disk_gb": 0.001} | changes)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"sha256": "0" * 64}, "the download is corrupt or the pin is wrong"),
        ({"disk_gb": 10**9}, "are free on the disk"),
        ({"source": "nowhere"}, "no folder nowhere"),
        ({"source": "pypi://six"}, "write pypi://"),
    ],
)
def test_model(checkout, tiny_model, settings, says):
    (checkout.folder / "model").symlink_to(tiny_model)
    (line,) = script(checkout, "download_model", "--model-config", model_settings(**settings), "--model", "base")
    assert says in line and not (checkout.folder / "base").exists()


def test_model_without_chat_template(checkout, tiny_model):
    import shutil

    shutil.copytree(tiny_model, checkout.folder / "model")
    (checkout.folder / "model/chat_template.jinja").unlink()
    (line,) = script(checkout, "download_model", "--model-config", model_settings(), "--model", "base")
    assert "no chat template" in line


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"trian": {}}, "has no key trian"),
        ({"seeds": "0"}, "config: seeds: a list of whole numbers"),
        ({"train": {"grpo": {"learning_rat": 1.0}}}, "train.grpo has no key learning_rat"),
        ({"train": {"grpo": {"learning_rate": "4e-4"}}}, "YAML reads 5.0e-4"),
        ({"train": {"backend": "verl"}}, "train.backend"),
        ({"model": {"source": "hf://Qwen/Qwen2.5-1.5B-Instruct@main"}}, "40 hex digits"),
        ({"model": {"source": f"hf://Qwen/Qwen2.5-1.5B-Instruct@{'0' * 39}"}}, "40 hex digits"),
        ({"arms": {"base": {}}}, "an arm is named in letters"),
        ({"task": "riddles"}, "there is no task riddles"),
        ({"train": {"backend": "unsloth"}}, "config: train: backend unsloth trains on one GPU"),
        ({"train": {"load_in_4bit": True, "grpo": {"use_vllm": True}}}, "config: train: backend trl cannot keep"),
    ],
)
def test_config(checkout, change, says):
    (checkout.folder / "tiny.yaml").write_text(yaml.safe_dump(change))
    process = checkout.snakemake()
    assert process.returncode != 0
    assert any(says in line for line in (process.stdout + process.stderr).splitlines())
    assert not (checkout.folder / "results/tiny").exists()


@pytest.mark.skipif(shutil.which("nvidia-smi") is not None, reason="this machine has a GPU")
def test_no_gpu(checkout):
    checkout.settings["train"]["grpo"]["use_cpu"] = False
    checkout.write()
    process = checkout.snakemake()
    assert process.returncode != 0 and "this machine has no NVIDIA GPU" in process.stdout + process.stderr
    assert not (checkout.folder / "results/tiny").exists()


def test_no_bitsandbytes(checkout):
    checkout.settings["train"]["load_in_4bit"] = True
    checkout.write()
    process = checkout.snakemake()
    assert process.returncode != 0
    assert "error: train.load_in_4bit needs bitsandbytes" in process.stdout + process.stderr


def test_group_that_does_not_fit_the_batch(checkout):
    checkout.settings["train"]["grpo"]["num_generations"] = 3
    checkout.write()
    process = checkout.snakemake()
    assert process.returncode != 0
    assert "error: TRL does not take these settings: generation_batch_size" in process.stdout + process.stderr


def test_unknown_preset(checkout):
    process = checkout.snakemake("--configfile", "config/no-such-run.yaml")
    assert process.returncode != 0 and "config/no-such-run.yaml" in process.stdout + process.stderr


def test_finished_outputs_survive(rerun):
    """A wrong pin changes the download's settings, so that it reruns and fails; nothing is lost."""

    def digests():
        files = [
            p for p in (rerun.folder / "results").rglob("*") if p.is_file() and not p.name.startswith(".snakemake")
        ]
        return {p: hashlib.sha256(p.read_bytes()).hexdigest() for p in files}

    before = digests()
    rerun.write(model=rerun.settings["model"] | {"sha256": "0" * 64})
    process = rerun.snakemake()
    assert process.returncode != 0 and "the pin is wrong" in process.stdout + process.stderr
    assert digests() == before
    rerun.write()
    assert rerun.snakemake().returncode == 0
    assert digests() == before
