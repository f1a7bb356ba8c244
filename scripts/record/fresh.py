"""How the scores of a fresh run compare with the published ones."""

from reasoning.protocol import EXTRACTORS, changed_fields


def judge_fresh(published, fresh):
    """`(address, published, fresh, verdict)` for every score that both have.

    The verdict is "identical", "within" or "outside" (of the published 95 % interval), or "measured differently".
    """
    for task, entry in published["tasks"].items():
        for policy, value in entry["policies"].items():
            other = fresh["tasks"].get(task, {"policies": {}})["policies"].get(policy)
            if other is None:
                continue
            fields = changed_fields(value["metrics"], other["metrics"])
            for name in EXTRACTORS:
                a, b = value["metrics"]["scores"][name], other["metrics"]["scores"][name]
                verdict = "identical" if a == b else "within" if a["low"] <= b["value"] <= a["high"] else "outside"
                yield (
                    f"{value['address']}:{name}",
                    a["value"],
                    b["value"],
                    f"measured differently ({', '.join(fields)})" if fields else verdict,
                )
