"""README's numbers and figure, computed from the completions of a published record; none is typed by hand."""

import re
from pathlib import Path

from reasoning.policies import arm_of, seed_of
from reasoning.results import over_all_seeds
from reasoning.rows import in_order
from reasoning.statistics import score
from reporting.templates import fill
from reporting.words import measure, training_in_words
from stage.files import read_json, read_text

from record.attestations import addresses, read, unchecked
from record.compared import near
from record.layout import SCOPES, read_samples

MARK = "<!-- numbers: python scripts/update_readme.py {} -->\n"
END = "<!-- end of numbers -->"


def place(text, record):
    """The match of a page's numbers of a record, between the mark that names it and the next end, or None."""
    return re.search(f"(?<={re.escape(MARK.format(record))}).*?(?={re.escape(END)})", text, re.DOTALL)


def figure(record):
    """The path of README's figure of a record."""
    return Path("images", f"{record.name}.svg")


def scores_of(record):
    """A record's scores by the headline extractor, over all its seeds and controls.

    `{task: {n, base, measure, arms, leads, seeds, marked}}` of the task that it is about: the base model's score and
    what it is called, arms and leads as in results.json, each seed's score by arm, and of the problems with a mark,
    such as "held out", the base model's score and the arms.
    """
    headline = read_json(record / "config.json")["headline"]
    order = read_json(record / SCOPES[-1] / "results.json")["shown"]
    task = order["tasks"][0]
    found = dict.fromkeys(path.name for path in (record / "eval" / task).iterdir())
    samples = {policy: read_samples(record, task, policy) for policy in in_order(found, order["arms"])}
    scores = {policy: score([s["correct"][headline] for s in of]) for policy, of in samples.items()}
    over = over_all_seeds(samples)
    return {
        task: {
            "n": scores["base"]["n"],
            "base": scores["base"],
            "measure": measure(scores["base"]),
            "arms": {arm: value[headline] for arm, value in over["arms"].items()},
            "leads": {arm: value[headline] for arm, value in over["leads"].items()},
            "seeds": {
                arm: [scores[p]["value"] for p in sorted(scores, key=seed_of) if arm_of(p) == arm]
                for arm in over["arms"]
            },
            "marked": {
                mark: {"base": of["base"][headline], "arms": {arm: of["arms"][arm][headline] for arm in of["arms"]}}
                for mark, of in over["marked"].items()
            },
        }
    }


def block(record, template, tasks, statements):
    """README's numbers of a record as Markdown; `tasks` is the value of `scores_of`, `statements` by signer."""
    provenance, config = read_json(record / "provenance.json"), read_json(record / "config.json")
    text = fill(
        template,
        tasks=tasks,
        controls=config["controls"]["arms"],
        trained={arm: training_in_words(config, arm) for entry in tasks.values() for arm in entry["arms"]},
        headline=config["headline"],
        plan=config.get("plan"),
        commands=provenance["commands"],
        signers=list(statements.values()),
        scores=len(addresses(record)),
        seeds=max((value["seeds"] for entry in tasks.values() for value in entry["arms"].values()), default=1),
        record=record,
    )
    return f"{text.strip()}\n"


def check_readme(record, readme, template, image, attestations=Path("attestations")):
    """`(wrong, said)`: where README's numbers of a record, if it has them, or its figure are not what the record makes.

    `attestations` is the folder of others' statements, which are counted there.
    """
    from reporting.figures import arms, svg

    found = place(read_text(readme), record) if readme.exists() else None
    if found is None:
        return [], [f"{readme} is not about it"]
    if unchecked(record, attestations):
        return [], [f"{readme} NOT compared: it counts signed statements, and there is no ssh-keygen here"]
    wrong, tasks = [], scores_of(record)
    if found[0] != block(record, template, tasks, read(record, attestations)[2]):
        wrong.append(f"{readme}: its numbers are not those of {record}: run python scripts/update_readme.py {record}")
    if not image.exists() or not near(read_text(image), svg(arms(tasks))):
        wrong.append(f"{image}: does not show {record}: run python scripts/update_readme.py {record}")
    return wrong, [f"{readme}'s numbers made again"]


def check(record, config, results):
    """`(wrong, said)`: where README, if it is about this record, is not what the record makes of it."""
    return check_readme(record, Path("README.md"), Path("workflow/report/readme.md.j2"), figure(record))
