"""How a number was measured, as one value with a hash: scores are compared only where it is equal."""

import hashlib
import json

# Counts up when a change of the extractors can change a score (the CHANGELOG says which and why).
EXTRACTOR_VERSION = 1


def protocol(task, split, data_sha256, prompt, settings):
    """All that a score depends on besides the policy: `{field: value}`."""
    return {
        "task": task,
        "split": split,
        "data_sha256": data_sha256,
        "prompt": prompt,
        "eval": settings,
        "extractor_version": EXTRACTOR_VERSION,
    }


def protocol_hash(value):
    """The sha256 of a protocol's canonical JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def differing(first, second):
    """The fields in which two metrics were not measured alike."""
    a, b = first["protocol"], second["protocol"]
    return sorted(key for key in a.keys() | b.keys() if a.get(key) != b.get(key))


def require_equal(first, second):
    """Stop, naming the fields, where two metrics were not measured alike."""
    if first["protocol_hash"] != second["protocol_hash"]:
        fields = ", ".join(differing(first, second))
        raise SystemExit(f"error: these scores were measured differently ({fields}): evaluate both policies again")
