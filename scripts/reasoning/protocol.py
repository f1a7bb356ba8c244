"""How a score was measured, as a dict with a hash: scores are compared only if their hashes are equal."""

import hashlib
import json

# Always reported together; reasoning/answer.py defines them.
EXTRACTORS = ("strict", "flexible", "math_verify")

# Increment it if a change to the extractors can change a score; the CHANGELOG says which and why.
EXTRACTOR_VERSION = 1


def protocol(task, split, data_sha256, prompt, settings, engine):
    """Everything except the policy that a score depends on: `{field: value}`.

    `prompt` and `settings` are the config sections `prompt` and `eval`, `engine` is `{package: version}` of the engine
    that generated the completions.
    """
    return {
        "task": task,
        "split": split,
        "data_sha256": data_sha256,
        "prompt": prompt,
        "eval": settings,
        "engine": engine,
        "extractor_version": EXTRACTOR_VERSION,
    }


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
