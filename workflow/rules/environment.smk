# What jobs run in: the environment and its image, how training is launched, and the checks before the first job.
import hashlib
import json
import shutil
from pathlib import Path

from snakemake.exceptions import WorkflowError

# For every stage that loads a model: no requests to the Hub, and memory in huge pages. glibc reads its setting only at
# the start of a process, and other C libraries ignore it.
MODEL_ENV = "HF_HUB_OFFLINE=1 GLIBC_TUNABLES=glibc.malloc.hugetlb=1"

LOCKS = sorted(map(str, Path(ROOT, "envs").glob(f"{config['environment']}*.txt")))
IMAGES, DEFINITION = f"{ROOT}containers/images.yaml", f"{ROOT}containers/Containerfile"


def image():
    """containers/<environment>-<digest>.sif, with the digest of everything that the image is built from."""
    made_of = json.dumps(read_yaml("containers/images.yaml")[config["environment"]], sort_keys=True)
    files = (DEFINITION, f"{ROOT}Makefile", *LOCKS)
    content = "\0".join([made_of, *(Path(path).read_text(encoding="utf-8") for path in files)])
    return f"containers/{config['environment']}-{hashlib.sha256(content.encode()).hexdigest()[:12]}.sif"


IMAGE = image()


def launch(processes):
    """The command that starts a training script: python, or torchrun with one process per GPU for accelerate."""
    return f"torchrun --standalone --nproc-per-node={processes}" if processes > 1 else "python"


def require_gpu():
    """Stop before the first job if training needs a GPU on this machine and there is none."""
    trains = any(job.rule is rules.train_grpo.rule for job in workflow.dag.needrun_jobs())
    if trains and workflow.local_exec and not config["train"]["grpo"]["use_cpu"] and not shutil.which("nvidia-smi"):
        raise WorkflowError(
            f"this machine has no NVIDIA GPU (no nvidia-smi on the PATH), and run {config['run']} needs one: use a "
            "machine with a GPU, or the default run, which needs none"
        )


def require_image():
    """Stop before the first job if jobs need an image that has not been built."""
    if (
        any(job.container_img and job.container_img_url == IMAGE for job in workflow.dag.needrun_jobs())
        and not Path(IMAGE).exists()
    ):
        raise WorkflowError(
            f"there is no image {IMAGE}: build it with snakemake --cores 1 build_image, without the profile and with "
            "the same --configfile"
        )


def require_machine():
    """Check that this machine can run the planned jobs, before the first one starts; dry-runs skip this."""
    require_gpu()
    require_image()
