"""How a score was measured, as one value with a hash: scores are compared only if their hashes are equal."""

import hashlib
import json

# Always reported together (reasoning/answer.py says what each reads).
EXTRACTORS = ("strict", "flexible", "math_verify")

# Counts up when a change of the extractors can change a score (the CHANGELOG says which and why).
EXTRACTOR_VERSION = 2


def protocol(task, split, data_sha256, prompt, settings, engine):
    """Everything that a score depends on besides the policy: `{field: value}`.

    `prompt` and `settings` are the config sections `prompt` and `eval`, `engine` is `{package: version}` of what
    generated the completions.
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
    """The fields of the protocol in which two metrics differ."""
    a, b = first["protocol"], second["protocol"]
    return sorted(key for key in a.keys() | b.keys() if a.get(key) != b.get(key))


def require_equal(first, second):
    """Stop, naming the fields, if two metrics were not measured alike."""
    if first["protocol_hash"] != second["protocol_hash"]:
        fields = ", ".join(changed_fields(first, second))
        raise SystemExit(
            f"error: these scores were measured differently ({fields}): measure all of them again, with "
            "snakemake --forcerun evaluate"
        )
