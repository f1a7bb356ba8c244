"""GRPO's rewards, each from 0 to 1 per completion; the config weights them (`rewards: {accuracy: 1.0, …}`)."""

import hashlib
import json
import math
import os
import re
import runpy
import traceback

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


def coin(seed, step, question, index):
    """A coin toss, 0 or 1, for the completion `index` of a batch: independent of its text, and the same in every rerun.

    The control for gains that any reward would bring (Shao et al. 2025, Spurious rewards, arXiv:2506.10947).
    """
    tossed = json.dumps([seed, step, os.environ.get("RANK", "0"), question, index])
    return float(hashlib.sha256(tossed.encode()).digest()[0] & 1)


REWARDS = {"accuracy": accuracy, "format": format, "steps": steps}


def own(name):
    """The reward `<file>.py:<function>` of a user, called as `f(text, tokens, problem)`.

    `text` is the completion with the prompt's prefill, `tokens` the ids that were sampled, and `problem` holds
    `prompt`, `answer` and `steps`. It returns one finite number. SystemExit with the line if it fails, because a reward
    that is wrong for one completion is wrong for the training.
    """
    path, _, function = name.rpartition(":")

    def stop(error):
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
        line = lines[-1] if lines else getattr(error, "lineno", "?")
        return SystemExit(f"error: reward {name}, line {line}: {type(error).__name__}: {error}: correct the file")

    try:
        defined = runpy.run_path(path)
    except Exception as error:
        raise stop(error) from error
    if not callable(reward := defined.get(function)):
        raise SystemExit(f"error: reward {name}: {path} has no function {function}: correct the name")

    def checked(text, tokens, problem):
        try:
            value = reward(text, tokens, problem)
        except Exception as error:
            raise stop(error) from error
        if not isinstance(value, (int, float)) or not math.isfinite(value):
            raise SystemExit(f"error: reward {name} returned {value!r}: return one finite number")
        return float(value)

    return checked


def reward_functions(weights, prompt, seed, rollouts):
    """(functions for TRL, weights) of the rewards whose weight is not 0.

    TRL calls each as `f(prompts=…, completions=[[{"role", "content"}], …], completion_ids=…, answer=[…], steps=[…],
    trainer_state=…)`, answer and steps from the training data, and expects one float per completion. The prompt's
    prefill was not sampled, but it is part of the text that is scored. The deque `rollouts` receives the latest
    `(prompts, completion_ids)`.
    """

    def trl(name):
        of_user = own(name) if ".py:" in name else None

        def reward(prompts, completions, completion_ids, answer, steps, trainer_state, **_):
            rollouts.append((prompts, completion_ids))
            if name == "random":
                return [coin(seed, trainer_state.global_step, chat, index) for index, chat in enumerate(prompts)]
            texts = [prompt["prefill"] + completion[0]["content"] for completion in completions]
            problems = [{"prompt": p, "answer": a, "steps": s} for p, a, s in zip(prompts, answer, steps, strict=True)]
            if of_user:
                return [of_user(*each) for each in zip(texts, completion_ids, problems, strict=True)]
            return [REWARDS[name](text, problem, prompt) for text, problem in zip(texts, problems, strict=True)]

        reward.__name__ = name  # TRL logs it under this name
        return reward

    chosen = {name: weight for name, weight in weights.items() if weight}
    return [trl(name) for name in chosen], list(chosen.values())
