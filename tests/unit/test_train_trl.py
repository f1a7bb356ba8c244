"""The private name in TRL that training replaces exists, and training stops if it does not."""

import pytest
import trl.trainer.utils
from backends.train_trl import score_completions_only


def test_trl_scores_completions_only(monkeypatch):
    monkeypatch.setattr(trl.trainer.utils, "_use_triton", trl.trainer.utils._use_triton)
    assert not trl.trainer.utils._use_triton("cpu")
    score_completions_only()
    assert trl.trainer.utils._use_triton("cpu")


def test_a_trl_without_the_name_stops_the_run(monkeypatch):
    monkeypatch.delattr(trl.trainer.utils, "_use_triton")
    with pytest.raises(SystemExit, match="has no trl.trainer.utils._use_triton"):
        score_completions_only()


def test_an_earlier_trl_needs_no_change(monkeypatch):
    monkeypatch.setattr(trl, "__version__", "1.15.0")
    monkeypatch.delattr(trl.trainer.utils, "_use_triton")
    score_completions_only()
