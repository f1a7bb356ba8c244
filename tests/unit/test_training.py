"""What a training is made of: the settings that its trainer reads, and the problems or completions it learns from."""

import pytest
import yaml
from answers import number as a_number
from backends.chat_template import end_of_turn
from backends.decoding import stop_tokens
from backends.tokenizer import load_tokenizer, token_ids
from reasoning.training import arguments, of_trainer, right_completions, training_problems, worked_solutions
from trainers import Training, trainer
from trainers.grpo import for_backend
from trainers.sft import require_right, tokenised

CONFIG = yaml.safe_load(open("config/config.yaml"))
TRAIN, PROMPT = CONFIG["train"], CONFIG["prompt"]
ALL = {"shuffle": False, "skip": 0, "limit": None, "wrong_answers": False, "examples": None}
PROBLEMS = [
    {
        "id": f"train-{n}",
        "prompt": [{"role": "user", "content": f"{n} + 1?"}],
        "answer": str(n + 1),
        "steps": [str(n + 1)],
        "solution": f"{n} + 1 = {n + 1}",
    }
    for n in range(20)
]


def test_a_trainer_gets_what_it_reads():
    """What the other trainer reads changes nothing, and what is of the machine is stated once."""
    grpo, sft = of_trainer(TRAIN | {"trainer": "grpo"}), of_trainer(TRAIN | {"trainer": "sft"})
    assert not {"sft", "solution", "teacher"} & grpo.keys() and grpo["grpo"] == TRAIN["grpo"]
    assert "limits" not in sft and sft["grpo"].keys() == {"use_cpu", "bf16", "gradient_checkpointing"}
    assert arguments(TRAIN | {"trainer": "grpo"}) == arguments(grpo) == TRAIN["grpo"]
    assert arguments(sft) == sft["grpo"] | TRAIN["sft"] == arguments(TRAIN | {"trainer": "sft"})
    with pytest.raises(SystemExit, match="no train.trainer 'dpo': choose one of grpo, sft"):
        trainer("dpo")


def test_problems():
    assert training_problems(PROBLEMS, ALL, seed=0) == PROBLEMS
    chosen = ALL | {"skip": 3, "limit": 5}
    assert training_problems(PROBLEMS, chosen, 0) == PROBLEMS[3:8]
    orders = [training_problems(PROBLEMS, ALL | {"shuffle": True}, seed) for seed in (0, 1, 0)]
    assert orders[0] == orders[2] != orders[1] and sorted(map(str, orders[0])) == sorted(map(str, PROBLEMS))
    # A cold start and what follows it use different problems of one order.
    shares = (ALL | {"shuffle": True} | share for share in ({"limit": 5}, {"skip": 5}))
    assert sum((training_problems(PROBLEMS, share, 1) for share in shares), []) == orders[1]
    with pytest.raises(SystemExit, match="leaves nothing to train on: lower train.problems.skip"):
        training_problems(PROBLEMS, ALL | {"skip": 20}, 0)


def test_wrong_answers():
    """Every answer is that of the next problem with another one, and no step of the right solution is left."""
    found = training_problems(PROBLEMS, ALL | {"wrong_answers": True}, 0)
    assert [p["id"] for p in found] == [p["id"] for p in PROBLEMS]
    assert all(a["answer"] != b["answer"] and not a["steps"] for a, b in zip(found, PROBLEMS, strict=True))
    assert [p["answer"] for p in found] == [p["answer"] for p in PROBLEMS[1:] + PROBLEMS[:1]]
    told = [problem | {"facts": [problem["answer"]]} for problem in PROBLEMS]
    found = training_problems(told, ALL | {"wrong_answers": True}, 0)
    assert all(problem["facts"] == [problem["answer"]] for problem in found)
    with pytest.raises(SystemExit, match="needs problems with different answers"):
        training_problems(PROBLEMS[:1] * 2, ALL | {"wrong_answers": True}, 0)


def test_prompts_with_some_of_the_examples():
    """Each block of problems has its own draw of the worked examples, of every number and in every order."""
    turns = [{"role": role, "content": f"{n}"} for n in range(3) for role in ("user", "assistant")]
    opening = [{"role": "system", "content": "s"}]
    problems = [p | {"prompt": [*opening, *turns, *p["prompt"]]} for p in PROBLEMS * 10]
    chosen = ALL | {"examples": {"least": 1, "every": 3}}
    found = training_problems(problems, chosen, 0)
    assert found == training_problems(problems, chosen, 0) != training_problems(problems, chosen, 1)
    drawn = []
    for i, (problem, before) in enumerate(zip(found, problems, strict=True)):
        assert problem | {"prompt": before["prompt"]} == before
        first, *shown, question = problem["prompt"]
        assert [first] == opening and question == before["prompt"][-1]
        assert [turn["role"] for turn in shown] == ["user", "assistant"] * (len(shown) // 2)
        numbers = [turn["content"] for turn in shown]
        assert numbers[::2] == numbers[1::2] and len(set(numbers)) == len(shown) // 2
        drawn.append(tuple(numbers[::2]))
        assert i % 3 == 0 or drawn[-1] == drawn[-2]
    sizes = [len(order) for order in drawn[::3]]
    assert all(sorted(sizes[at : at + 3]) == [1, 2, 3] for at in range(0, len(sizes) - 2, 3)) and len(set(drawn)) > 10
    assert training_problems(PROBLEMS, ALL | {"examples": {"least": 0, "every": 1}}, 0) == PROBLEMS


def judged(completion, right):
    return {"completion": completion, "correct": {"strict": right, "flexible": True}}


@pytest.mark.parametrize(("changes", "asked"), [({}, 3), ({"steps_per_generation": 4}, 6)])
def test_as_many_problems_as_a_batch_is_about(changes, asked):
    settings = TRAIN | {"grpo": TRAIN["grpo"] | changes}
    training = Training(settings, PROMPT, None, 0, PROBLEMS[:asked], None, None, None, a_number)
    assert for_backend(training) == settings
    with pytest.raises(SystemExit, match=f"{asked - 1} problems to train on, and a batch is about {asked}"):
        for_backend(training._replace(problems=PROBLEMS[: asked - 1]))


def test_right_completions():
    """Each different right one, first one of each problem; also of draws; of the training's own problems only."""
    samples = [
        {"id": "train-0"} | judged("a", False) | {"draws": [judged("b", True), judged("c", True), judged("b", True)]},
        {"id": "train-1"} | judged("d", True) | {"draws": [judged("d", True)]},
        {"id": "train-2"} | judged("e", False),
        {"id": "train-9"} | judged("f", True),
    ]
    found = right_completions(PROBLEMS[:3], samples)
    assert [(one["id"], one["completion"]) for one in found] == [("train-0", "b"), ("train-1", "d"), ("train-0", "c")]
    with pytest.raises(SystemExit, match="the teacher solved none of these problems: .* or raise teachers.n$"):
        right_completions(PROBLEMS[2:3], samples)


def test_what_is_imitated(tiny_model):
    """The prompt as evaluation gives it, without loss; then the completion after the prefill, and the turn's end."""
    prompt = PROMPT | {"prefill": "So: "}
    texts = worked_solutions(PROBLEMS[:2], "So: {solution}\n#### {answer}")
    assert texts[1]["completion"] == "So: 1 + 1 = 2\n#### 2"
    training = Training(None, prompt, None, 0, PROBLEMS[:2], texts, tiny_model, None, a_number)
    tokenizer = load_tokenizer(tiny_model, prompt)
    end = end_of_turn(tokenizer, stop_tokens(tiny_model, tokenizer))
    assert tokenizer.convert_ids_to_tokens(end) == "<|end|>"
    for row, problem in zip(tokenised(training), PROBLEMS, strict=False):
        chat = token_ids(tokenizer, [problem["prompt"]])[0]
        assert row["input_ids"][: len(chat)] == chat and row["labels"][: len(chat)] == [-100] * len(chat)
        assert row["labels"][len(chat) :] == row["input_ids"][len(chat) :]
        assert tokenizer.decode(row["labels"][len(chat) : -1]) == f"{problem['solution']}\n#### {problem['answer']}"
        assert row["labels"][-1] == end


@pytest.mark.parametrize(
    ("template", "line"),
    [
        ("{solution}, so {answer}", "make train.solution and prompt.answer agree"),
        ("{solution}\n#### {answer}", "let train.solution begin with it"),
    ],
)
def test_a_solution_that_no_reward_would_call_right(template, line):
    with pytest.raises(SystemExit, match=line):
        require_right(worked_solutions(PROBLEMS[:1], template), PROMPT | {"prefill": "So: "}, a_number)
