"""Which packages may import which."""

import ast
from pathlib import Path

import pytest

SCRIPTS = Path("scripts")
STAGES = {path.stem for path in SCRIPTS.glob("*.py")}
# Each package may import itself and those listed. None imports a stage's script.
ROOMS = {
    "stage": set(),
    "sources": {"stage", "hub"},
    "hub": set(),
    "reasoning": {"stage", "sources"},
    "answers": {"reasoning"},
    "tasks": {"stage", "sources", "reasoning", "answers"},
    "speed": set(),
    "backends": {"stage", "speed"},
    "trainers": {"stage", "reasoning", "backends"},
    "reporting": {"stage", "reasoning"},
    "record": {"stage", "reasoning", "reporting", "tasks"},
}
FILES = sorted(SCRIPTS.rglob("*.py"))


def imported(path):
    """The top-level names that a file imports anywhere."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module.partition(".")[0]


@pytest.mark.parametrize("path", FILES, ids=str)
def test_no_stage_is_another_stages_library(path):
    assert not STAGES & {*imported(path)}


@pytest.mark.parametrize("path", [path for path in FILES if path.parent != SCRIPTS], ids=str)
def test_a_room_imports_what_lies_below(path):
    room = path.parts[1]
    assert {*imported(path)} & ROOMS.keys() <= ROOMS[room] | {room}


def test_the_domain_needs_no_torch():
    heavy = {"torch", "transformers", "trl", "peft", "vllm", "unsloth", "datasets", "accelerate"}
    light = [
        path for path in FILES if path.parts[1] in ("reasoning", "answers", "tasks", "stage", "reporting", "record")
    ]
    assert not [path for path in light if heavy & {*imported(path)}]
