"""An evaluation that several jobs share ends in the bytes of one that is a single job."""

import hashlib
import json

import pytest

EVALUATED = "results/tiny/eval/word_problems/base"
OUTPUTS = [f"{EVALUATED}/samples.jsonl", f"{EVALUATED}/metrics.json"]


def digests(checkout):
    return [hashlib.sha256((checkout.folder / name).read_bytes()).hexdigest() for name in OUTPUTS]


def test_shards_end_in_the_same_bytes(rerun):
    """Also of sampled completions; 20 problems in batches of 8 are shards of 1, 1, 1 batches, 40 draws of 1, 2, 2."""
    rerun.settings["eval"]["draws"] = {"n": 2, "sampling": {"max_new_tokens": 8, "do_sample": True}}
    rerun.write()
    process = rerun.snakemake("--", *OUTPUTS)
    assert process.returncode == 0, process.stdout + process.stderr
    whole = digests(rerun)
    assert len({str(draw) for line in (rerun.folder / OUTPUTS[0]).open() for draw in json.loads(line)["draws"]}) > 1
    rerun.write(shards=3)
    assert rerun.planned("--", *OUTPUTS) == {"evaluate_shard": 3, "evaluate": 1}
    process = rerun.snakemake("--", *OUTPUTS)
    assert process.returncode == 0, process.stdout + process.stderr
    assert digests(rerun) == whole
    assert not list((rerun.folder / "results/tiny/shards").rglob("*.jsonl"))
    assert rerun.planned("--", *OUTPUTS) == {}
    log = rerun.folder / "logs/tiny/evaluate/word_problems/base.log"
    assert "Loading weights" not in log.read_text()  # what puts them together loads no model


def test_shards_of_several_environments_are_refused(tmp_path):
    from evaluate import environment_of

    for i, processor in enumerate(["a", "b"]):
        (tmp_path / str(i)).mkdir()
        (tmp_path / str(i) / "environment.json").write_text(json.dumps({"processor": processor}))
    shards = [tmp_path / "0", tmp_path / "1"]
    assert environment_of(shards[:1]) == {"processor": "a"}
    with pytest.raises(SystemExit, match="error: the shards of this evaluation were made in different environments"):
        environment_of(shards)
