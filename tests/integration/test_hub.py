"""The Hub: the real client's requests over HTTP, to a small server on the loopback interface."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml
from conftest import ROOT, Checkout
from hub_server import Hub
from reasoning.formatting import format_problem
from reasoning.overrides import merged as overlaid
from reasoning.overrides import of_task
from tasks import load

TOKEN = "hf_writer"
PIN = "0123456789abcdef0123456789abcdef01234567"
# The locked client and, if .ci/run has installed them, the oldest and newest supported ones.
CLIENTS = [None, *sorted(str(p) for p in (ROOT / ".venv/clients").glob("*"))]


@pytest.fixture
def hub():
    with Hub() as server:
        yield server


@pytest.fixture
def environment(hub, tmp_path):
    """The environment of a process that may write to the local Hub, with a separate cache."""
    return {
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(tmp_path / "hf"),
        "HF_TOKEN": TOKEN,
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_ETAG_TIMEOUT": "2",
    }


@pytest.fixture
def package(tmp_path):
    """A small package with large files, other files, and folders, which uploads treat differently."""
    folder = tmp_path / "package"
    (folder / "adapter").mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"weights" * 1000)
    (folder / "adapter/adapter_model.safetensors").write_bytes(b"adapter" * 1000)
    (folder / "README.md").write_text("---\nlicense: mit\n---\ncard\n")
    (folder / ".snakemake_timestamp").write_text("")
    manifest(folder)
    return folder


def manifest(folder):
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name not in ("SHA256SUMS", ".snakemake_timestamp"))
    lines = [f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.relative_to(folder)}\n" for p in files]
    (folder / "SHA256SUMS").write_text("".join(lines))


def python(*arguments, **environment):
    """Run a script; returns the finished process, which must not print a traceback."""
    process = subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, **{key: value for key, value in environment.items() if value is not None}},
    )
    assert "Traceback" not in process.stderr, process.stderr
    return process


def upload(package, environment, settings=(), **changes):
    """Run upload_hub; returns the receipt or the error line."""
    receipt = package.parent / "receipt.json"
    settings = {"repo_id": "me/tiny", "private": True, "contents": "merged", "parent": None} | dict(settings)
    arguments = ["--hub-config", json.dumps(settings), "--policy", "grpo-seed0", "--package", package]
    process = python(ROOT / "scripts/upload_hub.py", *arguments, "--receipt", receipt, **environment | changes)
    assert TOKEN not in process.stdout + process.stderr
    if process.returncode == 0:
        return json.loads(receipt.read_text())
    (line,) = [line for line in process.stderr.splitlines() if line.startswith("error: ")]
    return line


def commits(hub):
    """The commits of upload_hub: all but the Hub's own first one."""
    return list(hub.repo("me/tiny").commits)[1:]


@pytest.mark.parametrize("client", CLIENTS, ids=lambda c: Path(c).name if c else "locked")
def test_upload(hub, environment, package, client):
    if client:
        environment["PYTHONPATH"] = client
    receipt = upload(package, environment)
    repo = hub.repo("me/tiny")
    assert repo.private and commits(hub) == [receipt["commit"]] and repo.tags == {receipt["tag"]: receipt["commit"]}
    there = {name: hashlib.sha256(content).hexdigest() for name, content in repo.commits[repo.head].items()}
    assert there.pop(".gitattributes") and there == receipt["files"]
    assert "adapter/adapter_model.safetensors" in there and ".snakemake_timestamp" not in there
    # Run again, with and without the receipt: nothing is committed, and the receipt is the same.
    assert upload(package, environment) == receipt
    (package.parent / "receipt.json").unlink()
    assert upload(package, environment) == receipt
    assert commits(hub) == [receipt["commit"]]
    # A changed package becomes the next commit, without the deleted files; the old tag stays.
    (package / "model.safetensors").write_bytes(b"other" * 1000)
    shutil.rmtree(package / "adapter")
    manifest(package)
    second = upload(package, environment)
    assert commits(hub) == [receipt["commit"], second["commit"]]
    assert repo.tags == {receipt["tag"]: receipt["commit"], second["tag"]: second["commit"]}
    assert set(repo.commits[repo.head]) - {".gitattributes"} == set(second["files"])


API, LFS = "^/api/models/me/tiny", "^/lfs/"


@pytest.mark.parametrize(
    ("method", "path", "action", "says"),
    [
        ("POST", "^/api/repos/create", "drop", "did not answer"),
        ("GET", API + "$", "drop", "did not answer"),
        ("POST", API + "/commit/", "drop", "did not answer"),
        ("POST", API + "/commit/", "late drop", "did not answer"),
        ("POST", API + "/tag/", "drop", "did not answer"),
        ("POST", API + "/tag/", "late drop", "did not answer"),
        ("GET", API + "/refs", "drop", "did not answer"),
        ("PUT", LFS, "drop", "did not answer"),
        ("POST", API + "/preupload/", 503, "the Hub has a problem"),
        ("GET", API + "/tree/", 500, "the Hub has a problem"),
        ("POST", API + "/commit/", 403, "storage is full"),
        ("POST", API + "/commit/", 412, "nothing was committed"),
        ("POST", API + "/tag/", 429, "too many requests"),
        ("POST", "^/me/tiny.git/info/lfs/objects/batch", 401, "HF_TOKEN"),
    ],
)
def test_faults(hub, environment, package, method, path, action, says):
    """Whatever breaks, there is one error line and no tag, and running again completes the upload in one commit."""
    hub.fail(method, path, action, times=99)
    line = upload(package, environment)
    assert says in line and line.startswith("error: upload to me/tiny: ")
    if ("model", "me/tiny") in hub.repos and action != "late drop" and "/refs" not in path:
        assert hub.repo("me/tiny").tags == {}
    hub.faults.clear()
    receipt = upload(package, environment)
    assert commits(hub) == [receipt["commit"]] and hub.repo("me/tiny").tags == {receipt["tag"]: receipt["commit"]}


def test_a_request_that_fails_once(hub, environment, package):
    """The client retries by itself if that is safe."""
    hub.fail("PUT", LFS, "drop")
    hub.fail("POST", API + "/preupload/", 503)
    receipt = upload(package, environment)
    assert commits(hub) == [receipt["commit"]]


@pytest.mark.parametrize(
    ("changes", "settings", "says"),
    [
        ({"HF_TOKEN": ""}, {}, "HF_TOKEN is not set"),
        ({"HF_TOKEN": "hf_expired"}, {}, "HF_TOKEN is not set, wrong or expired"),
        ({"HF_TOKEN": "hf_reader"}, {}, "HF_TOKEN may not do this"),
        ({}, {"repo_id": "somebody/else"}, "HF_TOKEN may not do this"),
        ({"HF_ENDPOINT": "http://127.0.0.1:9"}, {}, "did not answer"),
    ],
)
def test_not_allowed(hub, environment, package, changes, settings, says):
    assert says in upload(package, environment, settings, **changes)
    assert hub.repos == {}


def test_other_peoples_work_is_kept(hub, environment, package):
    """A repository with other content is built on only if the config names its head."""
    theirs = hub.add("me/tiny", {"README.md": b"mine", "notes.txt": b"precious"}, private=True)
    line = upload(package, environment)
    assert "somebody else" in line and theirs in line and hub.repo("me/tiny").head == theirs
    receipt = upload(package, environment, {"parent": theirs})
    assert hub.repo("me/tiny").head == receipt["commit"]
    hub.add("me/tiny", {"README.md": b"changed by hand"})
    (package / "README.md").write_text("another card")
    manifest(package)
    assert "somebody else" in upload(package, environment)


def test_a_commit_in_between(hub, environment, package):
    """If somebody commits after the head was read, the Hub refuses our commit."""
    hub.fail("POST", API + "/preupload/", lambda: hub.add("me/tiny", {"README.md": b"theirs"}))
    assert "nothing was committed" in upload(package, environment)
    assert hub.repo("me/tiny").commits[hub.repo("me/tiny").head] == {"README.md": b"theirs"}


def test_public_repository(hub, environment, package):
    hub.add("me/tiny", {".gitattributes": b""})
    assert "me/tiny is public" in upload(package, environment)
    assert upload(package, environment, {"private": False})["commit"] == hub.repo("me/tiny").head


def test_a_tag_that_is_not_ours(hub, environment, package):
    tag = upload(package, environment)["tag"]
    hub.repo("me/tiny").tags[tag] = list(hub.repo("me/tiny").commits)[0]
    assert "delete the tag" in upload(package, environment)


def fetch(address, folder, kind, environment):
    """Fetch a `hf://` source in a separate process; returns the finished process."""
    folder.mkdir(exist_ok=True)
    program = f"import sources; sources.fetch({address!r}, {str(folder)!r}, {kind!r})"
    paths = os.pathsep.join(filter(None, [str(ROOT / "scripts"), environment.get("PYTHONPATH")]))
    return python("-c", program, **environment | {"PYTHONPATH": paths})


def names(folder):
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


MODEL = {
    "config.json": b"{}",
    "model.safetensors": bytes(range(256)) * 4096 * 16,
    "LICENSE": b"licence",
    "pytorch_model.bin": b"a pickle",
    "modeling.py": b"code",
    "onnx/config.json": b"{}",
}


@pytest.mark.parametrize("client", CLIENTS, ids=lambda c: Path(c).name if c else "locked")
def test_download(hub, environment, tmp_path, client):
    """The files that a model needs, but no code; then again from the cache, without a network."""
    if client:
        environment["PYTHONPATH"] = client
    hub.add("owner/model", MODEL, revision=PIN)
    process = fetch(f"hf://owner/model@{PIN}", tmp_path / "first", "model", environment)
    assert process.returncode == 0, process.stderr
    assert names(tmp_path / "first") == {"config.json", "model.safetensors", "LICENSE"}
    assert (tmp_path / "first/model.safetensors").read_bytes() == MODEL["model.safetensors"]
    assert hashlib.sha256(MODEL["model.safetensors"]).hexdigest() in process.stdout
    before = len(hub.requests)
    process = fetch(f"hf://owner/model@{PIN}", tmp_path / "second", "model", environment | {"HF_HUB_OFFLINE": "1"})
    assert process.returncode == 0, process.stderr
    assert names(tmp_path / "second") == names(tmp_path / "first") and len(hub.requests) == before


def test_broken_connections(hub, environment, tmp_path):
    """A lost connection resumes at the same byte, a restart at the file that was interrupted."""
    shards = {f"model-0000{n}-of-00002.safetensors": bytes([n]) * 2**25 for n in (1, 2)}
    index = {"weight_map": {name: name for name in shards}}
    hub.add("owner/model", shards | {"model.safetensors.index.json": json.dumps(index).encode()}, revision=PIN)
    hub.fail("GET", "model-00001", "cut")
    hub.fail("GET", "model-00002", "drop", times=99)
    process = fetch(f"hf://owner/model@{PIN}", tmp_path / "model", "model", environment)
    assert process.returncode != 0 and "run again to resume" in process.stderr
    asked = [span for method, path, span in hub.requests if method == "GET" and "model-00001" in path]
    assert len(asked) == 2 and int(asked[1].removeprefix("bytes=").rstrip("-")) > 0
    hub.faults.clear()
    hub.requests.clear()
    process = fetch(f"hf://owner/model@{PIN}", tmp_path / "model", "model", environment)
    assert process.returncode == 0, process.stderr
    assert not [path for method, path, _ in hub.requests if method == "GET" and "model-00001" in path]
    assert {name: (tmp_path / "model" / name).read_bytes() for name in shards} == shards


def test_damaged_download(hub, environment, tmp_path):
    """A cached file that does not match its sha256 is found, removed and fetched again."""
    hub.add("owner/model", MODEL, revision=PIN)
    assert fetch(f"hf://owner/model@{PIN}", tmp_path / "first", "model", environment).returncode == 0
    digest = hashlib.sha256(MODEL["model.safetensors"]).hexdigest()
    (blob,) = (tmp_path / "hf").rglob(digest)
    blob.unlink()
    blob.write_bytes(b"damaged")
    process = fetch(f"hf://owner/model@{PIN}", tmp_path / "second", "model", environment)
    assert "arrived damaged" in process.stderr and not (tmp_path / "second/model.safetensors").exists()
    assert fetch(f"hf://owner/model@{PIN}", tmp_path / "second", "model", environment).returncode == 0


def test_missing_shard(hub, environment, tmp_path):
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    files = {"model.safetensors.index.json": json.dumps(index).encode(), "model-00001-of-00002.safetensors": b"x"}
    hub.add("owner/model", files, revision=PIN)
    process = fetch(f"hf://owner/model@{PIN}", tmp_path / "model", "model", environment)
    assert "model-00002-of-00002.safetensors did not arrive" in process.stderr


@pytest.mark.parametrize(
    ("address", "changes", "says"),
    [
        (f"hf://owner/gated@{PIN}", {"HF_TOKEN": ""}, "accept its licence on its Hub page"),
        (f"hf://owner/none@{PIN}", {}, "no such repository"),
        (f"hf://owner/model@{'f' * 40}", {}, "no such revision"),
        (f"hf://owner/model@{PIN}", {"HF_HUB_OFFLINE": "1"}, "not all of it is in the local cache"),
        (f"hf://owner/model@{PIN}", {"HF_TOKEN": "hf_expired"}, "HF_TOKEN"),
    ],
)
def test_download_refused(hub, environment, tmp_path, address, changes, says):
    hub.add("owner/model", MODEL, revision=PIN)
    hub.add("owner/gated", MODEL, revision=PIN, gated=True)
    process = fetch(address, tmp_path / "model", "model", environment | changes)
    assert process.returncode != 0 and says in process.stderr, process.stderr


def write_dataset(hub, folder, name="me/problems"):
    """Serve generated problems as a dataset repository with a folder of parquet files, at PIN; returns the problems."""
    import pyarrow
    import pyarrow.parquet
    from sources import generated

    folder.mkdir()
    generated.fetch("word_problems?seed=0&train=40&test=20", folder, "dataset")
    files, records = {}, {}
    for split in ("train", "test"):
        records[split] = [json.loads(line) for line in (folder / f"{split}.jsonl").read_text().splitlines()]
        table = pyarrow.BufferOutputStream()
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(records[split]), table)
        files[f"main/{split}-00000-of-00001.parquet"] = table.getvalue().to_pybytes()
    hub.add(name, files, kind="dataset", revision=PIN)
    return records


def test_datasets_reads_it_too(hub, environment, tmp_path):
    records = write_dataset(hub, tmp_path / "problems")
    program = (
        "import datasets, json; "
        f"d = datasets.load_dataset('me/problems', data_dir='main', revision={PIN!r}); "
        "print(json.dumps([d['train'].num_rows, d['test'][0]['question']]))"
    )
    process = python("-c", program, **environment)
    assert process.returncode == 0, process.stderr
    assert json.loads(process.stdout.splitlines()[-1]) == [40, records["test"][0]["question"]]


def test_verify_pins(hub, environment, tmp_path):
    """Every pin is checked; one that fails is named, and the others are still checked."""
    write_dataset(hub, tmp_path / "problems")
    hub.add("owner/model", MODEL, revision=PIN)
    digest = hashlib.sha256(MODEL["model.safetensors"]).hexdigest()
    task = {"source": f"hf://me/problems@{PIN}/main", "size": {"train": 40, "test": 20}, "sha256": {}}
    default = {"model": {"source": f"hf://owner/model@{PIN}", "sha256": digest}, "tasks": {"problems": task}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(default))
    overlays = {"same": {"run": "x"}, "moved": {"model": {"source": f"hf://owner/model@{'f' * 40}"}}}
    for name, overlay in overlays.items():
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(overlay))

    def verify(*names):
        paths = [tmp_path / f"{name}.yaml" for name in names]
        arguments = ["--default", tmp_path / "config.yaml", "--overlays", *paths]
        return python(ROOT / "scripts/verify_pins.py", *arguments, **environment)

    process = verify("same")
    assert process.returncode == 0 and "2 pins, 0 of them failed" in process.stdout, process.stdout
    assert "weights as pinned" in process.stdout
    process = verify("same", "moved")
    assert process.returncode == 1 and "3 pins, 1 of them failed" in process.stdout
    assert "moved.yaml: error: model owner/model" in process.stdout
    mine = {"tasks": {"mine": task | {"module": "mine.py"}}}
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(mine))
    process = verify("own")
    assert process.returncode == 1 and "own.yaml: error: there is no task module mine.py: correct" in process.stdout
    (tmp_path / "mine.py").write_text("from tasks.gsm8k import ANSWER, problem\n")
    process = verify("own")
    assert process.returncode == 0 and "3 pins, 0 of them failed" in process.stdout, process.stdout
    default["model"]["sha256"], task["size"]["test"] = "0" * 64, 21
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(default))
    process = verify()
    assert "2 pins, 2 of them failed" in process.stdout
    assert f"model.safetensors has {digest}" in process.stdout and "20 problems and should have 21" in process.stdout


# One file of each benchmark in the form of the real one, with a record made for this test, and what is asked of it.
BENCHMARKS = {
    "gsm8k_platinum": (
        "main/test-00000-of-00001.parquet",
        [
            {
                "question": "Ann has 2 hats and buys 3. How many?",
                "answer": "2+3=<<2+3=5>>5\n#### 5",
                "cleaning_status": "x",
            }
        ],
        ("Ann has 2 hats and buys 3. How many?", "5"),
    ),
    "gsm_symbolic": (
        "main/test.jsonl",
        [
            {
                "id": 0,
                "instance": 0,
                "question": "Bo eats 2 of 9 figs. How many are left?",
                "answer": "9 - 2 = 7\n#### 7",
            }
        ],
        ("Bo eats 2 of 9 figs. How many are left?", "7"),
    ),
    "svamp": (
        "data/test-00000-of-00001.parquet",
        [{"ID": "c-1", "Body": "Cy had 8 pens. ", "Question": "He lost 3. How many?", "Answer": "5.0", "Type": "-"}],
        ("Cy had 8 pens. He lost 3. How many?", "5"),
    ),
    "math500": (
        "test.jsonl",
        [{"problem": "Halve $x$.", "solution": "So", "answer": "\\frac{x}{2}", "subject": "Algebra", "level": 1}],
        ("Halve $x$.", "\\frac{x}{2}"),
    ),
    "arc_challenge": (
        "ARC-Challenge/test-00000-of-00001.parquet",
        [
            {
                "id": "q",
                "question": "What do plants take in?",
                "choices": {"text": ["iron", "light"], "label": ["1", "2"]},
                "answerKey": "2",
            }
        ],
        ("What do plants take in?\nA) iron\nB) light", "B"),
    ),
    "logical_deduction": (
        "logical_deduction_five_objects/test-00000-of-00001.parquet",
        [{"input": "Dee is older than Eve. Who is older?\nOptions:\n(A) Dee\n(B) Eve", "target": "(A)"}],
        ("Dee is older than Eve. Who is older?\nOptions:\n(A) Dee\n(B) Eve", "A"),
    ),
}


def in_form(name, records):
    """Records as the bytes of a JSONL or parquet file."""
    import pyarrow
    import pyarrow.parquet

    if name.endswith(".jsonl"):
        return "".join(json.dumps(record) + "\n" for record in records).encode()
    table = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(records), table)
    return table.getvalue().to_pybytes()


def pinned(environment, folder, benchmarks, run="config", returncode=0):
    """The overlay that pins benchmarks for a run of the package, None if none was written; its output is in `told`."""
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    config = overlaid(config, yaml.safe_load((ROOT / f"config/{run}.yaml").read_text()))
    (folder / "run.json").write_text(json.dumps(config))
    given = ("--benchmarks", benchmarks, "--config", f"@{folder}/run.json", "--overlay", folder / "pins.yaml")
    process = python(ROOT / "scripts/pin_benchmarks.py", *given, **environment)
    pinned.told = process.stdout + process.stderr
    assert process.returncode == returncode, pinned.told
    return yaml.safe_load((folder / "pins.yaml").read_text()) if (folder / "pins.yaml").exists() else None


@pytest.mark.parametrize("run", ["config", "qwen3-0.6b", "llama-3.2-1b"])
def test_a_benchmark_is_asked_so_that_the_run_can_answer(hub, environment, tmp_path, run):
    """With its own tasks, enough tokens, and a format that what its completions begin with does not rule out."""
    listed = yaml.safe_load((ROOT / "workflow/benchmarks.yaml").read_text())
    file, records, _ = BENCHMARKS["math500"]
    hub.add(listed["math500"]["repo"], {file: in_form(file, records)}, kind="dataset")
    (tmp_path / "benchmarks.yaml").write_text(yaml.safe_dump({"math500": listed["math500"]}))
    overlay = pinned(environment, tmp_path, tmp_path / "benchmarks.yaml", run)
    config = overlaid(json.loads((tmp_path / "run.json").read_text()), overlay)
    assert config["evaluate_on"] == [config["task"], "math500"]
    prompt, settings = (of_task(config, section, "math500") for section in ("prompt", "eval"))
    assert settings["sampling"]["max_new_tokens"] == 1024
    assert re.fullmatch(prompt["format"], prompt["prefill"] + "Half of it.\n<answer>x/2</answer>", re.DOTALL)


def test_benchmarks_are_pinned_and_asked(hub, environment, tmp_path):
    """The overlay has what the Hub holds now; a run downloads what it pins, and refuses anything else."""
    listed = yaml.safe_load((ROOT / "workflow/benchmarks.yaml").read_text())
    assert listed.keys() == BENCHMARKS.keys()
    for name, (file, records, _) in BENCHMARKS.items():
        hub.add(listed[name]["repo"], {file: in_form(file, records)}, kind="dataset")
    overlay = pinned(environment, tmp_path, ROOT / "workflow/benchmarks.yaml")
    assert overlay["evaluate_on"] == ["word_problems", *overlay["tasks"]] == ["word_problems", *BENCHMARKS]
    told = overlay["tasks"]["arc_challenge"]["license"]
    assert told == "cc-by-sa-4.0; the Hub states none: read its card"
    schema = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())
    jsonschema.Draft202012Validator(schema["properties"]["tasks"] | {"$defs": schema["$defs"]}).validate(
        overlay["tasks"]
    )
    for name, (_, records, (question, gold)) in BENCHMARKS.items():
        module = load(overlay["tasks"][name])
        asked = format_problem(records[0], "test-0", {"system": None, "examples": []}, module)
        assert (asked["prompt"][-1]["content"], asked["answer"]) == (question, gold)
    settings = overlay["tasks"]["arc_challenge"]
    paths = [f"--{name}={tmp_path / name}" for name in ("train", "test", "sums")]
    for digest, returncode in ((settings["sha256"]["test"], 0), ("0" * 64, 1)):
        given = ("--task-config", json.dumps(settings | {"sha256": {"test": digest}}), *paths)
        process = python(ROOT / "scripts/download_data.py", *given, **environment)
        assert process.returncode == returncode and ("is pinned" in process.stderr) == bool(returncode)


def test_a_benchmark_that_cannot_be_pinned(hub, environment, tmp_path):
    """It is named, and the others are pinned."""
    listed = yaml.safe_load((ROOT / "workflow/benchmarks.yaml").read_text())
    file, records, _ = BENCHMARKS["svamp"]
    hub.add(listed["svamp"]["repo"], {file: in_form(file, records)}, kind="dataset")
    file, records, _ = BENCHMARKS["arc_challenge"]
    wrong = in_form(file, [records[0] | {"answerKey": "C"}])
    hub.add(listed["arc_challenge"]["repo"], {file: wrong}, kind="dataset")
    chosen = {name: listed[name] for name in ("svamp", "arc_challenge", "math500")}
    (tmp_path / "benchmarks.yaml").write_text(yaml.safe_dump(chosen))
    overlay = pinned(environment, tmp_path, tmp_path / "benchmarks.yaml", returncode=1)
    assert "2 benchmarks are not pinned" in pinned.told
    assert "arc_challenge: error: hf://allenai/ai2_arc" in pinned.told and "no choice 'C'" in pinned.told
    assert overlay["evaluate_on"] == ["word_problems", "svamp"]
    (tmp_path / "pins.yaml").unlink()
    (tmp_path / "benchmarks.yaml").write_text(yaml.safe_dump({"math500": listed["math500"]}))
    assert pinned(environment, tmp_path, tmp_path / "benchmarks.yaml", returncode=1) is None
    assert "error: no benchmark could be pinned" in pinned.told


def test_whole_chain(hub, environment, tmp_path, tiny_model):
    """Download model and data by pin, upload the tuned model, download it by its receipt's commit: same numbers."""
    write_dataset(hub, tmp_path / "problems")
    hub.add("owner/base", tiny_model, revision=PIN)
    checkout = Checkout(tmp_path / "checkout", f"hf://owner/base@{PIN}")
    checkout.settings["tasks"]["word_problems"] |= {"source": f"hf://me/problems@{PIN}/main", "license": "cc0-1.0"}
    checkout.settings["hub"] = {"repo_id": "me/tiny-{policy}"}
    checkout.write()
    process = checkout.snakemake(**environment)
    assert process.returncode == 0, process.stdout + process.stderr
    assert checkout.planned() == {}
    results = checkout.folder / "results/tiny"
    receipt = json.loads((results / "hub/grpo-seed0.json").read_text())
    assert hub.repo("me/tiny-grpo-seed0").tags == {receipt["tag"]: receipt["commit"]}
    card = (results / "hub/grpo-seed0/README.md").read_text()
    assert "base_model: owner/base" in card and f"`hf://me/problems@{PIN}/main`, licence cc0-1.0 |" in card
    (entry,) = yaml.safe_load((results / "hub/grpo-seed0/.eval_results/word_problems.yaml").read_text())
    assert entry["dataset"] == {"id": "me/problems", "task_id": "word_problems", "revision": PIN}
    adapter = json.loads((results / "hub/grpo-seed0/adapter/adapter_config.json").read_text())
    assert (adapter["base_model_name_or_path"], adapter["revision"]) == ("owner/base", PIN)

    again = Checkout(tmp_path / "again", f"hf://me/tiny-grpo-seed0@{receipt['commit']}")
    again.settings["tasks"] = checkout.settings["tasks"]
    again.write()
    process = again.snakemake("--", "results/tiny/eval/word_problems/base/metrics.json", **environment)
    assert process.returncode == 0, process.stdout + process.stderr
    for name in ("metrics.json", "samples.jsonl"):
        first = (results / "eval/word_problems/grpo-seed0" / name).read_bytes()
        assert (again.folder / "results/tiny/eval/word_problems/base" / name).read_bytes() == first
    weights = (again.folder / "results/tiny/models/base/model.safetensors").read_bytes()
    assert hashlib.sha256(weights).hexdigest() == receipt["files"]["model.safetensors"]

    written = [
        folder / name for folder in (checkout.folder, again.folder) for name in ("results", "logs", ".snakemake")
    ]
    held = [p for folder in written for p in folder.rglob("*") if p.is_file()]
    assert len(held) > 50 and not [p for p in held if TOKEN.encode() in p.read_bytes()]


def test_one_repository_for_many(checkout):
    checkout.write(hub={"repo_id": "me/tiny"}, seeds=[0, 1])
    process = checkout.snakemake()
    assert process.returncode != 0 and "one repository for 2 policies" in process.stdout + process.stderr
