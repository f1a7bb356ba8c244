"""From completions to scores. Nothing but the completions is needed, so anyone can recompute every score."""

import re

from reasoning.answer import extract, unparsed
from reasoning.pass_at_k import at_k
from reasoning.protocol import EXTRACTORS
from reasoning.statistics import quantiles, score

# What a sample says of its problem.
ASKED = ("id", "family", "gold", "steps", "question")


def asked(problem):
    """The part of a sample that is about its problem, a formatted one."""
    said = problem["id"], problem["family"], problem["answer"], problem["steps"], problem["prompt"][-1]["content"]
    return dict(zip(ASKED, said, strict=True))


def judge(name, gold, text, tokens, truncated, prompt):
    """One completion of the problem `name`, judged: what each extractor reads in it, and if that is the gold answer.

    `unparsed` is there, and true, if math-verify was not asked. SystemExit if it was and did not come back.
    """
    try:
        extracted = extract(text, prompt["answer"])
    except TimeoutError as error:
        raise SystemExit(
            f"error: problem {name}: {error}: refuse such a text in scripts/reasoning/growth.py, and report it"
        ) from None
    judged = {
        "completion": text,
        "tokens": tokens,
        "truncated": truncated,
        "format": re.fullmatch(prompt["format"], text, re.DOTALL) is not None,
        "extracted": extracted,
        "correct": {key: value == gold for key, value in extracted.items()},
    }
    return judged | ({"unparsed": True} if unparsed(text, prompt["answer"]) else {})


def judge_again(sample, prompt):
    """A sample recomputed from its completion, and from the completions of its draws if it has any."""

    def again(judged):
        return judge(sample["id"], sample["gold"], judged["completion"], judged["tokens"], judged["truncated"], prompt)

    fresh = {key: sample[key] for key in ASKED} | again(sample)
    return fresh | ({"draws": list(map(again, sample["draws"]))} if "draws" in sample else {})


def summarise(samples):
    """The scores of a list of samples, overall and by family."""
    families = sorted({s["family"] for s in samples})
    return {
        "n": len(samples),
        "scores": {name: score([s["correct"][name] for s in samples]) for name in EXTRACTORS},
        "format": score([s["format"] for s in samples]),
        "unparsed": sum(s.get("unparsed", False) for s in samples),
        "truncated": score([s["truncated"] for s in samples]),
        "completion_tokens": quantiles([s["tokens"] for s in samples]),
        "at_k": at_k(samples),
        "families": {
            family: {name: score([s["correct"][name] for s in samples if s["family"] == family]) for name in EXTRACTORS}
            for family in families
        },
    }
