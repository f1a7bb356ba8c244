"""Problems of the source `reasoning_gym://`, judged by their data set's own scorer, with scores from 0 to 1."""

from functools import cache

from sources.reasoning_gym import INSTALL, require_judged

PACKAGES = ("reasoning-gym",)


def problem(record):
    """The problem of a record; its family is the data set, and its scorer is given all of the record."""
    return {
        "question": record["question"],
        "answer": record["answer"],
        "family": record["dataset"],
        "facts": {key: record[key] for key in ("dataset", "question", "metadata")},
    }


@cache
def scorer(dataset):
    """The function that scores a data set's answers."""
    require_judged(dataset)
    try:
        from reasoning_gym.factory import get_score_answer_fn
    except ModuleNotFoundError as error:
        if error.name != "reasoning_gym":
            raise
        raise SystemExit(f"error: this task is judged by the package reasoning_gym: {INSTALL}") from None
    return get_score_answer_fn(dataset)


def judge(answer, problem):
    """What the data set's scorer says of an answer."""
    facts = problem["facts"]
    entry = {"question": facts["question"], "answer": problem["answer"], "metadata": facts["metadata"]}
    return min(1.0, max(0.0, float(scorer(facts["dataset"])(answer, entry))))
