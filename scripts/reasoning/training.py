"""What a training is made of: its share of the config section `train`, and the problems that it learns from.

The rules read this file too, so it imports nothing of the package.
"""

import random

# The keys of the section that one trainer alone reads.
READ_BY = {"grpo": ("limits",), "sft": ("sft", "solution", "teacher")}
# Fields of GRPOConfig that are about the machine rather than the method: stated once, for every trainer.
OF_THE_MACHINE = (
    *(
        "use_cpu",
        "bf16",
        "fp16",
        "fsdp",
        "fsdp_config",
        "gradient_checkpointing",
        "gradient_checkpointing_kwargs",
        "optim",
    ),
)


def of_trainer(train):
    """Section `train` without what its trainer does not read, so that a change there asks for no other training."""
    unread = {key for trainer, keys in READ_BY.items() if trainer != train["trainer"] for key in keys}
    kept = {key: value for key, value in train.items() if key not in unread}
    if train["trainer"] == "grpo":
        return kept
    return kept | {"grpo": {key: value for key, value in train["grpo"].items() if key in OF_THE_MACHINE}}


def arguments(train):
    """The fields of TRL's config class that section `train` states for its trainer."""
    return of_trainer(train)["grpo"] | train[train["trainer"]]


def with_some_examples(problems, examples, seed):
    """The problems with some of their prompt's worked examples, at least `least`, drawn at random and in random order.

    What is learned from one prompt is partly lost with another one. Every number of examples comes equally often. Each
    `every` problems share a draw, so that a step still computes the beginning of its prompts once. `examples` is the
    section `train.problems.examples`.
    """
    draw, numbers, found = random.Random(seed), [], []
    for i, problem in enumerate(problems):
        chat = problem["prompt"]
        first = int(chat[0]["role"] == "system")
        pairs = [chat[at : at + 2] for at in range(first, len(chat) - 1, 2)]
        if i % examples["every"] == 0:
            possible = range(examples["least"], len(pairs) + 1)
            numbers = numbers or draw.sample(possible, len(possible))
            chosen = draw.sample(range(len(pairs)), numbers.pop())
        turns = [turn for pair in chosen for turn in pairs[pair]]
        found.append(problem | {"prompt": [*chat[:first], *turns, chat[-1]]})
    return found


def training_problems(problems, chosen, seed):
    """The problems that the training of a seed learns from, in its order; `chosen` is the section `train.problems`.

    With `wrong_answers` each gets the answer of the next problem with another one, and that problem's facts, but no
    steps: what is learned from such labels is not arithmetic.
    """
    if chosen["shuffle"]:
        problems = random.Random(seed).sample(problems, len(problems))
    problems = problems[chosen["skip"] :][: chosen["limit"]]
    if not problems:
        raise SystemExit(
            "error: train.problems leaves nothing to train on: lower train.problems.skip, or use a task with more "
            "training problems"
        )
    if chosen["examples"]:
        problems = with_some_examples(problems, chosen["examples"], seed)
    if not chosen["wrong_answers"]:
        return problems
    answers = [problem["answer"] for problem in problems]
    if len(set(answers)) == 1:
        raise SystemExit("error: train.problems.wrong_answers needs problems with different answers: use more of them")

    def wrong(i):
        other = next(one for one in problems[i + 1 :] + problems if one["answer"] != answers[i])
        kept = {key: value for key, value in problems[i].items() if key != "facts"}
        return kept | {key: other[key] for key in ("answer", "facts") if key in other} | {"steps": []}

    return [wrong(i) for i in range(len(problems))]


def demonstration(problem, completion):
    """`{id, prompt, answer, completion}`, and the `facts` of a task that judges answers by them."""
    kept = {key: problem[key] for key in ("id", "prompt", "answer", "facts") if key in problem}
    return kept | {"completion": completion}


def worked_solutions(problems, template):
    """A demonstration for each problem: its solution as `template` writes it."""
    return [
        demonstration(one, template.replace("{solution}", one["solution"]).replace("{answer}", one["answer"]))
        for one in problems
    ]


def right_completions(problems, samples):
    """A demonstration for each different right completion that a teacher gave, by the strict extractor.

    `samples` are the teacher's, of the same task's training split. First one of each problem, then another of each:
    rejection sampling as of Yuan et al. 2023, arXiv:2308.01825, section 3.3. SystemExit if there is none.
    """
    of_problem = {sample["id"]: [sample, *sample.get("draws", [])] for sample in samples}
    right = {
        name: list(dict.fromkeys(one["completion"] for one in completions if one["correct"]["strict"] == 1))
        for name, completions in of_problem.items()
    }
    found = [
        demonstration(problem, right[problem["id"]][turn])
        for turn in range(max(map(len, right.values()), default=0))
        for problem in problems
        if turn < len(right.get(problem["id"], []))
    ]
    if not found:
        raise SystemExit(
            "error: the teacher solved none of these problems: use easier ones, more of them, or raise teachers.n"
        )
    return found
