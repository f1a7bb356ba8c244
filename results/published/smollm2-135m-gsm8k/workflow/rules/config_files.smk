# The config files as they were given: each says one thing, once, and is read as what it looks like.
import itertools
import json
import math
import re
import sys
from pathlib import Path

import yaml
from snakemake.exceptions import WorkflowError


def read_yaml(path):
    """A YAML file of the package."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's is ten times as fast, and not everywhere
    return loader(Path(ROOT, path).read_text(encoding="utf-8")).get_single_data()


def require_given_once():
    """Stop if --configfile or --config is on the command line twice: Snakemake would forget the first of them."""
    words = [word.partition("=")[0] for word in itertools.takewhile(lambda word: word != "--", sys.argv[1:])]
    for names, form in (
        (("--configfile", "--configfiles"), "--configfile a.yaml b.yaml"),
        (("--config", "-C"), "--config a=1 b=2"),
    ):
        if sum(word in names for word in words) > 1:
            raise WorkflowError(f"{names[0]} is given twice, and Snakemake keeps the last: write {form}")


def once(path):
    """A function that makes a dict of a JSON object's pairs; a key that is there twice stops the run."""

    def unique(pairs):
        names = [name for name, _ in pairs]
        for name in names:
            if names.count(name) > 1:
                raise WorkflowError(f"{path}: {name} is there twice: keep one of them")
        return dict(pairs)

    return unique


# What YAML 1.1 makes of words that were hardly meant so, by its tag: dates, octal and sexagesimal numbers, `no`.
BENT = {
    "timestamp": (r".*", "a date"),
    "int": (r"[-+]?(0\d.*|0[xb].*|.*[_:].*)", "a number of another form"),
    "float": (r".*[_:].*|.*(inf|nan)", "a number of another form"),
    "bool": (r"(?!(true|false)$).*", "true or false"),
}


def require_plain(path, node):
    """Stop if a part of a YAML file is not what it looks like: a key twice, or a word with another meaning in YAML."""
    place = f"{path}, line {node.start_mark.line + 1}"
    if isinstance(node, yaml.ScalarNode):
        form, meaning = BENT.get(node.tag.rpartition(":")[2], ("(?!)", ""))
        if re.fullmatch(form, node.value, re.IGNORECASE | re.DOTALL):
            raise WorkflowError(f"{place}: YAML reads {node.value} as {meaning}: put text into quotes")
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            require_plain(path, value)
    elif isinstance(node, yaml.MappingNode):
        names = [key.value for key, _ in node.value]
        for name in names:
            if names.count(name) > 1:
                raise WorkflowError(f"{place}: {name} is there twice in this section: keep one of them")
        for key, value in node.value:
            require_plain(path, key)
            require_plain(path, value)


def check_files():
    """Stop on a config file that says one thing and is read as another."""
    for path in dict.fromkeys(map(str, workflow.configfiles)):
        text = Path(path).read_text(encoding="utf-8")
        try:
            json.loads(text, object_pairs_hook=once(path))
        except ValueError:
            if node := yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
                require_plain(path, node)


def require_json(value, place="the top level"):
    """Stop on a value or a name that JSON does not have: a date, a number that is none, a name that is not text."""
    if isinstance(value, dict):
        for name, below in value.items():
            if not isinstance(name, str):
                raise WorkflowError(f"config: {place}: the name {name} is no text for YAML: put it into quotes")
            require_json(below, name if place == "the top level" else f"{place}.{name}")
    elif isinstance(value, (list, tuple)):
        for below in value:
            require_json(below, place)
    elif not isinstance(value, (str, int, float, type(None))) or (
        isinstance(value, float) and not math.isfinite(value)
    ):
        raise WorkflowError(f"config: {place}: {value} is no text, number, true, false or null: put text into quotes")
