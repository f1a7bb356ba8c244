"""The best checkpoint on dev, by the headline extractor."""

import json
import runpy
import types

import pytest
from stage.checksums import seal

SELECT = runpy.run_path("scripts/select_checkpoint.py")


def select(folder, scores, protocols=None):
    """Select among checkpoints with these scores by strict, `{step: score}`; returns the adapter's bytes and choice."""
    metrics = []
    for step, score in scores.items():
        candidate, measured = folder / f"candidates/step{step}", folder / f"policy-step{step}"
        candidate.mkdir(parents=True), measured.mkdir()
        (candidate / "adapter_model.safetensors").write_bytes(f"of {step}".encode())
        protocol = {"split": "dev", "seed": (protocols or {}).get(step, 0)}
        value = {"scores": {"strict": {"value": score}, "flexible": {"value": 1 - score}}, "protocol": protocol}
        (measured / "metrics.json").write_text(json.dumps(value | {"protocol_hash": json.dumps(protocol)}))
        metrics.append(measured / "metrics.json")
    (folder / "candidates/adapter_model.safetensors").write_bytes(b"of the last")
    seal(folder / "candidates")
    paths = {
        "adapter": folder / "adapter",
        "selection": folder / "selection.json",
        "checkpoints": folder / "candidates",
    }
    SELECT["main"](types.SimpleNamespace(headline="strict", metrics=metrics, **paths))
    found = json.loads((folder / "selection.json").read_text())
    return (folder / "adapter/adapter_model.safetensors").read_bytes(), found["chosen"]


@pytest.mark.parametrize(
    ("scores", "chosen"),
    [
        ({8: 0.2, 16: 0.5, 24: 0.4}, 16),
        ({24: 0.4, 16: 0.4, 8: 0.1}, 16),
        ({8: 0.1, 16: 0.2, 100: 0.3}, 100),
    ],
)
def test_the_best_one_becomes_the_adapter(tmp_path, scores, chosen):
    assert select(tmp_path, scores) == (f"of {chosen}".encode(), chosen)


def test_scores_that_cannot_be_compared(tmp_path):
    with pytest.raises(SystemExit, match="these scores were measured differently"):
        select(tmp_path, {8: 0.2, 16: 0.5}, protocols={16: 1})
    assert not (tmp_path / "adapter").exists()
