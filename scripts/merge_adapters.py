"""Merge adapters of one base model into one adapter of it, by PEFT's add_weighted_adapter.

An adapter changes a weight by s B A, with s = alpha / r. `cat` and `svd` add up these changes, each times its weight:
`cat` exactly, with the sum of the ranks, `svd` as near as the largest rank allows. `linear` adds up the factors A and B
instead, each times the root of weight and s, whose product is another change. The other methods drop values first: ties
small ones and those of the minority's sign (Yadav et al. 2023, arXiv:2306.01708), dare random ones (Yu et al. 2024,
arXiv:2311.03099), drawn by the seed, magnitude_prune small ones; with `_svd` of the changes, else of the factors.
"""

import argparse
import json
from pathlib import Path

from backends.adapters import save_adapter
from backends.determinism import fix
from stage.checksums import MERGE_OF, adapter_rule, model_rule, require_intact, seal
from stage.environment import environment
from stage.files import replacing, write_json, write_text
from stage.screen import run

NAME = "default"  # which PEFT saves in the folder itself


def merged(model, adapters, weights, method, density):
    """A PEFT model with one adapter, merged of those in the directories `adapters`, each with a weight."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    names = [f"part{i}" for i in range(len(adapters))]
    policy = PeftModel.from_pretrained(
        AutoModelForCausalLM.from_pretrained(model, dtype="auto"), adapters[0], adapter_name=names[0]
    )
    for name, adapter in zip(names[1:], adapters[1:], strict=True):
        policy.load_adapter(adapter, adapter_name=name)
    policy.add_weighted_adapter(names, weights, NAME, combination_type=method, density=density)
    policy.set_adapter(NAME)
    for name in names:
        policy.delete_adapter(name)
    return policy


def main(args):
    merge_of = json.loads(args.merge_of)
    fix(args.seed, json.loads(args.merge_config)["threads"])
    require_intact(args.model, model_rule(args.model))
    for path in args.adapters:
        require_intact(path, adapter_rule(path))
    weights = [merge_of["adapters"][arm] for arm in sorted(merge_of["adapters"])]
    policy = merged(args.model, args.adapters, weights, merge_of["method"], merge_of.get("density"))
    with replacing(args.adapter) as folder:
        save_adapter(policy, folder, args.source)
        write_json(folder / MERGE_OF, merge_of)
        seal(folder)
    # A report reads of every policy what a training wrote.
    write_text(args.history, "step\n")
    write_json(args.arguments, merge_of | {"seed": args.seed})
    write_json(args.environment, environment())
    write_json(args.gpu_memory, {"gpu": None, "peak_bytes": None})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--merge-config", required=True, help="the config section `merge`, as JSON")
    parser.add_argument("--merge-of", required=True, help="the config section `arms.<arm>.merge_of`, as JSON")
    parser.add_argument("--seed", required=True, type=int)
    parser.add_argument("--source", required=True, help="the base model's name in the adapter: `model.source`")
    parser.add_argument("--model", required=True, type=Path, help="directory of the adapters' base model")
    parser.add_argument(
        "--adapters", required=True, type=Path, nargs="+", help="their directories, in the order of their arms' names"
    )
    parser.add_argument("--adapter", required=True, type=Path, help="directory to write")
    parser.add_argument("--history", required=True, type=Path, help="CSV to write, without a step")
    parser.add_argument("--arguments", required=True, type=Path, help="JSON to write, how the adapters were merged")
    parser.add_argument("--environment", required=True, type=Path, help="JSON to write, the merge's environment")
    parser.add_argument("--gpu-memory", required=True, type=Path, help="JSON to write: no GPU was used")
    run(main, parser)
