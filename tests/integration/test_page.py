"""The report in a real browser: it loads nothing else, has no errors, and fits phone and desktop screens."""

import json
import shutil
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is missing: .ci/run installs Debian's")

PAGES = ["results/tiny/report.html", "results/tiny/controls/report.html", "results/published/tiny/record.html"]
PAGES += sorted(str(path.absolute()) for path in Path("results/published").glob("*/record.html"))


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium."""
    from playwright.sync_api import sync_playwright

    quiet = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=quiet)
        yield browser
        browser.close()


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("name", PAGES)
def test_page(published, browser, tmp_path, name, width):
    page = browser.new_page(viewport={"width": width, "height": 800})
    requests, messages = [], []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    path = published.folder / name
    page.goto(path.as_uri())
    page.screenshot(path=tmp_path / f"{path.stem}-{width}.png", full_page=True)
    assert [url for url in requests if not url.startswith("data:")] == [path.as_uri()]
    assert messages == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "the page scrolls sideways"
    if name in PAGES[:3]:
        assert page.evaluate(CUT) == [], "a table has to be scrolled sideways"
    assert page.locator("svg").count() == len([*(path.parent / "figures").glob("*.pdf")]) >= 3
    page.emulate_media(media="print")
    assert page.pdf()[:4] == b"%PDF"
    page.close()


# The first cells of tables that are not folded and are wider than their place.
CUT = """[...document.querySelectorAll(".wide")]
    .filter(e => !e.closest("details:not([open])") && e.scrollWidth > e.clientWidth + 1)
    .map(e => e.querySelector("th, td").textContent)"""
HOSTILE = "</pre><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7 * 7 }}\x00<a href='javascript:alert(3)'>"


def test_hostile_completions(rerun, browser):
    """What a model wrote is shown as text: no script runs, nothing is loaded, no template is filled in."""
    for policy, right in (("base", False), ("grpo-seed0", True)):
        path = rerun.folder / f"results/tiny/eval/word_problems/{policy}/samples.jsonl"
        samples = [json.loads(line) for line in path.read_text().splitlines()]
        samples[0] |= {"completion": HOSTILE, "correct": dict.fromkeys(samples[0]["correct"], right)}
        path.write_text("".join(json.dumps(sample) + "\n" for sample in samples))
    process = rerun.snakemake("--forcerun", "tabulate_results", "--", "results/tiny/report.html")
    assert process.returncode == 0, process.stdout + process.stderr
    page, dialogs, requests = browser.new_page(), [], []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: requests.append(request.url))
    page.goto((rerun.folder / "results/tiny/report.html").as_uri())
    assert dialogs == [] and len([url for url in requests if not url.startswith("data:")]) == 1
    assert page.locator("pre", has_text="{{ 7 * 7 }}").count() == 1
    assert page.locator("img[src=x]").count() == page.locator("a[href^=javascript]").count() == 0
    page.close()
