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

BLOCK = re.compile(r"(<!-- numbers: .* -->\n).*(<!-- end of numbers -->)", re.DOTALL)


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
    """README's block of numbers as Markdown; `tasks` is the value of `scores_of`, `statements` by signer."""
    provenance, config = read_json(record / "provenance.json"), read_json(record / "config.json")
    return fill(
        template,
        tasks=tasks,
        controls=config["controls"]["arms"],
        trained={arm: training_in_words(config, arm) for entry in tasks.values() for arm in entry["arms"]},
        headline=config["headline"],
        plan=config.get("plan"),
        commands=provenance["commands"],
        signers=list(statements.values()),
        scores=len(addresses(record)),
        record=record,
    )


def check_readme(record, readme, template, image, attestations=Path("attestations")):
    """`(wrong, said)`: where README's block about a record, if it has one, or its figure is not what the record makes.

    `attestations` is the folder of others' statements, which the block counts.
    """
    from reporting.figures import arms, svg

    found = BLOCK.search(read_text(readme)) if readme.exists() else None
    if found is None or f"]({record})" not in found[0]:
        return [], [f"{readme} is not about it"]
    if unchecked(record, attestations):
        return [], [f"{readme} NOT compared: it counts signed statements, and there is no ssh-keygen here"]
    wrong, tasks = [], scores_of(record)
    numbers = block(record, template, tasks, read(record, attestations)[2]).strip()
    if found[0] != f"{found[1]}{numbers}\n{found[2]}":
        wrong.append(f"{readme}: its numbers are not those of {record}: run python scripts/update_readme.py {record}")
    if not image.exists() or not near(read_text(image), svg(arms(tasks))):
        wrong.append(f"{image}: does not show {record}: run python scripts/update_readme.py {record}")
    return wrong, [f"{readme}'s numbers made again"]


def check(record, config, results):
    """`(wrong, said)`: where README, if it is about this record, is not what the record makes of it."""
    return check_readme(record, Path("README.md"), Path("workflow/report/readme.md.j2"), Path("images/results.svg"))
