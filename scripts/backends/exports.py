"""What other harnesses have to be told of an evaluation, because they leave the rest to the model's own files."""

from pathlib import Path

from stage.files import read_json

# Fields of generation_config.json that change a completion, besides those of NEUTRAL, and where they do not.
OTHERS = {
    "repetition_penalty": 1.0,
    "no_repeat_ngram_size": 0,
    "min_p": 0.0,
    "typical_p": 1.0,
    "epsilon_cutoff": 0.0,
    "eta_cutoff": 0.0,
    "num_beams": 1,
    "min_length": 0,
    "min_new_tokens": 0,
    "suppress_tokens": [],
    "begin_suppress_tokens": [],
    "bad_words_ids": [],
    "sequence_bias": {},
    "guidance_scale": 1.0,
}


def require_nothing_inherited(model, harness, stated=()):
    """Stop if a model's generation_config.json has a field with which a harness would sample, and we do not.

    `model` is its folder; `stated` are fields that the export states itself.
    """
    path = Path(model, "generation_config.json")
    own = read_json(path) if path.exists() else {}
    wrong = [key for key in OTHERS if key not in stated and own.get(key) not in (None, OTHERS[key])]
    if wrong:
        raise SystemExit(
            f"error: the model's generation_config.json has {wrong[0]} {own[wrong[0]]}, which {harness} would take "
            "over, and this evaluation does not: evaluate it here, or set model.source to a folder without it"
        )


def require_untold_template(task, prompt, harness):
    """Stop if the model's chat template is told something, `prompt.chat_template_kwargs`: no export can state that."""
    if prompt.get("chat_template_kwargs"):
        raise SystemExit(
            f"error: no task of {harness} can state prompt.chat_template_kwargs, which {task} has: evaluate it here, "
            "or set model.source to a folder whose chat template needs none"
        )
