"""From completions to scores. Nothing but the completions is needed, so anyone can recompute every score."""

import re

from reasoning.pass_at_k import at_k
from reasoning.protocol import extractors_in_order
from reasoning.statistics import quantiles, score

# What a sample says of its problem.
ABOUT = ("id", "family", "gold", "facts", "steps", "question")


def judge(name, gold, text, tokens, truncated, prompt, kind, facts=None, cuts=()):
    """One completion of the problem `name`, judged: what each extractor reads in it, and if that is the gold answer.

    `kind` is the answer's type (answers/), `facts` what else the problem says to its judge. `unparsed` is there, and
    true, if math-verify was not asked. `cuts` are the numbers of characters, after the prefill, that its first 1, 2, 4,
    … tokens make; `within` says of each if what is there by then is the gold answer, by the strict extractor.
    SystemExit if math-verify was asked and did not come back, or if the task's own judge fails.
    """
    try:
        extracted = {key: extractor(text, prompt["answer"]) for key, extractor in kind.EXTRACTORS.items()}
        correct = {key: kind.equal(value, gold, facts) for key, value in extracted.items()}
        texts = [text[: len(prompt["prefill"]) + cut] for cut in cuts]
        within = [kind.equal(kind.EXTRACTORS["strict"](part, prompt["answer"]), gold, facts) for part in texts]
    except TimeoutError as error:
        raise SystemExit(
            f"error: problem {name}: {error}: refuse such a text in scripts/reasoning/growth.py, and report it"
        ) from None
    except SystemExit as error:
        raise SystemExit(f"error: problem {name}: {str(error).removeprefix('error: ')}") from error
    judged = {
        "completion": text,
        "tokens": tokens,
        "truncated": truncated,
        "format": re.fullmatch(prompt["format"], text, re.DOTALL) is not None,
        "extracted": extracted,
        "correct": correct,
        "cuts": list(cuts),
        "within": within,
    }
    return judged | ({"unparsed": True} if kind.unread(text, prompt["answer"]) else {})


def about(problem):
    """What a sample says of its problem, one of data/<task>/<split>.jsonl."""
    said = problem | {"gold": problem["answer"], "question": problem["prompt"][-1]["content"]}
    return {key: said[key] for key in ABOUT if key in said}


def judge_again(sample, prompt, kind):
    """A sample recomputed from its completion, and from the completions of its draws if it has any."""

    def again(judged):
        made = (judged["completion"], judged["tokens"], judged["truncated"])
        return judge(sample["id"], sample["gold"], *made, prompt, kind, sample.get("facts"), judged["cuts"])

    fresh = {key: sample[key] for key in ABOUT if key in sample} | again(sample)
    return fresh | ({"draws": list(map(again, sample["draws"]))} if "draws" in sample else {})


def within_budgets(samples):
    """`{tokens: score}` by the strict extractor of what the completions are after so many tokens.

    The budgets are the powers of two, and the longest completion's number of tokens, with which all are whole. Decoded
    greedily, it is what a limit of so many tokens would have scored.
    """
    longest = max(sample["tokens"] for sample in samples)
    powers = [power for power in range(longest.bit_length()) if 2**power < longest]
    right = [[*s["within"], *[s["correct"]["strict"]] * (len(powers) + 1 - len(s["within"]))] for s in samples]
    budgets = [*(2**power for power in powers), longest]
    return {str(budget): score(list(each)) for budget, each in zip(budgets, zip(*right, strict=True), strict=True)}


def summarise(samples):
    """The scores of a list of samples, overall and by family."""
    families, extractors = sorted({s["family"] for s in samples}), extractors_in_order(samples[0]["correct"])
    return {
        "n": len(samples),
        "scores": {name: score([s["correct"][name] for s in samples]) for name in extractors},
        "format": score([s["format"] for s in samples]),
        "unparsed": sum(s.get("unparsed", False) for s in samples),
        "truncated": score([s["truncated"] for s in samples]),
        "completion_tokens": quantiles([s["tokens"] for s in samples]),
        "within_tokens": within_budgets(samples),
        "at_k": at_k(samples),
        "families": {
            family: {name: score([s["correct"][name] for s in samples if s["family"] == family]) for name in extractors}
            for family in families
        },
    }
