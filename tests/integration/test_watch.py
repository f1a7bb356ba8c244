"""A training that is watched is the same training: its log on a page, and in TRL's reporters."""

import json
import shutil
import subprocess
import sys
import urllib.request
from importlib.util import find_spec

import pytest
from conftest import ROOT

ADAPTER = "results/tiny/adapters/grpo-seed0"
HASHED = ["training/grpo-seed0/arguments.json", "training/grpo-seed0/history.csv"]
HASHED += [f"adapters/grpo-seed0/{name}" for name in ("adapter_config.json", "adapter_model.safetensors")]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
HOSTILE = "</pre><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7 * 7 }}"


@pytest.mark.skipif(
    not (find_spec("tensorboard") or find_spec("tensorboardX")), reason="no TensorBoard: envs/test.txt has tensorboardX"
)
def test_tensorboard_changes_no_byte(rerun):
    """Asking for it asks for no training; a training that reports writes the same adapter, history and arguments."""
    before = {name: (rerun.folder / "results/tiny" / name).read_bytes() for name in HASHED}
    rerun.write(watch={"report_to": ["tensorboard"]})
    assert "train" not in rerun.planned()
    process = rerun.snakemake("--forcerun", "train", "--", ADAPTER)
    assert process.returncode == 0, process.stdout + process.stderr
    assert {name: (rerun.folder / "results/tiny" / name).read_bytes() for name in HASHED} == before
    (events,) = (rerun.folder / "logs/tiny/reports/grpo-seed0/tensorboard").rglob("events.out.tfevents.*")
    assert b"train/reward" in events.read_bytes()


def test_what_is_not_installed_is_named(rerun):
    if find_spec("wandb"):
        pytest.skip("wandb is installed here")
    rerun.write(watch={"report_to": ["wandb"]})
    process = rerun.snakemake("--forcerun", "train", "--", ADAPTER)
    assert process.returncode != 0
    assert "error: watch.report_to: wandb is not installed here: pip install wandb" in process.stderr


@pytest.fixture(scope="module")
def halfway(tmp_path_factory):
    """The folder of a run whose training has logged two steps and is writing a third."""
    import pyarrow
    import pyarrow.parquet

    results = tmp_path_factory.mktemp("halfway") / "results/tiny"
    working = results / "checkpoints/train/grpo-seed0/0123"
    (working / "completions").mkdir(parents=True)
    rows = [{"step": n, "reward": 0.25 * n, "loss": 0.0, "kl": 0.001 * n, "entropy": 1.5} for n in (1, 2)]
    (working / "log.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows) + '{"step": 3, "rew')
    table = pyarrow.Table.from_pylist([{"prompt": "2 + 3?", "completion": HOSTILE, "step": 2}])
    pyarrow.parquet.write_table(table, working / "completions/completions_00002.parquet")
    return results


@pytest.fixture
def server(halfway):
    """The address of a page that scripts/watch.py serves."""
    command = [sys.executable, str(ROOT / "scripts/watch.py"), str(halfway), "--port", "0", "--seconds", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield process.stdout.readline().split()[0]
        process.terminate()


def test_the_page_is_as_the_log_is_now(halfway, server):
    def shown():
        return urllib.request.urlopen(server).read().decode()

    assert "<td>2</td><td>0.5</td>" in shown()
    log = next(halfway.glob("checkpoints/train/*/*/log.jsonl"))
    before = log.read_text()
    log.write_text(before + 'ard": 0.75}\n')
    assert "<td>3</td><td>0.75</td>" in shown()
    log.write_text(before)


def test_a_run_without_a_step(tmp_path):
    (tmp_path / "run").mkdir()
    page = tmp_path / "page.html"
    command = [sys.executable, str(ROOT / "scripts/watch.py")]
    subprocess.run([*command, str(tmp_path / "run"), "--html", str(page)], check=True)
    assert "No training has logged a step yet." in page.read_text()
    process = subprocess.run([*command, str(tmp_path / "none")], capture_output=True, text=True)
    assert process.returncode == 1 and process.stdout.startswith("error: there is no folder")


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is missing: .ci/run installs Debian's")
def test_in_a_browser(halfway, server):
    """Curves are drawn, the page loads itself again and nothing else, and what a model wrote is text."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page, messages, requests = browser.new_page(), [], []
        page.on("console", lambda message: messages.append(message.text))
        page.on("pageerror", lambda error: messages.append(str(error)))
        page.on("dialog", lambda dialog: (messages.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(server)
        assert page.locator("svg").count() == 1 and page.locator("svg path").count() > 0
        assert page.locator("pre", has_text="{{ 7 * 7 }}").count() == 1
        with page.expect_navigation():
            pass
        browser.close()
    assert messages == []
    loaded = [url for url in requests if not url.startswith("data:")]
    assert len(loaded) >= 2 and {url.rstrip("/") for url in loaded} == {server}
