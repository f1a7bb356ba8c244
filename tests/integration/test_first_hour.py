"""The measurements of the first hour on a GPU, tried without one: pieces, kept errors, and going on."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PIECES = "smoke-tiny-(unsloth|eval_transformers)$|noise-any-[01]|eval-qwen2.5-1.5b$"


def test_pieces(finished, tiny_model, tmp_path):
    data = finished.folder / "results/tiny/data/word_problems/raw"
    given = ["--cpu", "--out", tmp_path, "--model", tiny_model, "--data", data, "--only", PIECES]

    def call(*more):
        command = [sys.executable, "bench/gpu/first_hour.py", *map(str, [*given, *more])]
        process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        return process.returncode, process.stdout + process.stderr

    code, said = call("--seconds", "0")
    assert code and "0 of 5 pieces done: run again for the rest" in said
    code, said = call()
    assert code == 0 and "all 5 pieces done" in said, said
    assert "needs an NVIDIA GPU" in (tmp_path / "smoke-tiny-unsloth.txt").read_text()
    value = json.loads((tmp_path / "measurements.json").read_text())
    assert value["pieces"].keys() == {path.stem for path in tmp_path.glob("*-*.*")}
    assert "needs an NVIDIA GPU" in value["pieces"]["smoke-tiny-unsloth"]["error"]
    assert value["pieces"]["eval-qwen2.5-1.5b"]["estimate"]["evaluate"] > 0
    floor = value["noise_floor"]["any"]
    assert floor["problems"] == 8 and len(floor["scores"]) == 2 and floor["range"] >= 0
    table = (tmp_path / "table.md").read_text()
    assert "| smoke-tiny-eval_transformers | " in table and "Noise floor, any batches: 2 evaluations" in table
    assert "| smoke-tiny-unsloth | error: train.backend unsloth needs an NVIDIA GPU" in table
    code, said = call()
    assert code == 0 and "1 of 5" not in said  # neither a finished piece nor a failed one is tried again
