"""How a score was measured, as a dict with a hash: scores are compared only if their hashes are equal."""

import hashlib
import json

# Counts up when a change of the extractors can change a score (the CHANGELOG says which and why). A type of answers
# whose own extractors changed since has a `VERSION` of its own.
EXTRACTOR_VERSION = 2


# What a config does not say, and a measurement does: the digest of the problems, the prompts as the model reads them,
# the complete decoding settings, and `{package: version}` of what generated the completions and of what judges them.
MEASURED = ("data_sha256", "prompts", "decoding", "engine")


def extractor_version(kind):
    """The version of the extractors of an answer's type (answers/)."""
    return getattr(kind, "VERSION", EXTRACTOR_VERSION)


def protocol(task, split, prompt, settings, measured, module=None, version=EXTRACTOR_VERSION):
    """Everything that a score depends on besides the policy: `{field: value}`.

    `prompt` and `settings` are the task's config sections `prompt` and `eval`, `measured` has the fields of MEASURED,
    `module` is the one that `tasks.<task>` names, if it does: `{name, sha256}`, the digest None for one of the package.
    `version` is that of the extractors.
    """
    return {
        "task": task,
        "split": split,
        "prompt": prompt,
        "eval": settings,
        "extractor_version": version,
        **{field: measured[field] for field in MEASURED},
        **({"module": module} if module else {}),
    }


def problem_count(task, split):
    """`(n, subset)`: the number of problems in a split, and whether `limit` makes it a subset.

    It is None for a training split without a limit, from which questions that are also in test have been dropped.
    """
    limit = task["limit"].get(split)
    stated = {"test": task["size"].get("test"), "dev": task.get("dev", 0), "train": None}
    return limit or stated[split], limit is not None


def extractors_in_order(extractors):
    """The names of extractors in reading order: `strict`, `flexible`, then any others of the answer's type."""
    return sorted(extractors, key=lambda name: (["strict", "flexible", name].index(name), name))


def protocol_hash(value):
    """The sha256 of a protocol's canonical JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def changed_fields(first, second):
    """The protocol fields in which two metrics differ."""
    a, b = first["protocol"], second["protocol"]
    return sorted(key for key in a.keys() | b.keys() if a.get(key) != b.get(key))


def require_equal(first, second):
    """Stop and name the fields if two metrics were measured differently."""
    if first["protocol_hash"] != second["protocol_hash"]:
        fields = ", ".join(changed_fields(first, second))
        raise SystemExit(
            f"error: these scores were measured differently ({fields}): measure all of them again, with "
            "snakemake --forcerun evaluate"
        )
