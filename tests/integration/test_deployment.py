"""The workflow in other setups: as a module, from a repository, in any folder, locale and shell."""

import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, call, repository_files

SNAKEMAKE = Path(sys.executable).with_name("snakemake")
RAW = "data/word_problems/raw/test.jsonl"
GENERATED = {
    "source": "generated://word_problems?seed=0&train=40&test=20",
    "size": {"train": 40, "test": 20},
    "dev": 8,
}


def plan(folder, *arguments, **environment):
    """The commands that a run in `folder` would execute, as one string."""
    process = call(folder, "--dry-run", "--printshellcmds", *arguments, **environment)
    assert process.returncode == 0, process.stdout
    return process.stdout


@pytest.fixture
def package(tmp_path):
    """The repository's files in a separate folder, without .git."""
    folder = tmp_path / "package"
    for name in repository_files():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    return folder


def commit(folder):
    """Make a repository of `folder`, tagged v1."""
    git = ("git", "-c", "user.name=n", "-c", "user.email=e")
    for command in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "m"], ["tag", "v1"]):
        subprocess.run([*git, *command], cwd=folder, check=True)


@pytest.fixture
def project(tmp_path):
    """Somebody's own workflow, with a config for this one."""
    folder = tmp_path / "project"
    (folder / "config").mkdir(parents=True)
    config = {"run": "mine", "tasks": {"word_problems": GENERATED}}
    (folder / "config/config.yaml").write_text(yaml.safe_dump(config))
    return folder


def write(folder, text, snakefile="Snakefile"):
    (folder / snakefile).parent.mkdir(exist_ok=True)
    (folder / snakefile).write_text(text)


MODULE = """
configfile: "config/config.yaml"

module reasoning:
    snakefile: {snakefile}
    config: config

use rule * from reasoning as reasoning_*
"""


@pytest.mark.parametrize("inside", [True, False])
def test_module_by_local_path(package, project, inside):
    """Its code runs in place if it is in the working directory, else from a copy that containers can see."""
    if inside:
        package.rename(project / "package")
    write(project, MODULE.format(snakefile=f'"{"package" if inside else package}/workflow/Snakefile"'))
    commands = plan(project, "reasoning_all")
    assert "--html results/mine/report.html" in commands
    scripts = "package/scripts" if inside else ".snakemake/packages/reasoning/scripts"
    assert f"HF_HUB_OFFLINE=1 GLIBC_TUNABLES=glibc.malloc.hugetlb=1 python {scripts}/evaluate.py" in commands
    process = call(project, "--", f"results/mine/{RAW}")
    assert process.returncode == 0, process.stdout
    assert (project / "results/mine" / RAW).exists()


def test_module_whose_config_says_what_differs(package, project):
    write(
        project,
        MODULE.format(snakefile=f'"{package}/workflow/Snakefile"').replace(
            "config: config", 'config: {"run": "other"}'
        ),
    )
    commands = plan(project, "reasoning_all")
    assert "--html results/other/report.html" in commands


TWICE = """
module {name}:
    snakefile: "{snakefile}"
    config: {{"run": "{name}"}}
    {section}

use rule * from {name} as {name}_*
"""
BOTH = """
rule both:
    default_target: True
    input:
        rules.one_all.input,
        rules.two_all.input,
"""


def twice(package, *sections):
    """A workflow that imports this one as `one` and as `two`, each with its own section."""
    snakefile, parts = package / "workflow/Snakefile", zip(("one", "two"), sections, strict=True)
    return "".join(TWICE.format(name=name, snakefile=snakefile, section=section) for name, section in parts) + BOTH


def test_twice_with_prefixes(package, project):
    write(project, twice(package, 'prefix: "first"', 'prefix: "second"'))
    commands = plan(project)
    assert "--html first/results/one/report.html" in commands and "--html second/results/two/report.html" in commands
    assert "first/logs/one/" in commands and "first/scripts" not in commands and "first/.snakemake" not in commands
    commands = plan(project, "first/logs/one/publish.sha256")
    assert '--logs "$(dirname first/logs/one/publish.log)"' in commands
    commands = plan(project, "two_verify")
    assert "--records second/results/published " in commands and "--results second/results " in commands


def test_twice_with_path_variables(package, project):
    sections = (f'pathvars:\n        results="{name}/out",\n        logs="{name}/log",' for name in "ab")
    write(project, twice(package, *sections))
    commands = plan(project)
    assert "--html a/out/report.html" in commands and "--html b/out/report.html" in commands
    assert "a/log/report.log" in commands and "2>b/log/report.log" in commands
    commands = plan(project, "one_publish")
    assert '--logs "$(dirname a/log/publish.log)"' in commands


def test_module_from_a_hosted_repository(package, project, tmp_path):
    """A clone is already in Snakemake's cache of repositories, so that none is fetched."""
    commit(package)
    clone = tmp_path / "cache/snakemake/snakemake/source-cache/snakemake-git-cache/github.com/owner/repo"
    subprocess.run(["git", "clone", "--quiet", "--bare", package, clone], check=True)
    hosted = 'github("owner/repo", path="workflow/Snakefile", tag="v1")'
    write(project, MODULE.format(snakefile=hosted), "workflow/Snakefile")  # as snakedeploy writes it
    environment = {"XDG_CACHE_HOME": tmp_path / "cache"}
    commands = plan(project, "reasoning_all", **environment)
    assert "--html results/mine/report.html" in commands
    assert "python .snakemake/packages/reasoning/scripts/evaluate.py" in commands
    process = call(project, "--", f"results/mine/{RAW}", **environment)
    assert process.returncode == 0, process.stdout
    laid_out = project / ".snakemake/packages/reasoning/scripts/evaluate.py"
    assert laid_out.read_bytes() == (package / "scripts/evaluate.py").read_bytes()

    before = laid_out.stat().st_mtime_ns
    commands = plan(project, f"results/mine/{RAW}", **environment)
    assert "Nothing to be done" in commands and laid_out.stat().st_mtime_ns == before


def test_module_on_a_quiet_screen(package, project):
    """With the package's profile, which snakedeploy copies, a project's screen looks like a clone's."""
    shutil.copytree(package / "profiles", project / "profiles")
    write(project, twice(package, 'prefix: "first"', 'prefix: "second"'))
    process = call(project, "--", f"first/results/one/{RAW}")
    assert process.returncode == 0, process.stdout
    lines = process.stdout.splitlines()
    assert lines.count("Download the problems of word_problems") == 1 and len(lines) < 12
    with open(package / "scripts/download_data.py", "a") as file:
        file.write("\nraise SystemExit('error: no such luck')\n")
    shutil.rmtree(project / "first")
    process = call(project, "--", f"first/results/one/{RAW}")
    assert process.returncode != 0 and process.stdout.splitlines()[-1] == "error: no such luck"


def test_module_from_a_git_folder(package, project):
    commit(package)
    write(project, MODULE.format(snakefile=f'gitfile("{package}", path="workflow/Snakefile", tag="v1")'))
    commands = plan(project, "reasoning_all")
    assert "--html results/mine/report.html" in commands


def test_directory_elsewhere(package, tmp_path):
    """An empty folder gets the default run, and a config/config.yaml in it is an overlay."""
    (tmp_path / "elsewhere").mkdir()
    commands = plan(package, "--directory", tmp_path / "elsewhere")
    assert "--html results/smollm2-135m-words/report.html" in commands
    (tmp_path / "elsewhere/config").mkdir()
    (tmp_path / "elsewhere/config/config.yaml").write_text("run: mine\n")
    commands = plan(package, "--directory", tmp_path / "elsewhere")
    assert "--html results/mine/report.html" in commands


@pytest.mark.parametrize("snakefile", ["Snakefile", "workflow/Snakefile"])
def test_snakefile_elsewhere(package, project, snakefile):
    commands = plan(project, "--snakefile", package / snakefile)
    assert (
        "--html results/mine/report.html" in commands
        and "python .snakemake/packages/main/scripts/evaluate.py" in commands
    )
    process = call(project, "--snakefile", package / snakefile, "--", f"results/mine/{RAW}")
    assert process.returncode == 0, process.stdout


def test_environment_that_is_not_active(package, tmp_path):
    """bin/snakemake called by its path, with another Python or none on the PATH: jobs use Snakemake's environment."""
    other = tmp_path / "bin"
    other.mkdir()
    (other / "python").write_text("#!/bin/sh\nexit 3\n")
    (other / "python").chmod(0o755)
    wanted = f"results/smollm2-135m-words/{RAW}"
    process = call(package, "--", wanted, snakemake=SNAKEMAKE, PATH=f"{other}:/usr/bin:/bin")
    assert process.returncode == 0, process.stdout


NAME = """a folder's "name" & more"""


def latin1(folder):
    """The name of a Latin-1 locale, which is created in `folder` if localedef can."""
    if shutil.which("localedef"):
        subprocess.run(
            ["localedef", "-i", "en_US", "-f", "ISO-8859-1", folder / "en_US.ISO-8859-1"], capture_output=True
        )
    return "en_US.ISO-8859-1" if (folder / "en_US.ISO-8859-1").exists() else None


@pytest.mark.parametrize("locale", ["C", "ASCII", "Latin-1"])
def test_locales(package, tmp_path, locale):
    """With a prompt that these locales cannot encode."""
    environment = {"LC_ALL": "C"}
    if locale == "ASCII":
        environment |= {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    if locale == "Latin-1":
        name = latin1(tmp_path)
        if name is None:
            pytest.skip("localedef cannot create a Latin-1 locale here")
        environment = {"LC_ALL": name, "LOCPATH": tmp_path}
    (package / "mine.yaml").write_text("prompt: {system: 简短 – ½}\nrun: mine\n", encoding="utf-8")
    wanted = "results/mine/data/word_problems/test.jsonl"
    process = call(package, "--configfile", "mine.yaml", "--", wanted, **environment)
    assert process.returncode == 0 and "Traceback" not in process.stdout, process.stdout
    assert "简短" in (package / wanted).read_text(encoding="utf-8")


def test_whole_run_in_a_folder_with_spaces_and_quotes(checkout):
    """The workflow and its outputs are there, and the shell has no active environment."""
    folder = checkout.folder.rename(checkout.folder.with_name(NAME))
    process = call(folder, "--configfile", "tiny.yaml", snakemake=SNAKEMAKE, PATH="/usr/bin:/bin")
    assert process.returncode == 0, process.stdout
    assert (folder / "results/tiny/report.html").exists()


def test_results_in_a_folder_with_spaces_and_quotes(package, project):
    pathvars = f"""\n    pathvars:\n        results='''{NAME}/out''',\n        logs='''{NAME}/log''',"""
    write(
        project,
        MODULE.format(snakefile=f'"{package}/workflow/Snakefile"').replace(
            "config: config", f"config: config{pathvars}"
        ),
    )
    process = call(project, "--", f"{NAME}/out/{RAW}")
    assert process.returncode == 0, process.stdout
    assert (project / NAME / "out" / RAW).exists() and (project / NAME / "log/download_data/word_problems.log").exists()


@pytest.mark.skipif(shutil.which("nvidia-smi") is not None, reason="this machine has a GPU")
@pytest.mark.parametrize("handler", ["", '\nonstart:\n    print("theirs")\n'])
def test_guards_hold_in_a_module(package, project, handler):
    """A real run is refused before its first download, whatever the importing workflow's handlers; dry-runs are not."""
    (project / "config/config.yaml").write_text((package / "config/qwen2.5-1.5b.yaml").read_text())
    write(project, MODULE.format(snakefile=f'"{package}/workflow/Snakefile"') + handler)
    plan(project, "reasoning_all")
    process = call(project, "reasoning_all")
    assert process.returncode != 0 and "this machine has no NVIDIA GPU" in process.stdout
    assert not (project / "results").exists()


@pytest.mark.parametrize("imported", [False, True])
def test_an_image_that_is_not_there(package, project, tmp_path, imported):
    """In a module too, a run that cannot build it is refused before the first job, with the image's name."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for path in Path("/usr/bin").iterdir():
        if path.name not in ("podman", "apptainer"):
            (programs / path.name).symlink_to(path)
    apptainer = programs / "apptainer"
    apptainer.write_text("#!/bin/sh\necho apptainer version 1.4.0\n")
    apptainer.chmod(0o755)
    write(project, MODULE.format(snakefile=f'"{package}/workflow/Snakefile"'))
    process = call(
        project if imported else package,
        *("--software-deployment-method", "apptainer", "--", "reasoning_all" if imported else "all"),
        PATH=f"{Path(sys.executable).parent}:{programs}",
    )
    assert process.returncode != 0 and "there is no image containers/cpu-" in process.stdout, process.stdout
    assert not (project / "results").exists() and not (package / "results/smollm2-135m-words").exists()


def test_files_without_git(package):
    """From an archive: outputs are not mistaken for files of the repository."""
    for made in ("logs/x.log", "results/mine/report.html", ".snakemake/x", "scripts/__pycache__/x.pyc"):
        (package / made).parent.mkdir(parents=True, exist_ok=True)
        (package / made).write_text("")
    assert repository_files(package) == repository_files()


HUB = "hf://owner/model@" + "0" * 40


@pytest.mark.parametrize(
    ("changes", "environment", "says"),
    [
        ({"model": {"source": HUB}}, {"HF_TOKEN": "hf_abc def"}, "HF_TOKEN holds spaces"),
        ({"model": {"source": HUB}}, {"HF_TOKEN": "hf_abc\n"}, "HF_TOKEN holds spaces"),
        ({"model": {"source": HUB}}, {"ALL_PROXY": "socks5://127.0.0.1:9"}, "the package socksio is missing"),
        ({"model": {"source": "nowhere"}}, {}, "there is no folder nowhere"),
        ({"model": {"disk_gb": 10**6}}, {}, "up to 5000000.1 GB are needed, 5 models among them"),
        ({"train": {"grpo": {"num_generations": 7}}}, {}, "error: TRL does not take these settings"),
        ({"train": {"load_in_4bit": True}}, {}, "error: train.load_in_4bit needs bitsandbytes"),
        ({"eval": {"backend": "vllm"}}, {}, "error: vllm is not installed here"),
    ],
)
def test_refused_before_the_first_download(package, changes, environment, says):
    """What needs no model is checked when a run starts; a dry-run asks nothing of the machine."""
    if "socksio" in says and find_spec("socksio"):
        pytest.skip("socksio is installed")
    (package / "mine.yaml").write_text(yaml.safe_dump({"run": "mine", "seeds": [0, 1]} | changes))
    plan(package, "--configfile", "mine.yaml", **environment)
    process = call(package, "--configfile", "mine.yaml", **environment)
    assert process.returncode != 0 and says in process.stdout, process.stdout
    assert "Traceback" not in process.stdout and "hf_abc" not in process.stdout
    assert not (package / "results/mine").exists()
