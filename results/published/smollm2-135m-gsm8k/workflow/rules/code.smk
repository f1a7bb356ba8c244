# The package's files, wherever the package lies, and its code as inputs: a stage reruns when its code changes.
import ast
import hashlib
import io
import json
import os
import runpy
import sys
import tarfile
from functools import cache
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.io import flag
from snakemake.path_modifier import PATH_MODIFIER_FLAG
from snakemake.sourcecache import HostingProviderFile, LocalGitFile, LocalSourceFile

PACKAGE = ["CITATION.cff", "Makefile", "config", "containers", "envs", "scripts", "workflow"]


def package_folder():
    """The package's folder, relative to the working directory: "" if they are the same.

    A package outside the working directory, or in a repository that Snakemake has fetched, is copied to .snakemake/.
    Containers can see it there, and its paths do not depend on the machine or the version.
    """
    rules, here = workflow.current_basedir, Path.cwd()
    if isinstance(rules, LocalSourceFile):
        root = Path(rules.path).resolve().parents[1]
        if root.is_relative_to(here):
            return "".join(f"{part}/" for part in root.relative_to(here).parts)
        files = files_on_disk(root)
    elif isinstance(rules, (HostingProviderFile, LocalGitFile)):
        files = files_in_git(rules)
    else:
        raise WorkflowError(f"{rules}: give this workflow as a local path, or as github(…), gitlab(…) or gitfile(…)")
    folder = Path(".snakemake/packages", workflow.modifier.namespace or "main")
    lay_out(files, folder)
    return f"{folder}/"


def files_on_disk(root):
    """The package's files, `{path: content}`."""
    paths = [path for part in PACKAGE for path in ([root / part, *(root / part).rglob("*")]) if path.is_file()]
    wanted = (path.relative_to(root) for path in paths)
    return {path: (root / path).read_bytes() for path in wanted if belongs(path)}


def files_in_git(rules):
    """The package's files, `{path: content}`, at the commit that `rules` (its folder workflow/rules) was read from."""
    import git

    repository = rules.hosted_repo.repo if isinstance(rules, HostingProviderFile) else git.Repo(rules.repo_path)
    root = os.path.normpath(f"{rules.path}/../..")
    archive = io.BytesIO()
    repository.archive(archive, f"{rules.ref}:{root if root != '.' else ''}")
    archive.seek(0)
    with tarfile.open(fileobj=archive) as tar:
        members = [member for member in tar if member.isfile() and belongs(Path(member.name))]
        return {Path(member.name): tar.extractfile(member).read() for member in members}


def belongs(path):
    """Whether the rules need a file: code, settings, templates and lock files, but no images or bytecode."""
    return path.parts[0] in PACKAGE and path.suffix not in (".sif", ".pyc")


def lay_out(files, folder):
    """Make `folder` hold exactly `files`, bytecode aside, without touching files that are already right."""
    for path in [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"]:
        if path.relative_to(folder) not in files:
            path.unlink(missing_ok=True)
    for path, content in files.items():
        target, new = folder / path, folder.with_name(f".{folder.name}.{os.getpid()}")
        if not (target.is_file() and target.read_bytes() == content):
            target.parent.mkdir(parents=True, exist_ok=True)
            new.write_bytes(content)
            new.replace(target)


ROOT = package_folder()


CODE = {path.relative_to(ROOT or ".").as_posix() for path in Path(ROOT, "scripts").rglob("*.py")}


def packaged(path):
    """A file of the package, flagged so that Snakemake adds no module's prefix to it."""
    return flag(f"{ROOT}{path}", PATH_MODIFIER_FLAG)


@cache
def definitions(path):
    """What a file of the package defines, by name; it may import nothing of the package."""
    return runpy.run_path(f"{ROOT}{path}")


def place(path):
    """A path with its path variables resolved, for params, in which Snakemake does not resolve them."""
    return str(workflow.modifier.modify_path(workflow.pathvars.apply(path)))


def stage(name):
    """The command-line program of a stage."""
    return packaged(f"scripts/{name}.py")


def modules(name, *chosen):
    """The local modules that a stage imports, plus those `chosen` by the config and their imports."""
    found = set(chosen).union(*(imports(path) for path in (f"scripts/{name}.py", *chosen)))
    return [packaged(path) for path in sorted(found - {f"scripts/{name}.py"})]


def imports(script):
    """The local files that a script imports anywhere in its code, including itself."""
    found, new = set(), {script}
    while new:
        found |= new
        new = set().union(*map(imported, new)) - found
    return found & CODE


@cache
def imported(path):
    """The local files that a file imports itself, with the packages that they are in."""
    names = set()
    for node in ast.walk(ast.parse(Path(ROOT, path).read_bytes())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):  # a name may be a module of the package
            names |= {str(node.module)} | {f"{node.module}.{alias.name}" for alias in node.names}
    parts = {tuple(name.split(".")[:length]) for name in names for length in range(1, name.count(".") + 2)}
    paths = [Path("scripts", *each) for each in parts]
    return CODE & {str(file) for each in paths for file in (each.with_suffix(".py"), each / "__init__.py")}


def task_code(task):
    """The files of a task's module: of the package, or the user's and what it imports of the package."""
    name, judged = RUN["tasks"][task].get("module", "gsm8k"), imports("scripts/answers/judged.py")
    if not name.endswith(".py"):
        return [packaged(path) for path in sorted(imports(f"scripts/tasks/{name}.py") | judged)]
    return [flag(name, PATH_MODIFIER_FLAG), *map(packaged, sorted(imports(os.path.abspath(name)) | judged))]


def module_of_task(wildcards):
    """The file of that module alone: how it reads answers is nothing to a download."""
    name = RUN["tasks"][wildcards.task].get("module", "gsm8k")
    return flag(name, PATH_MODIFIER_FLAG) if name.endswith(".py") else packaged(f"scripts/tasks/{name}.py")


def code_of_task(wildcards):
    """The files of the module of the task in the path."""
    return task_code(wildcards.task)


def backend(kind):
    """The file of the backend that config section `kind` selects."""
    return f"scripts/backends/{kind}_{config[kind]['backend']}.py"


def eval_backend(wildcards):
    """The file of the backend that evaluates the task in the path."""
    return f"scripts/backends/eval_{of_task('eval', wildcards.task)['backend']}.py"


def source(address):
    """The file that serves a source: `hf://…` is served by scripts/sources/hf.py, a path by path.py."""
    scheme, separator, _ = address.partition("://")
    return f"scripts/sources/{scheme if separator else 'path'}.py"


def contents(source):
    """A digest of what a folder that is a source holds, None for a source that is named by its content.

    Of files above 10 MB it is size and time that count, because planning must not take long.
    """
    if "://" in source:
        return None
    listing = []
    for folder, folders, files in os.walk(source, followlinks=True):
        folders.sort()
        for path in sorted(Path(folder, name) for name in files if Path(folder, name).exists()):
            state = path.stat()
            small = state.st_size <= 10**7
            content = hashlib.sha256(path.read_bytes()).hexdigest() if small else state.st_mtime_ns
            listing.append([str(path.relative_to(source)), state.st_size, content])
    return hashlib.sha256(json.dumps(listing).encode()).hexdigest()


# Jobs find the Python that runs Snakemake, if its environment is active or not, and read and write UTF-8 in any locale.
os.environ.update(
    PATH=os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", os.defpath)]),
    PYTHONUTF8="1",
)
