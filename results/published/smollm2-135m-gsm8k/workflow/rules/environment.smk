# What jobs run in: the environment and its image, how training is launched, and the checks before the first job.
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.settings.types import DeploymentMethod

# For every stage that loads a model: no requests to the Hub, and memory in huge pages. glibc reads its setting only at
# the start of a process, and other C libraries ignore it.
MODEL_ENV = "HF_HUB_OFFLINE=1 GLIBC_TUNABLES=glibc.malloc.hugetlb=1"

LOCKS = sorted(map(str, Path(ROOT, "envs").glob(f"{config['environment']}*.txt")))
IMAGES, DEFINITION = f"{ROOT}containers/images.yaml", f"{ROOT}containers/Containerfile"


def image():
    """`(name, published)` of the environment's image: its name has the digest of everything that it is built from.

    `published` is the image of that name in a registry, by digest, as images.yaml states it, None if there is none.
    """
    settings = read_yaml("containers/images.yaml")[config["environment"]]
    made_of = {key: settings[key] for key in ("base", "apt_options")}
    published = settings.get("published", {})
    files = (DEFINITION, f"{ROOT}Makefile", *LOCKS)
    texts = [json.dumps(made_of, sort_keys=True), *(Path(path).read_text(encoding="utf-8") for path in files)]
    name = f"{config['environment']}-{hashlib.sha256(chr(0).join(texts).encode()).hexdigest()[:12]}"
    return name, published.get(name)


IMAGE_NAME, PUBLISHED = image()
LOCAL_IMAGE = f"containers/{IMAGE_NAME}.sif"
IMAGE = f"docker://{PUBLISHED}" if PUBLISHED else LOCAL_IMAGE

# Whether the rules run in it.
IMAGED = DeploymentMethod.APPTAINER in workflow.deployment_settings.deployment_method

# The GPUs that a cluster or the user has assigned, also to jobs in containers, which --cleanenv would hide them from: a
# job on a shared machine would take another one's.
if (assigned := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
    os.environ.update(APPTAINERENV_CUDA_VISIBLE_DEVICES=assigned)


def launch(processes):
    """The command that starts a training script: python, or torchrun with one process per GPU for accelerate."""
    return f"torchrun --standalone --nproc-per-node={processes}" if processes > 1 else "python"


def require_gpu():
    """Stop before the first job if training needs a GPU on this machine and there is none."""
    trains = any(job.rule is rules.train.rule for job in workflow.dag.needrun_jobs())
    if trains and workflow.local_exec and not config["train"]["grpo"]["use_cpu"] and not shutil.which("nvidia-smi"):
        raise WorkflowError(
            f"this machine has no NVIDIA GPU (no nvidia-smi on the PATH), and run {config['run']} needs one: use a "
            "machine with a GPU, or the default run, which needs none"
        )


def require_environment():
    """Stop before the first job if the Makefile installed other packages here than those of the config's environment.

    It leaves a file of the environment's name in the folder of this Python. Images are built without these packages.
    """
    if len(planned(rules.build_image) + planned(rules.push_image)) == len([*workflow.dag.needrun_jobs()]):
        return
    known = [path.stem for path in Path(ROOT, "envs").glob("*.in")]
    made = [name for name in sorted(known) if Path(sys.prefix, name).is_file()]
    if made and config["environment"] not in made and workflow.local_exec and not IMAGED:
        raise WorkflowError(
            f"error: run {config['run']} asks for environment {config['environment']}, and {sys.prefix} has "
            f"{', '.join(made)}: make the other one (make gpu finds the one for this machine's GPU), use the preset's "
            "profile, or set environment in your config to what is installed"
        )


def require_image():
    """Build the image before the first job that needs it, if it is neither here nor in a registry."""
    needed = any(job.container_img and job.container_img_url == LOCAL_IMAGE for job in workflow.dag.needrun_jobs())
    if not needed or Path(LOCAL_IMAGE).exists():
        return
    if not (shutil.which("podman") and shutil.which("apptainer")):
        raise WorkflowError(
            f"error: there is no image {LOCAL_IMAGE}, and building it needs podman and apptainer: copy it from a "
            "machine that has them, where snakemake --cores 1 build_image makes it with the same --configfile"
        )
    print(f"Build the image for environment {config['environment']}", flush=True)
    program = [sys.executable, f"{ROOT}scripts/build_image.py", "--environment", config["environment"]]
    program += ["--images", IMAGES, "--definition", DEFINITION, "--locks", *LOCKS, "--image", LOCAL_IMAGE]
    Path("logs").mkdir(exist_ok=True)
    with open("logs/build_image.log", "w", encoding="utf-8") as log:
        if subprocess.run(program, stderr=log).returncode:
            raise WorkflowError("error: the image was not built: logs/build_image.log says why")


def planned(rule):
    """The jobs of a rule that are to run."""
    return [job for job in workflow.dag.needrun_jobs() if job.rule is rule.rule]


def sources():
    """The sources from which something is to be fetched."""
    tasks = [RUN["tasks"][job.wildcards.task]["source"] for job in planned(rules.download_data)]
    swept = [BASES[job.wildcards.base]["source"] for job in planned(rules.download_swept_model)]
    return tasks + swept + [config["model"]["source"] for _ in planned(rules.download_model)]


def require_folders():
    """Stop if a folder that is a source is not there."""
    for source in sources():
        if "://" not in source and not Path(source).is_dir():
            raise WorkflowError(f"error: there is no folder {source}: give a folder, or a hf:// or pypi:// source")


def require_network():
    """Stop on a token that no request can carry, and on a proxy that the Hub's client cannot speak to."""
    if not planned(rules.upload_hub) and not any(source.startswith("hf://") for source in sources()):
        return
    if not re.fullmatch(r"[!-~]*", os.environ.get("HF_TOKEN", "")):
        raise WorkflowError("error: HF_TOKEN holds spaces, line breaks or other signs that no token has: set it again")
    for name in ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY"):
        proxy = os.environ.get(name) or os.environ.get(name.lower()) or ""
        if proxy.lower().startswith("socks") and not IMAGED and find_spec("socksio") is None:
            raise WorkflowError(
                f"error: {name} names a SOCKS proxy, for which the package socksio is missing: pip install socksio, or "
                "set a proxy that speaks HTTP"
            )


SMALL = 100e6


def require_disk():
    """Stop if the models that are to be made do not fit on the disk, and SMALL bytes of adapters, data and logs.

    Until the base model is there, `model.disk_gb` stands for the size of a model.
    """
    base, here = Path(place("<results>/models/base")), Path(place("<results>"))
    size = sum(path.stat().st_size for path in base.rglob("*") if path.is_file()) or int(
        config["model"]["disk_gb"] * 1e9
    )
    merged = len(planned(rules.merge_lora)) if config["keep"]["merged_models"] else bool(planned(rules.merge_lora))
    downloads = [*planned(rules.download_model), *planned(rules.download_swept_model)]
    count = len(downloads) + merged + len(planned(rules.export_gguf))
    folder = next(path for path in (here.absolute(), *here.absolute().parents) if path.exists())
    free = shutil.disk_usage(folder).free
    needed = count * size + SMALL
    if needed > free:
        raise WorkflowError(
            f"error: up to {needed / 1e9:.1f} GB are needed, {count} models among them, and {free / 1e9:.1f} GB are "
            f"free on the disk of {folder}: free some space, use a folder on a larger disk, or set keep.merged_models "
            "to false"
        )


def require_training():
    """Stop on training settings that this environment cannot run; needs no model."""
    arms = {job.wildcards.arm: job for job in planned(rules.train)}
    if not arms or IMAGED or not workflow.local_exec:
        return
    settings = in_file(list(dict.fromkeys(job.params.train for job in arms.values())))
    program = [sys.executable, f"{ROOT}scripts/preflight.py", "--eval-backend", config["eval"]["backend"]]
    process = subprocess.run([*program, "--train-configs", *settings], capture_output=True, encoding="utf-8")
    if process.returncode:
        found = [line for line in process.stderr.splitlines() if line.startswith("error: ")]
        raise WorkflowError(found[-1] if found else process.stderr)


def require_machine():
    """Check that this machine can run the planned jobs, before the first one starts; dry-runs skip this."""
    require_gpu()
    require_environment()
    require_image()
    require_folders()
    require_network()
    require_disk()
    require_training()
