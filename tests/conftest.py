"""Fixtures: a tiny random model with a real tokenizer, and copies of the workflow to run it in."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from filelock import FileLock

ROOT = Path(__file__).parents[1]
# Threads that wait sleep instead of spinning: workers and their stages share the cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
CHAT_TEMPLATE = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


# Files whose tests run the chain again and again, for minutes: .ci/run has them run, and `make test` skips them.
LONG = """
test_arms test_baselines test_bring_your_own test_data_parallel test_faults test_first_hour test_forged test_kills
test_offline test_resume test_select test_shards test_slurm test_sweep test_watch
""".split()


def pytest_collection_modifyitems(items):
    """Skip long tests unless they are asked for, and let several processes begin with these files."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: (item.path.stem not in LONG, item.path.parent.name == "unit"))
    if not os.environ.get("LONG_TESTS"):
        for item in items:
            if item.path.stem in LONG:
                item.add_marker(pytest.mark.skip(reason="takes minutes: LONG_TESTS=1 runs it"))


def make_tiny_model(folder, **shape):
    """Write a seeded Llama with two layers and 32 dimensions, whose tokenizer has bytes and four special tokens.

    `shape` overrides fields of its config.
    """
    import torch
    from stage.checksums import seal
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    special = ["<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]
    vocabulary = {token: i for i, token in enumerate([*special, *sorted(pre_tokenizers.ByteLevel.alphabet())])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(special)
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|end|>", pad_token="<|end|>")
    wrapped.chat_template = CHAT_TEMPLATE
    torch.manual_seed(0)
    fields = {
        "vocab_size": len(vocabulary),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 32,  # the smallest that vLLM has on a CPU
        "max_position_embeddings": 1024,
        "eos_token_id": 0,
        "pad_token_id": 0,
        "bos_token_id": None,
        "tie_word_embeddings": True,
    }
    LlamaForCausalLM(LlamaConfig(**fields | shape)).save_pretrained(folder)
    wrapped.save_pretrained(folder)
    seal(folder)


def made_once(tmp_path_factory, name, make):
    """The folder that `make(folder)` fills, and what it returns, a JSON value.

    Of pytest-xdist's workers the first that asks makes it, and the others wait and use it too.
    """
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    made = folder.with_suffix(".json")
    with FileLock(folder.with_suffix(".lock")):
        if not made.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            made.write_text(json.dumps(make(folder)))
    return folder, json.loads(made.read_text())


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory):
    """The directory of the tiny model."""
    return made_once(tmp_path_factory, "tiny-model", make_tiny_model)[0]


def training_outputs(folder):
    """train's arguments for what it writes beside the adapter, in a folder, and for its checkpoints: none."""
    names = {"history": "history.csv", "arguments": "arguments.json", "environment": "environment.json"}
    names |= {"gpu-memory": "gpu_memory.json", "checkpoints": "checkpoints"}
    code = ["--code", str(ROOT / "scripts/train.py"), "--checkpoint-steps", "0", "--checkpoint-minutes", "0"]
    return [*code, *(word for name, file in names.items() for word in (f"--{name}", str(folder / file)))]


TINY = {
    "run": "tiny",
    "model": {"sha256": None, "disk_gb": 0.01},
    "tasks": {
        "word_problems": {
            "source": "generated://word_problems?seed=0&train=40&test=20",
            "size": {"train": 40, "test": 20},
            "sha256": {"train": None, "test": None},
            "dev": 8,
        }
    },
    # Any text has the right format and "0" is a frequent byte, so that random completions differ in reward.
    "prompt": {"prefill": "", "examples": [], "format": "[^a-e]*"},
    "rewards": {"format": 1.0, "steps": 0.5},
    "train": {
        "problems": {"shuffle": False},
        "lora": {"r": 4, "layers_to_transform": [0, 1]},
        "grpo": {
            "max_steps": 2,
            "num_generations": 4,
            "per_device_train_batch_size": 4,
            "gradient_accumulation_steps": 1,
        },
    },
    "merge": {"problems": 4},
    "arms": {"grpo": {}},
    "controls": {
        "seeds": [0],
        "arms": {
            "random_reward": {"rewards": {"accuracy": 0.0, "format": 0.0, "steps": 0.0, "random": 1.0}},
            "format_only": {"rewards": {"accuracy": 0.0, "steps": 0.0}},
        },
    },
    "eval": {"batch_size": 8, "sampling": {"max_new_tokens": 8}},
}


MADE_HERE = {".git", ".venv", ".snakemake", ".cache", ".config", ".pytest_cache", ".ruff_cache", "__pycache__", "logs"}


def repository_files(root=ROOT):
    """The repository's files without any outputs, from a clone or from an archive, which has no .git."""
    if (root / ".git").exists():
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout.split("\0")
    else:
        names = []
        for folder, folders, files in os.walk(root):
            here = Path(folder).relative_to(root)
            folders[:] = sorted(set(folders) - MADE_HERE)
            if here == Path("results"):
                folders[:] = ["published"]
            names += [str(here / name) for name in files if (here.name, Path(name).suffix) != ("containers", ".sif")]
    return sorted(name for name in set(names) if (root / name).is_file())


def call(folder, *arguments, snakemake="snakemake", **environment):
    """Run snakemake in `folder`; returns the finished process, whose stdout is what a terminal would show."""
    return subprocess.run(
        [snakemake, "--cores", "2", *map(str, arguments)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        env=os.environ | {key: str(value) for key, value in environment.items()},
    )


class Checkout:
    """A copy of the repository's files, as a clone would have them, with the tiny run as an overlay.

    Without the repository's records, which are of commits that a checkout's history does not have.
    """

    def __init__(self, folder, model):
        for name in repository_files():
            if name.startswith("results/published/"):
                continue
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
        self.describe(folder, model)
        self.write()

    def describe(self, folder, model):
        """Set the folder and the overlay's settings."""
        self.folder = folder
        self.settings = yaml.safe_load(yaml.safe_dump(TINY))
        self.settings["model"]["source"] = str(model)

    @classmethod
    def found(cls, folder, model):
        """The checkout that is in a folder."""
        checkout = object.__new__(cls)
        checkout.describe(folder, model)
        return checkout

    def write(self, **changes):
        """Write the overlay; `changes` replace whole sections of it."""
        (self.folder / "tiny.yaml").write_text(yaml.safe_dump(self.settings | changes))

    def snakemake(self, *arguments, cores=2, **environment):
        """Run snakemake with the overlay; returns the finished process."""
        return subprocess.run(
            ["snakemake", "--cores", str(cores), "--configfile", "tiny.yaml", *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            env=os.environ | environment,
        )

    def copy(self, folder):
        """A copy of the checkout in another folder, with its outputs and their times."""
        shutil.copytree(self.folder, folder, copy_function=shutil.copy2, symlinks=True)
        copy = object.__new__(Checkout)
        copy.folder, copy.settings = folder, yaml.safe_load(yaml.safe_dump(self.settings))
        return copy

    def planned(self, *arguments):
        """The rules that a run would execute now, `{rule: jobs}`; empty for "Nothing to be done"."""
        process = self.snakemake("--dry-run", *arguments)
        assert process.returncode == 0, process.stdout + process.stderr
        text = process.stdout + process.stderr
        if "Nothing to be done" in text:
            return {}
        lines = text[text.index("Job stats:") :].splitlines()[3:]
        jobs = (line.split() for line in lines[: lines.index("")])
        return {rule: int(count) for rule, count in jobs if rule not in ("all", "controls", "total")}


@pytest.fixture
def checkout(tmp_path, tiny_model):
    """A fresh checkout in which nothing has been run."""
    return Checkout(tmp_path / "checkout", tiny_model)


@pytest.fixture(scope="session")
def finished(tmp_path_factory, tiny_model):
    """A checkout with the finished tiny run; tests copy it and do not change it."""

    def make(folder):
        process = Checkout(folder / "checkout", tiny_model).snakemake()
        assert process.returncode == 0, process.stdout + process.stderr
        return process.stdout + process.stderr

    folder, output = made_once(tmp_path_factory, "finished", make)
    checkout = Checkout.found(folder / "checkout", tiny_model)
    checkout.output = output
    return checkout


@pytest.fixture
def rerun(finished, tmp_path):
    """A copy of the finished checkout, with its times, for tests that change something."""
    return finished.copy(tmp_path / "checkout")


@pytest.fixture(scope="session")
def published(finished, tiny_model, tmp_path_factory):
    """The finished checkout as a git clone, with finished controls and a published record; tests do not change it."""

    def make(folder):
        checkout = finished.copy(folder / "checkout")
        for git in ("git init --quiet", "git add .", "git -c user.name=n -c user.email=e commit --quiet --message m"):
            subprocess.run(git.split(), cwd=checkout.folder, check=True)
        process = checkout.snakemake("--", "publish")
        assert process.returncode == 0, process.stdout + process.stderr

    return Checkout.found(made_once(tmp_path_factory, "published", make)[0] / "checkout", tiny_model)


@pytest.fixture
def record(published, tmp_path):
    """A copy of the published checkout, to change something in."""
    return published.copy(tmp_path / "checkout")
