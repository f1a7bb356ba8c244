"""Hold a record's config, rules and citation to the repository at the commit that the record names."""

import posixpath
import subprocess
from pathlib import PurePosixPath

from reasoning.overrides import with_arms_of
from reasoning.own import name_files
from reasoning.policies import settings_arm
from stage.files import read_json

from record.compared import mismatches
from record.layout import PLAN

DEFAULT = "config/config.yaml"


def git(*arguments):
    """The output of a git command as bytes; None if it fails, or if there is no git."""
    try:
        found = subprocess.run(["git", *arguments], capture_output=True)
    except FileNotFoundError:
        return None
    return None if found.returncode else found.stdout


def is_clone():
    """Whether this folder is a clone: an archive or a bundle is none, whatever folder it lies in."""
    return git("ls-files", "--error-unmatch", "workflow/Snakefile") is not None


def overlaid(value, changes):
    """A config with another over it, key by key, as Snakemake overlays them (`update_config`); changes neither."""
    result = dict(value)
    for key, change in changes.items():
        under = result.get(key)
        result[key] = overlaid(under if isinstance(under, dict) else {}, change) if isinstance(change, dict) else change
    return result


def section_of(config, arm, section):
    """A section of the config as an arm overrides it, as the rules give it to the arm's stages."""
    arms = config["arms"] | config["controls"]["arms"]
    return overlaid(config[section], arms[settings_arm(arms, arm)].get(section, {}))


def merge_of(config, arm):
    """What an arm merges, `{adapters, method}` and perhaps `density`; None if it is trained."""
    return (config["arms"] | config["controls"]["arms"])[arm].get("merge_of")


def config_files(made_at, run, stated):
    """The overlays that a run's config should be made of: the repository's own of that run, else those `stated`.

    The default run may do without its own, which add to it.
    """
    import yaml

    names = git("ls-tree", "--name-only", made_at, "config/").decode().split()
    own = {name: yaml.safe_load(git("show", f"{made_at}:{name}")) for name in names if name.endswith(".yaml")}
    found = [name for name, values in own.items() if values and values.get("run") == run]
    if DEFAULT in found:
        return [name for name in found if name != DEFAULT and name in stated]
    return found or stated


def users_file(made_at, files, path):
    """A user's file as the rules name it: beside the last of the config files that has it there, at a commit."""
    folders = [*(posixpath.dirname(name) for name in (*reversed(files), DEFAULT)), ""]
    names = [posixpath.normpath(posixpath.join(folder, path)) for folder in folders]
    return next((name for name in names if git("cat-file", "-e", f"{made_at}:{name}") is not None), path)


def check_config(config, provenance):
    """`(wrong, said)`: is the record's config the repository's default with its overlays, at the record's commit?"""
    import yaml

    made_at, run = provenance["commit"], config["run"]
    default = git("show", f"{made_at}:{DEFAULT}")
    if default is None:
        return [], [f"config: NOT compared with git: commit {made_at} has no {DEFAULT}"]
    files = config_files(made_at, run, provenance["configfiles"])
    expected, overlay, said = yaml.safe_load(default), {}, []
    for name in files:
        text = git("show", f"{made_at}:{name}")
        if text is None:
            return [], [f"config: NOT compared with git: {name} is not in commit {made_at}"]
        overlay = overlaid(overlay, yaml.safe_load(text))
        if PurePosixPath(name).parent != PurePosixPath("config"):
            said.append(f"config: {name} is in the commit, but not one of the repository's runs in config/")
    made_of = " and ".join([DEFAULT, *files])
    expected = with_arms_of(overlay, overlaid(expected, overlay))
    name_files(expected, lambda _, path, needed: users_file(made_at, files, path))
    return mismatches(config, expected, "config", f"by {made_of} at the commit"), [*said, f"config held to {made_of}"]


def check_copies(record, made_at, plan):
    """The record's copies of rules, templates, citation and `plan` that are not the commit's, one line each."""
    copies = {path for path in (record / "workflow").rglob("*") if path.is_file()} | {record / "CITATION.cff"}
    kept = {path.relative_to(record).as_posix(): path for path in copies}
    kept |= {plan: record / PLAN} if plan and (record / PLAN).exists() else {}
    stored = git("ls-tree", "-r", "--name-only", "-z", made_at, "--", "workflow", "CITATION.cff")
    names = set(stored.decode().split("\0")) - {""} | ({plan} if plan else set())
    alone = [f"{name}: the record or commit {made_at} does not have it" for name in sorted(names ^ kept.keys())]
    return alone + [
        f"{name}: not the file of commit {made_at}"
        for name in sorted(names & kept.keys())
        if git("show", f"{made_at}:{name}") != kept[name].read_bytes()
    ]


def check(record, config, results):
    """`(wrong, said)`: where config, rules and citation are not those of the record's commit.

    Without git, as from an archive, the record's own copies have to do, and this is said.
    """
    provenance = read_json(record / "provenance.json")
    made_at = provenance["commit"]
    if not is_clone():
        return [], ["NOT compared with git: this is no clone, so config and rules are the record's own copies"]
    if git("cat-file", "-e", f"{made_at}^{{commit}}") is None:
        return [
            f"provenance.commit: {made_at} is not in this clone: run verify in a clone with the whole history, or the "
            "commit is not this repository's"
        ], []
    wrong, said = check_config(config, provenance)
    return wrong + check_copies(record, made_at, config.get("plan")), said
