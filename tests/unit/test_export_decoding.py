"""What other harnesses would take over from a model's own files stops an export, unless it changes nothing."""

import json

import pytest
from backends.exports import require_nothing_inherited


def test_nothing_is_inherited(tmp_path):
    require_nothing_inherited(tmp_path, "another harness")
    path = tmp_path / "generation_config.json"
    path.write_text(json.dumps({"eos_token_id": [1, 2], "top_k": 20, "repetition_penalty": 1.0, "min_p": None}))
    require_nothing_inherited(tmp_path, "another harness")
    path.write_text(json.dumps({"repetition_penalty": 1.1, "no_repeat_ngram_size": 3}))
    with pytest.raises(SystemExit, match="^error: .* has repetition_penalty 1.1, which another harness would"):
        require_nothing_inherited(tmp_path, "another harness")
    with pytest.raises(SystemExit, match="has no_repeat_ngram_size 3"):
        require_nothing_inherited(tmp_path, "another harness", stated=("repetition_penalty",))
