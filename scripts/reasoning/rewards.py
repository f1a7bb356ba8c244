"""GRPO's rewards, each from 0 to 1 per completion; the config weights them (`rewards: {accuracy: 1.0, …}`)."""

import hashlib
import json
import math
import os
import re
import runpy
from functools import partial

from reasoning.answer import strict_score
from reasoning.number import NUMBER, as_seen, number
from reasoning.own import failure

COMPUTED = re.compile(rf"=\s*({NUMBER.pattern})")


def accuracy(kind, text, problem, prompt):
    """The score by the strict extractor, which is also the metric; `kind` is the answer's type."""
    return strict_score(kind, text, problem, prompt)


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


def rewards_of(kind):
    """The rewards by name, each a function of a completion, its problem and the config section `prompt`."""
    return {"accuracy": partial(accuracy, kind), "format": format, "steps": steps}


def own(name):
    """The reward `<file>.py:<function>` of a user, called as `f(text, tokens, problem)`.

    `text` is the completion with the prompt's prefill, `tokens` the ids that were sampled, and `problem` holds
    `prompt`, `answer`, `steps` and `facts`. It returns one finite number. SystemExit with the line if it fails,
    because a reward that is wrong for one completion is wrong for the training.
    """
    path, _, function = name.rpartition(":")

    try:
        defined = runpy.run_path(path)
    except Exception as error:
        raise failure(f"reward {name}", path, error) from error
    if not callable(reward := defined.get(function)):
        raise SystemExit(f"error: reward {name}: {path} has no function {function}: correct the name")

    def checked(text, tokens, problem):
        try:
            value = reward(text, tokens, problem)
        except Exception as error:
            raise failure(f"reward {name}", path, error) from error
        if not isinstance(value, (int, float)) or not math.isfinite(value):
            raise SystemExit(f"error: reward {name} returned {value!r}: return one finite number")
        return float(value)

    return checked


def reward_functions(weights, prompt, seed, rollouts, kind):
    """(functions for TRL, weights) of the rewards whose weight is not 0; `kind` is the answer's type (answers/).

    TRL calls each as `f(prompts=…, completions=[[{"role", "content"}], …], completion_ids=…, answer=[…], steps=[…],
    trainer_state=…)`, answer, steps and perhaps facts (as JSON) from the training data, and expects one float per
    completion. The prompt's prefill was not sampled, but it is part of the text that is scored. The deque `rollouts`
    receives the latest `(prompts, completion_ids)`.
    """

    known = rewards_of(kind)

    def trl(name):
        of_user = own(name) if ".py:" in name else None

        def reward(prompts, completions, completion_ids, answer, steps, trainer_state, facts=None, **_):
            rollouts.append((prompts, completion_ids))
            if name == "random":
                return [coin(seed, trainer_state.global_step, chat, index) for index, chat in enumerate(prompts)]
            texts = [prompt["prefill"] + completion[0]["content"] for completion in completions]
            said = zip(prompts, answer, steps, map(json.loads, facts or ["null"] * len(prompts)), strict=True)
            problems = [dict(zip(("prompt", "answer", "steps", "facts"), each, strict=True)) for each in said]
            if of_user:
                return [of_user(*each) for each in zip(texts, completion_ids, problems, strict=True)]
            return [known[name](text, problem, prompt) for text, problem in zip(texts, problems, strict=True)]

        reward.__name__ = name  # TRL logs it under this name
        return reward

    chosen = {name: weight for name, weight in weights.items() if weight}
    return [trl(name) for name in chosen], list(chosen.values())
