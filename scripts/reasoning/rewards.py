"""The rewards of GRPO, each from 0 to 1 for a completion; the config weighs them (`rewards: {accuracy: 1.0, …}`)."""

import hashlib
import re

from reasoning.answer import extract_strict
from reasoning.number import NUMBER, as_seen, number

COMPUTED = re.compile(rf"=\s*({NUMBER.pattern})")


def accuracy(text, problem, prompt):
    """The strict extractor of the metric finds the gold answer."""
    return float(extract_strict(text, prompt["answer"]) == problem["answer"])


def format(text, problem, prompt):
    """The whole completion has the form that the prompt asks for, right or wrong."""
    return float(re.fullmatch(prompt["format"], text, re.DOTALL) is not None)


def steps(text, problem, prompt):
    """The share of the gold solution's steps whose result the completion has, in order, after a "=".

    A problem of two steps is hardly ever solved by chance, so accuracy alone cannot teach it; this rewards one right
    step. Only results count, not how they were obtained. 0 if the number of results is not that of the gold solution:
    a policy rewarded for the first step of any problem learns to stop there. 0 if gold has no annotated step.
    """
    computed, gold = [number(result) for result in COMPUTED.findall(as_seen(text))], problem["steps"]
    if not gold or len(computed) != len(gold):
        return 0.0
    return sum(a == b for a, b in zip(computed, gold, strict=True)) / len(gold)


def random(text, problem, prompt):
    """A coin toss that knows nothing of the problem: the control for gains that any reward would bring.

    The text's own hash tosses the coin, so that a rerun tosses the same.
    """
    return float(hashlib.sha256(text.encode()).digest()[0] & 1)


REWARDS = {"accuracy": accuracy, "format": format, "steps": steps, "random": random}


def reward_functions(weights, prompt, rollouts):
    """The TRL reward functions and weights of the rewards whose weight is not 0.

    TRL calls each as `f(prompts=…, completions=[[{"role", "content"}], …], completion_ids=…, answer=[…], steps=[…])`,
    the last two from the training data, and expects one float per completion. The prompt's prefill was not sampled
    but belongs to the text that is judged. The deque `rollouts` receives the latest `(prompts, completion_ids)`.
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
