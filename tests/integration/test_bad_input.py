"""Bad input stops at once, with one line that says what to do, and finished outputs are not touched."""

import hashlib
import json
import os
import runpy
import shutil
import subprocess
import sys

import pytest
import yaml
from conftest import call

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
    paths = ("--train", target / "train.jsonl", "--test", target / "test.jsonl", "--sums", target / "SHA256SUMS")
    (line,) = script(checkout, "download_data", "--task-config", json.dumps(settings), *paths)
    assert {path.read_text() for path in target.iterdir()} == {"finished"}
    return line


def test_options_that_a_stage_does_not_take(checkout):
    """Argparse's own words are the stage's error line, in its log and on the screen."""
    (line,) = script(checkout, "tabulate_sweep")
    assert line.startswith("error: tabulate_sweep.py: the following arguments are required: --")
    (line,) = script(checkout, "tabulate_sweep", "@nowhere.json")
    assert "No such file or directory: 'nowhere.json'" in line


def test_a_rule_whose_script_takes_other_options(checkout):
    """The screen ends with what is wrong, and does not speak of memory."""
    path = checkout.folder / "scripts/format_task.py"
    path.write_text(path.read_text().replace('"--sums"', '"--digests"'))
    process = checkout.snakemake("--", "results/tiny/data/word_problems/test.jsonl")
    last = (process.stdout + process.stderr).strip().splitlines()[-1]
    assert process.returncode and last.startswith("error: format_task.py: the following arguments are required"), last


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
    paths += [f"--{split}={split}.jsonl" for split in ("train", "dev", "test")] + ["--sums=SHA256SUMS"]
    prompt = json.dumps({"system": "", "examples": []})
    (line,) = script(checkout, "format_task", "--prompt-config", prompt, "--task-config", task, *paths)
    assert "test-0: the answer 'two' is not a number" in line and not (checkout.folder / "test.jsonl").exists()


def test_hub_unreachable(checkout):
    source = f"hf://openai/gsm8k@{'0' * 40}/main"
    settings = json.dumps({"source": source, "sha256": {}, "size": {"train": 1, "test": 1}})
    (line,) = script(
        checkout,
        "download_data",
        *("--task-config", settings, "--train", "train.jsonl", "--test", "test.jsonl", "--sums", "SHA256SUMS"),
        HF_ENDPOINT="http://127.0.0.1:9",  # the discard port, where nobody listens
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
    ("files", "ok"),
    [
        (["model.safetensors"], True),
        (["a.gguf"], True),
        (["model.safetensors", "other.gguf"], False),
        (["a.gguf", "b.gguf"], False),
        (["model.safetensors", "adapter_model.safetensors"], False),
        (["other.safetensors"], False),
        (["one.safetensors", "two.safetensors", "model.safetensors.index.json"], True),
        (["one.safetensors", "two.safetensors", "three.safetensors", "model.safetensors.index.json"], False),
        (["model.safetensors", "one.safetensors", "two.safetensors", "model.safetensors.index.json"], False),
    ],
)
def test_a_folder_holds_one_model(tmp_path, files, ok):
    """Which is what the pinned checksum is of, and what every later stage reads."""
    main = runpy.run_path("scripts/download_model.py")
    for name in files:
        (tmp_path / name).write_text(name)
    index = tmp_path / "model.safetensors.index.json"
    if index.exists():
        index.write_text(json.dumps({"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}}))
    pinned = hashlib.sha256(files[0].encode()).hexdigest()
    if ok:
        main["check_weights"](tmp_path, pinned)
    else:
        with pytest.raises(SystemExit, match="error: the model's source holds .* give a folder that holds one model"):
            main["check_weights"](tmp_path, pinned)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"trian": {}}, "has no key trian"),
        ({"seeds": "0"}, "config: seeds: a list of whole numbers"),
        ({"seeds": []}, "config: arm cold_start has no seeds: state them there"),
        (
            {"seeds": [], "arms": {"grpo": {"seeds": [0]}}, "hub": {"repo_id": "me/model"}},
            "config: hub.repo_id is for the policies of `seeds`, and there are none",
        ),
        ({"train": {"grpo": {"learning_rat": 1.0}}}, "train.grpo has no key learning_rat"),
        ({"train": {"grpo": {"learning_rate": "4e-4"}}}, "YAML reads 5.0e-4"),
        ({"train": {"backend": "verl"}}, "train.backend"),
        ({"model": {"source": "hf://Qwen/Qwen2.5-1.5B-Instruct@main"}}, "40 hex digits"),
        ({"model": {"source": f"hf://Qwen/Qwen2.5-1.5B-Instruct@{'0' * 39}"}}, "40 hex digits"),
        ({"arms": {"base": {}}}, "an arm is named in letters"),
        ({"task": "riddles"}, "there is no task riddles"),
        ({"prompt": {"answer": "answer: ([0-9]+"}}, "config: prompt.answer is not a regular expression: missing )"),
        ({"prompt": {"answer": r"\(none\)"}}, "config: prompt.answer has 0 groups"),
        ({"prompt": {"answer": "(answer|result): ([0-9]+)"}}, "config: prompt.answer has 2 groups"),
        ({"prompt": {"format": "*"}}, "config: prompt.format is not a regular expression: nothing to repeat"),
        ({"train": {"backend": "unsloth"}}, "config: train: backend unsloth trains on one GPU"),
        ({"train": {"load_in_4bit": True, "grpo": {"use_vllm": True}}}, "config: train: backend trl cannot keep"),
        ({"train": {"grpo": {"fsdp": True}}}, "config: train: FSDP divides a model of 16 or 32 bit among GPUs"),
        (
            {"arms": {"grpo": {"train": {"trainer": "sft", "teacher": "base", "problems": {"wrong_answers": True}}}}},
            "config: arm grpo: train.problems.wrong_answers makes a teacher's right completions wrong",
        ),
        ({"arms": {"grpo": {"train": {"processes": 2}}}}, "config: grpo: train.processes is the same for all arms"),
        ({"sweep": {"a": {"b": {}}}}, "which no sweep can: state arms without it, such as arms: {grpo: {}}, or no"),
        (
            {"arms": {"grpo": {}}, "sweep": {"device": {"gpu": {"train": {"grpo": {"use_cpu": False}}}}}},
            "train.grpo.use_cpu is the same for all arms: state it outside arms and sweep",
        ),
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
    process = call(checkout.folder, "--configfile", "config/no-such-run.yaml")
    assert process.returncode != 0 and "config/no-such-run.yaml" in process.stdout


@pytest.mark.parametrize(
    ("twice", "says"),
    [
        (["--configfile", "tiny.yaml", "--configfile", "config/qwen2.5-1.5b.yaml"], "--configfile a.yaml b.yaml"),
        (["--configfile=tiny.yaml", "--configfiles=config/qwen2.5-1.5b.yaml"], "--configfile a.yaml b.yaml"),
        (["--config", "run=a", "-C", "seeds=[1]"], "--config a=1 b=2"),
    ],
)
def test_an_option_given_twice(checkout, twice, says):
    """Of which Snakemake would keep the last."""
    process = call(checkout.folder, *twice, "--dry-run")
    assert process.returncode != 0 and f"is given twice, and Snakemake keeps the last: write {says}" in process.stdout


def test_two_overlays(checkout):
    (checkout.folder / "more.yaml").write_text("run: more\n")
    process = call(checkout.folder, "--configfile", "tiny.yaml", "more.yaml", "--dry-run", "--", "all")
    assert process.returncode == 0 and "results/more" in process.stdout, process.stdout


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("seeds: [0]\nrun: a\nseeds: [1]", "tiny.yaml, line 1: seeds is there twice"),
        ("train:\n  grpo:\n    max_steps: 1\n    max_steps: 2", "tiny.yaml, line 3: max_steps is there twice"),
        ('{"run": "a", "run": "b"}', "tiny.yaml: run is there twice"),
        ("run: 2026-01-01", "line 1: YAML reads 2026-01-01 as a date"),
        ("prompt: {system: 2026-01-01}", "as a date"),
        ("run: no", "YAML reads no as true or false"),
        ("seeds: [010]", "YAML reads 010 as a number of another form"),
        ("eval: {seed: 1:30}", "YAML reads 1:30 as a number of another form"),
        ("arms: {on: {}}", "YAML reads on as true or false"),
        ("arms: {2026: {}}", "the name 2026 is no text"),
        ("arms: {~: {}}", "the name None is no text"),
        ("train: {grpo: {learning_rate: .nan}}", "YAML reads .nan as"),
        ("run: ..", "config: run: a name for the run"),
        ("run: .", "config: run: a name for the run"),
        ("run: published", "config: run: a name for the run"),
        ("run: verified.json", "config: run: a name for the run"),
        ("run: -n", "config: run: a name for the run"),
        ("run: ''", "config: run: a name for the run"),
        ('run: "a\\n"', "config: run: a name for the run"),
        ("run: 2026", "config: run: a name for the run"),
        ("tasks: {../x: {}}", "a task is named in letters"),
        ("tasks: {'': {}}", "a task is named in letters"),
        ("arms: {a/b: {}}", "an arm is named in letters"),
        ("arms: {é: {}}", "an arm is named in letters"),
        ("arms: {one: {}, One: {}}", "is there twice, or in another case"),
        ("controls: {arms: {cold_start: {}}}", "config: arms, controls.arms and sweep: cold_start is there twice"),
        ("train: {problems: {examples: {least: 6, every: 1}}}", "prompt.examples has 5: lower it, or add examples"),
    ],
)
def test_words_that_are_read_as_something_else(checkout, text, says):
    (checkout.folder / "tiny.yaml").write_text(text + "\n")
    process = checkout.snakemake("--dry-run")
    output = process.stdout + process.stderr
    assert process.returncode != 0 and "Traceback" not in output, output
    assert any(says in line for line in output.splitlines()), output
    assert not (checkout.folder / "results/tiny").exists()


def both(method="cat", adapters=("grpo", "cold"), **more):
    """An arm that merges the adapters of others."""
    return {"both": {"merge_of": {"adapters": dict.fromkeys(adapters, 0.5), "method": method} | more}}


@pytest.mark.parametrize(
    ("arms", "says"),
    [
        (both(adapters=("grpo", "sft")), "names sft, and may name both, cold, grpo"),
        (both(adapters=("grpo", "both")), "merge themselves: both <- both"),
        (both(adapters=("grpo",)), "at least two arms with the weight of each"),
        (both("mean"), "merge_of.method"),
        (both("ties"), "merge_of.density is the share"),
        (both("linear", density=0.5), "merge_of.density is the share"),
        ({"both": both()["both"] | {"train": {}}}, "remove its train and rewards"),
        (
            both("linear") | {"cold": {"train": {"lora": {"r": 8}}}},
            "differs in r: make it equal, or take svd",
        ),
        (both() | {"cold": {"train": {"lora": {"target_modules": ["q_proj"]}}}}, "differs in target_modules: make it"),
        (both() | {"cold": {"train": {"start": "grpo"}}}, "which start from different models"),
        (both() | {"cold": {"train": {"start": "both"}}}, "start from, imitate or merge themselves"),
    ],
)
def test_adapters_that_do_not_go_together(checkout, arms, says):
    checkout.write(arms={"grpo": {}, "cold": {"train": {"trainer": "sft"}}} | arms)
    process = checkout.snakemake("--dry-run")
    output = process.stdout + process.stderr
    assert process.returncode != 0 and "Traceback" not in output, output
    assert any(says in line for line in output.splitlines()), output


def test_a_long_prompt(checkout):
    """Longer than an argument of a command may be; it is compared and used whole."""
    checkout.write(prompt=checkout.settings["prompt"] | {"system": "One word after another. \u4e00 " * 8000})
    wanted = "results/tiny/data/word_problems/test.jsonl"
    process = checkout.snakemake("--", wanted)
    assert process.returncode == 0, process.stdout + process.stderr
    first = json.loads((checkout.folder / wanted).read_text().splitlines()[0])
    assert len(first["prompt"][0]["content"]) == 8000 * 26
    assert checkout.planned("--", wanted) == {}
    checkout.write(prompt=checkout.settings["prompt"] | {"system": "One word after another. \u4e01 " * 8000})
    assert checkout.planned("--", wanted) == {"format_task": 1}
    process = checkout.snakemake("--dry-run", "--printshellcmds")
    commands = (process.stdout + process.stderr).split("\n\n")
    assert process.returncode == 0 and max(len(command) for command in commands) < 2**16


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
