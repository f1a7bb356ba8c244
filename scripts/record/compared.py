"""Where two values differ, in words."""

import math
import re

NUMBER = re.compile(r"-?\d+\.?\d*(?:e-?\d+)?")
NAMED = re.compile(r'(?<=id=")[\w-]+|(?<=#)[\w-]+')  # SVG names its parts after digests of what they look like
NEAR = 0.02  # points of 1/72 inch


def mismatches(published, recomputed, address, how="recomputed"):
    """Where two JSON values differ, as `address.key: published, recomputed`; floats may differ by rounding.

    `how` says where the second value comes from.
    """
    if isinstance(published, dict) and isinstance(recomputed, dict):
        return [
            line
            for key in sorted(published.keys() | recomputed.keys())
            for line in mismatches(published.get(key), recomputed.get(key), f"{address}.{key}", how)
        ]
    if isinstance(published, list) and isinstance(recomputed, list) and len(published) == len(recomputed):
        return mismatches(dict(enumerate(published)), dict(enumerate(recomputed)), address, how)
    if isinstance(published, float) and isinstance(recomputed, float):
        same = math.isclose(published, recomputed, rel_tol=1e-9, abs_tol=1e-12)
    else:
        same = published == recomputed
    return [] if same else [f"{address}: published {published!r}, {how} {recomputed!r}"]


def near(first, second):
    """Whether two texts are the same but for numbers that differ by rounding."""
    first, second = (NAMED.sub("", text) for text in (first, second))
    if NUMBER.sub("", first) != NUMBER.sub("", second):
        return False
    pairs = zip(NUMBER.findall(first), NUMBER.findall(second), strict=True)
    return all(a == b or math.isclose(float(a), float(b), abs_tol=NEAR) for a, b in pairs)
