"""A merge of adapters is what its method says, computed here again from their files, and the same every time."""

import json
import runpy
from argparse import Namespace

import pytest
import torch
from backends.merging import read_adapter
from peft import LoraConfig, PeftModel, get_peft_model
from stage.checksums import adapter_rule, seal
from stage.files import read_json, sha256
from transformers import AutoModelForCausalLM

MERGE = runpy.run_path("scripts/merge_adapters.py")
WEIGHTS, ALPHA = {"a": 0.7, "b": -0.3}, 12


@pytest.fixture(scope="module")
def adapters(tiny_model, tmp_path_factory):
    """Directories of random adapters of the tiny model by name and rank: a and b of rank 4, c of rank 2."""
    found = {}
    for seed, (name, rank) in enumerate({"a": 4, "b": 4, "c": 2}.items()):
        config = LoraConfig(task_type="CAUSAL_LM", r=rank, lora_alpha=ALPHA, target_modules=["q_proj", "down_proj"])
        policy = get_peft_model(AutoModelForCausalLM.from_pretrained(tiny_model), config)
        torch.manual_seed(seed)
        for key, value in policy.named_parameters():
            if "lora_B" in key:
                value.data.normal_(0, 0.1)
        found[name] = tmp_path_factory.mktemp("adapters") / name
        policy.save_pretrained(found[name])
        seal(found[name])
    return found


def merged(model, adapters, folder, seed=0, weights=WEIGHTS, **merge_of):
    """The adapter that the stage makes, its directory."""
    names = ("history", "arguments", "environment", "gpu_memory", "adapter")
    given = {"adapters": weights} | merge_of
    paths = {name: folder / name for name in names}
    MERGE["main"](
        Namespace(
            merge_config=json.dumps({"threads": 2}),
            merge_of=json.dumps(given),
            seed=seed,
            source="models/base",
            model=model,
            adapters=[adapters[name] for name in sorted(weights)],
            **paths,
        )
    )
    assert read_json(paths["arguments"]) == given | {"seed": seed} and paths["history"].read_text() == "step\n"
    return paths["adapter"]


def changes(adapter):
    """`{matrix: s B A}` of an adapter in double precision, by its own files."""
    config = read_json(adapter / "adapter_config.json")
    scale = config["lora_alpha"] / config["r"]
    return {name: scale * each["B"].double() @ each["A"].double() for name, each in read_adapter(adapter).items()}


def factors(adapters, part, name):
    """The factors of a matrix in both adapters, each times the root of weight and scale, with the sign on A."""
    for adapter, weight in WEIGHTS.items():
        size = abs(weight * ALPHA / 4) ** 0.5
        yield read_adapter(adapters[adapter])[name][part].double(), size * (-1 if part == "A" and weight < 0 else 1)


def added(pairs):
    return sum(weight * value for value, weight in pairs)


def ties(pairs, density=0.5):
    """Of each the largest values; of each place those with the sign of their sum; of these the mean."""
    values, weights = zip(*pairs, strict=True)
    kept = [
        value * (value.abs() >= value.abs().flatten().sort().values[-int(density * value.numel())]) for value in values
    ]
    sign = torch.where(sum(kept) >= 0, 1.0, -1.0)
    agree = [value.sign() == sign for value in kept]
    total = sum(weight * value * same for value, weight, same in zip(kept, weights, agree, strict=True))
    return total / sum(same.double() for same in agree).clamp(min=1)


def test_the_sum_of_the_changes(tiny_model, adapters, tmp_path):
    """Exactly with all ranks; as near as rank 4 comes to it with svd; of different ranks too."""
    for weights in (WEIGHTS, {"a": 0.7, "c": 0.5}):
        parts = {name: changes(adapters[name]) for name in weights}
        found = changes(merged(tiny_model, adapters, tmp_path, weights=weights, method="cat"))
        nearest = changes(merged(tiny_model, adapters, tmp_path, weights=weights, method="svd"))
        for name in found:
            exact = sum(weights[part] * parts[part][name] for part in parts)
            torch.testing.assert_close(found[name], exact, rtol=1e-5, atol=1e-6)
            u, s, v = torch.linalg.svd(exact)
            torch.testing.assert_close(nearest[name], u[:, :4] @ torch.diag(s[:4]) @ v[:4], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("merge_of", "rule"), [({"method": "linear"}, added), ({"method": "ties", "density": 0.5}, ties)]
)
def test_factors(tiny_model, adapters, tmp_path, merge_of, rule):
    found = changes(merged(tiny_model, adapters, tmp_path, **merge_of))
    for name in found:
        a, b = (rule(list(factors(adapters, part, name))) for part in "AB")
        torch.testing.assert_close(found[name], b @ a, rtol=1e-5, atol=1e-6)


def test_chance_follows_the_seed(tiny_model, adapters, tmp_path):
    digests = []
    for seed in (0, 0, 1):
        adapter = merged(tiny_model, adapters, tmp_path, seed=seed, method="dare_linear", density=0.5)
        digests.append(sha256(adapter / "adapter_model.safetensors"))
    assert digests[0] == digests[1] != digests[2]


def test_it_is_an_adapter_as_any_other(tiny_model, adapters, tmp_path):
    """PEFT loads it, its config names the base model, and who finds it damaged is told which rule made it."""
    adapter = merged(tiny_model, adapters, tmp_path, method="linear")
    config = read_json(adapter / "adapter_config.json")
    assert (config["base_model_name_or_path"], config["target_modules"]) == ("models/base", ["down_proj", "q_proj"])
    assert sorted(path.name for path in adapter.iterdir()) == [
        *("SHA256SUMS", "adapter_config.json", "adapter_model.safetensors", "merge_of.json")
    ]
    PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny_model), adapter)
    assert (adapter_rule(adapter), adapter_rule(adapters["a"])) == ("merge_adapters", "train")
    (adapters["a"] / "adapter_config.json").write_text("{}")
    with pytest.raises(SystemExit, match="is not what train wrote"):
        merged(tiny_model, adapters, tmp_path, method="linear")
