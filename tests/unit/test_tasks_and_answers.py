"""Types of answers and task modules: what is read, when it is right, and what a wrong file is told."""

import json
from collections import deque

import pytest
from answers import choice, expression, number, text
from reasoning.comparison import compare
from reasoning.formatting import format_problem
from reasoning.protocol import MEASURED, extractor_version, protocol
from reasoning.results import adjust
from reasoning.rewards import reward_functions, rewards_of
from reasoning.scoring import about, judge, judge_again, summarise
from tasks import described_module, load, read_problems

PROMPT = {"answer": "<answer>([^<]*)</answer>", "format": ".*", "system": "", "examples": []}


def correct(kind, gold, completion, facts=None):
    """What a completion scores by each extractor, and that the reward is what the strict one says."""
    judged = judge("test-0", kind.gold(gold), completion, 3, False, PROMPT, kind, facts)
    problem = {"answer": kind.gold(gold), "steps": [], "facts": facts}
    assert rewards_of(kind)["accuracy"](completion, problem, PROMPT) == judged["correct"]["strict"]
    return judged["correct"]["strict"], judged["correct"]["flexible"]


@pytest.mark.parametrize(
    ("kind", "gold", "completion", "strict", "flexible"),
    [
        (number, "1,000", "so <answer>$1000.00</answer>", True, True),
        (choice, "B", "<answer>(b)</answer>", True, False),
        (choice, "(B)", "<answer>B) Paris</answer>", True, True),
        (choice, "B", "<answer>Be careful</answer>", False, False),
        (choice, "B", "It is A dog, hence B.", False, True),
        (choice, "B", "It is B. I am sure, A.", False, False),
        (text, "The Eiffel Tower", "<answer>eiffel tower.</answer>", True, True),
        (text, "yes", "Let us see.\nYes!", False, True),
        (text, "yes", "<answer></answer>", False, False),
        (text, "3.5", "<answer>35</answer>", False, False),
        (text, "3.5", "It is\n3.5.", False, True),
        (text, "-5", "<answer>5</answer>", False, False),
        (text, "-5", "<answer>\u22125</answer>", True, True),
        (text, "1/2", "<answer>12</answer>", False, False),
        (text, "1,000", "<answer>1000</answer>", True, True),
        (text, "1,2", "<answer>12</answer>", False, False),
        (text, "1,2", "<answer>1, 2</answer>", True, True),
        (text, "well-known", "<answer>wellknown!</answer>", True, True),
        (text, "A", "<answer>a.</answer>", True, True),
        (text, "A", "<answer>the</answer>", False, False),
        (expression, r"\frac{1}{2}", "<answer>0.5</answer>", True, True),
        (expression, r"\frac{1}{2}", r"so it is $\boxed{\dfrac12}$", False, True),
        (expression, r"2\sqrt{3}", r"<answer>\sqrt{12}</answer>", True, True),
        (expression, r"2\sqrt{3}", r"<answer>\sqrt{13}</answer>", False, False),
        (expression, r"x^2+1", "<answer>9^{9^{9^{9}}}</answer>", False, False),
        (expression, r"\left( 3, \frac{\pi}{2} \right)", r"<answer>(3, \frac{\pi}{2})</answer>", True, True),
    ],
)
def test_a_type_judges(kind, gold, completion, strict, flexible):
    assert correct(kind, gold, completion) == (strict, flexible)


GOLDS = [
    r"\frac{1}{2}",
    r"\text{Evelyn}",
    r"\$18.90",
    r"10,\!080",
    "[2,5)",
    r"\{1,2\}",
    r"864 \mbox{ inches}^2",
    "x^2+1",
]


@pytest.mark.parametrize("gold", GOLDS + [r"\begin{pmatrix} 1 \\[2pt] 2 \end{pmatrix}", r"15\mbox{ cm}^{2}"])
@pytest.mark.parametrize(
    "form", ["%s", "%s.", r"\[ %s \]", r"\[ %s. \]", r"\(%s\)", "$%s$.", "$$\n%s\n$$", r"\boxed{%s}", "x = %s"]
)
def test_an_expression_as_it_is_written_in_a_sentence(gold, form):
    assert correct(expression, gold, f"<answer>{form % gold}</answer>") == (True, True)


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("y = 2x + 3", "x = 2x + 3"),
        ("5", "x = 6"),
        (r"\frac{1}{2}", r"\[ \frac{1}{3} \]."),
        (r"15\mbox{ cm}^2", r"225\mbox{ cm}^2"),
        ("15", r"15\mbox{ cm}^{99999}"),
    ],
)
def test_another_expression(gold, answer):
    assert correct(expression, gold, f"<answer>{answer}</answer>") == (False, False)


def test_several_formulas_are_not_taken_for_one():
    assert expression.bare(r"\(a\) and \(b\).") == r"\(a\) and \(b\)" and expression.bare("$a$, $b$") == "$a$, $b$"
    assert expression.bare(r"\left\{ a \right.") == r"\left\{ a \right." and expression.bare("1, 2, ...") == "1, 2, ..."


def test_a_gold_answer_whose_like_is_not_read():
    with pytest.raises(ValueError, match="write it otherwise, or define judge"):
        expression.gold("(x+2)^2")


def test_a_type_whose_extractors_changed_has_its_own_version():
    """So that numbers, whose extractors did not, can still be compared."""
    assert [extractor_version(kind) for kind in (number, choice, text, expression)] == [2, 2, 3, 3]
    measured = dict.fromkeys(MEASURED)
    assert protocol("t", "test", {}, {}, measured, None, 3)["extractor_version"] == 3


@pytest.mark.parametrize(("kind", "gold"), [(number, "two"), (choice, "Paris"), (text, "..."), (expression, "")])
def test_a_gold_answer_of_another_type_is_refused(kind, gold):
    with pytest.raises(ValueError):
        kind.gold(gold)


OWN = """
def problem(record):
    return {"question": record["asks"], "answer": record["says"], "facts": {"half": record["half"]}}

def judge(answer, problem):
    return 1 if answer == problem["answer"] else 0.5 * (answer == problem["facts"]["half"])
"""


@pytest.fixture
def own(tmp_path):
    def written(text):
        (tmp_path / "mine.py").write_text(text)
        return load({"module": f"{tmp_path}/mine.py"})

    return written


def test_a_judge_with_fractions(own):
    """Its scores are the reward and the metric, with a bootstrap interval, and follow from the samples again."""
    task = own(OWN)
    record = {"asks": "Which?", "says": "red apple", "half": "apple"}
    problem = format_problem(record, "test-0", PROMPT, task)
    assert problem["facts"] == {"half": "apple"} and problem["prompt"][-1]["content"] == "Which?"
    assert correct(task.answer, "red apple", "<answer>red apple</answer>", problem["facts"]) == (1.0, 1.0)
    assert correct(task.answer, "red apple", "<answer>apple</answer>", problem["facts"]) == (0.5, 0.5)
    assert correct(task.answer, "red apple", "hm\nred apple", problem["facts"]) == (0.0, 1.0)

    def samples(*answers):
        told = [(f"<answer>{answer}</answer>", 3, False, PROMPT, task.answer, problem["facts"]) for answer in answers]
        return [about(problem | {"id": str(i)}) | judge("", "red apple", *each) for i, each in enumerate(told)]

    base, policy = samples("pear", "apple", "pear", "apple"), samples("apple", "red apple", "pear", "apple")
    assert [judge_again(sample, PROMPT, task.answer) for sample in policy] == policy
    score = summarise(policy)["scores"]["strict"]
    assert (score["n"], score["correct"], score["value"]) == (4, 2.0, 0.5) and 0 < score["low"] < 0.5 < score[
        "high"
    ] < 1
    change = compare(base, policy, PROMPT)["extractors"]
    assert change.keys() == {"strict", "flexible"} and change["strict"]["difference"] == 0.25
    assert (change["strict"]["won"], change["strict"]["lost"]) == (2, 0)


def test_the_judge_as_a_reward(own):
    """TRL hands on what the judge needs as JSON, because records need not have the same keys."""
    task = own(OWN)
    (accuracy,), _ = reward_functions({"accuracy": 1.0}, PROMPT | {"prefill": ""}, 0, deque(maxlen=1), task.answer)
    texts = ["<answer>red apple</answer>", "<answer>apple</answer>", "<answer>apple</answer>"]
    columns = {"completions": [[{"role": "assistant", "content": text}] for text in texts], "answer": ["red apple"] * 3}
    facts = [json.dumps({"half": "apple"}), json.dumps({"half": "apple"}), json.dumps({"half": "pear", "more": [1]})]
    told = {"prompts": ["p"] * 3, "completion_ids": [[1]] * 3, "steps": [[]] * 3, "trainer_state": None}
    assert accuracy(**columns, **told, facts=facts) == [1.0, 0.5, 0.0]


def test_p_is_adjusted_for_the_number_of_tasks():
    """By Holm, over the tasks of one policy and extractor; the base model has none."""

    def entry(p):
        change = {"extractors": {"strict": {"p": p}}}
        return {"policies": {"base": {"comparison": None}, "grpo-seed0": {"comparison": change}}}

    tasks = {"a": entry(0.04), "b": entry(0.01), "c": entry(0.03)}
    adjust(tasks)
    found = {task: of["policies"]["grpo-seed0"]["p_adjusted"]["strict"] for task, of in tasks.items()}
    assert found == pytest.approx({"a": 0.06, "b": 0.03, "c": 0.06})
    assert "p_adjusted" not in tasks["a"]["policies"]["base"]


@pytest.mark.parametrize(
    ("file", "says"),
    [
        ("def problem(record): return {}", "define problem"),
        ("ANSWER = 1\n" + OWN, "define problem"),
        ("def problem(record:", "line 1: SyntaxError"),
        ("import nonsense", "line 1: ModuleNotFoundError"),
        ("ANSWER = 'number'\ndef problem(record): return {}", "ANSWER is 'number', which has no EXTRACTORS, gold"),
    ],
)
def test_a_file_that_is_no_module(own, file, says):
    with pytest.raises(SystemExit, match=says):
        own(file)


def test_an_error_in_it_names_the_line_or_the_record(own):
    task = own(OWN.replace("record['asks']", "1 / 0"))
    with pytest.raises(SystemExit, match="^error: test.jsonl, problem 1: task module .*mine.py, line 3: KeyError"):
        read_problems(task, "test.jsonl", [{"says": "x"}])
    task = own(OWN.replace('record["asks"]', '""'))
    with pytest.raises(SystemExit, match="test.jsonl, problem 1 has no question"):
        read_problems(task, "test.jsonl", [{"says": "x", "half": "y"}])
    task = own("judge = 1\ndef problem(record): print(record)")
    with pytest.raises(SystemExit, match="test.jsonl, problem 1: .* returned None: return a dict"):
        read_problems(task, "test.jsonl", [{}])
    task = own(OWN.replace("return 1 if", "return 7 if"))
    with pytest.raises(SystemExit, match="judge returned 7"):
        correct(task.answer, "a", "<answer>a</answer>", {"half": ""})


@pytest.mark.parametrize("error", ["float(answer)", "__import__('json').loads(answer)", "1 / 0"])
def test_an_error_of_the_judge_names_the_line_and_the_problem(own, error):
    """Whichever it is: only problem(record) says by ValueError what is wrong with data."""
    task = own(OWN.replace("return 1 if", f"return {error} if"))
    with pytest.raises(SystemExit, match=r"^error: problem test-0: task module .*mine.py, line 6: \w+: .*: correct"):
        correct(task.answer, "so", "<answer>so</answer>", {"half": ""})


def test_equations_are_gsm8ks_solution_without_words():
    record = {"question": "How many?", "answer": "She has 2*3=<<2*3=6>>6, of 6=<<6=6>>6.\nSo <<6+1=7>>7.\n#### 7"}
    whole, short = (read_problems(load({"module": name}), "x", [record])[0] for name in ("gsm8k", "gsm8k_equations"))
    assert short.pop("solution") == "2*3=6\n6+1=7"
    assert short == {key: value for key, value in whole.items() if key != "solution"}
    unannotated = {"question": "How many?", "answer": "Seven.\n#### 7"}
    assert read_problems(load({"module": "gsm8k_equations"}), "x", [unannotated])[0]["solution"] == "Seven."


@pytest.mark.parametrize("module", ["gsm8k", "gsm8k_equations", "svamp", "math500", "arc", "bbh", "reasoning_gym"])
@pytest.mark.parametrize("record", [{"other": "data"}, [], None])
def test_data_of_another_module(module, record):
    """Whose number is named, and not a line of the package."""
    with pytest.raises(SystemExit, match="^error: test.jsonl, problem 1 has (another form|no text)"):
        read_problems(load({"module": module}), "test.jsonl", [record])


def test_the_protocol_names_a_module_that_the_config_names(own, tmp_path):
    own(OWN)
    assert described_module({}) is None
    assert described_module({"module": "gsm8k"}) == {"name": "gsm8k", "sha256": None}
    before = described_module({"module": f"{tmp_path}/mine.py"})
    own(OWN + "\n")
    assert before != described_module({"module": f"{tmp_path}/mine.py"})
    json.dumps(before)
