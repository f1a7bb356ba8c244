"""GRPO's rewards, each from 0 to 1 per completion; the config weights them (`rewards: {accuracy: 1.0, …}`)."""

import hashlib
import re

from reasoning.answer import extract_strict
from reasoning.number import NUMBER, as_seen, number

COMPUTED = re.compile(rf"=\s*({NUMBER.pattern})")


def accuracy(text, problem, prompt):
    """1 if the strict extractor, which is also the metric, finds the gold answer."""
    return float(extract_strict(text, prompt["answer"]) == problem["answer"])


def format(text, problem, prompt):
    """1 if the whole completion has the format that the prompt asks for, whether its answer is correct or not."""
    return float(re.fullmatch(prompt["format"], text, re.DOTALL) is not None)


def steps(text, problem, prompt):
    """The share of the gold solution's steps whose result follows a "=" in the completion, in order.

    Two-step problems are rarely solved by chance, so accuracy alone cannot teach them; this rewards a single correct
    step. Only results count, not how they were obtained. 0 if the number of results differs from the gold solution's,
    because a policy rewarded for the first step of any problem learns to stop there. 0 if no gold step is annotated.
    """
    computed, gold = [number(result) for result in COMPUTED.findall(as_seen(text))], problem["steps"]
    if not gold or len(computed) != len(gold):
        return 0.0
    return sum(a == b for a, b in zip(computed, gold, strict=True)) / len(gold)


def random(text, problem, prompt):
    """A coin toss, independent of the problem: the control for gains that any reward would bring.

    A hash of the text decides, so reruns give the same result.
    """
    return float(hashlib.sha256(text.encode()).digest()[0] & 1)


REWARDS = {"accuracy": accuracy, "format": format, "steps": steps, "random": random}


def reward_functions(weights, prompt, rollouts):
    """(functions for TRL, weights) of the rewards whose weight is not 0.

    TRL calls each as `f(prompts=…, completions=[[{"role", "content"}], …], completion_ids=…, answer=[…], steps=[…])`,
    the last two from the training data, and expects one float per completion. The prompt's prefill was not sampled,
    but it is part of the text that is scored. The deque `rollouts` receives the latest `(prompts, completion_ids)`.
    """

    def trl(name):
        def reward(prompts, completions, completion_ids, answer, steps, **_):
            rollouts.append((prompts, completion_ids))
            texts = [prompt["prefill"] + completion[0]["content"] for completion in completions]
            problems = [{"answer": a, "steps": s} for a, s in zip(answer, steps, strict=True)]
            return [REWARDS[name](text, problem, prompt) for text, problem in zip(texts, problems, strict=True)]

        reward.__name__ = name  # TRL logs it under this name
        return reward

    chosen = {name: weight for name, weight in weights.items() if weight}
    return [trl(name) for name in chosen], list(chosen.values())
