"""Assemble the folder that is uploaded to the Hub: merged model, adapter, model card, results, checksums."""

import argparse
import json
import shutil
from pathlib import Path

from reasoning.policies import arm_of
from reasoning.rows import read_results
from reasoning.training import arguments
from record.checksums import write_checksums
from reporting.card import CONTENTS, card, card_rows, eval_result, on_hub
from stage.checksums import NAME, adapter_rule, require_intact
from stage.files import (
    link_or_copy,
    read_json,
    read_text,
    replacing,
    require_space,
    tree_size,
    write_json,
    write_text,
)
from stage.screen import run

LICENCES = ("LICENSE*", "USE_POLICY*")  # the names that base models give their licence files
NOT_OURS = shutil.ignore_patterns(".snakemake_timestamp", NAME, "unsloth_compiled_cache")


def name_base(path, base):
    """Point an adapter's config to its base model on the Hub, repository and revision, so that PEFT finds it."""
    if base:
        write_json(path, read_json(path) | {"base_model_name_or_path": base["id"], "revision": base["revision"]})


def training_settings(train, rewards, merged):
    """The training settings as a flat `{setting: value}`, or of an arm that merges adapters what it merges."""
    if merged:
        weights = {f"weight of {arm}": weight for arm, weight in sorted(merged["adapters"].items())}
        return weights | {key: value for key, value in merged.items() if key != "adapters"}
    return {
        **{f"reward {name}": weight for name, weight in rewards.items()},
        **{key: value for key, value in train.items() if key not in ("lora", "grpo", "sft", "problems")},
        **{f"problems {key}": value for key, value in train["problems"].items()},
        **train["lora"],
        **arguments(train),
    }


def main(args):
    import yaml

    config, results, train = json.loads(args.config), read_results(args.results), json.loads(args.train_config)
    require_intact(args.base, "download_model")
    require_intact(args.merged, "merge_lora")
    require_intact(args.adapter, adapter_rule(args.adapter))
    folders = {"merged": args.merged, "adapter": args.adapter}
    layout = {target: folders[name] for target, name in CONTENTS[config["hub"]["contents"]]["layout"].items()}
    require_space(args.package, sum(map(tree_size, layout.values())) + sum(p.stat().st_size for p in args.gguf) + 10**8)
    with replacing(args.package) as folder:
        for target, source in layout.items():
            shutil.copytree(source, folder / target, ignore=NOT_OURS, copy_function=link_or_copy, dirs_exist_ok=True)
        adapter = next(folder.rglob("adapter_config.json")).parent
        if not train["start"]:  # else the base model of this adapter is a policy of the run
            name_base(adapter / "adapter_config.json", on_hub(config["model"]["source"]))
        for path in (args.history, args.arguments):
            shutil.copy(path, adapter)
        for path in args.gguf:
            link_or_copy(path, folder / f"{config['run']}-{path.name}")
        for pattern in LICENCES:
            for licence in args.base.glob(pattern):
                shutil.copy(licence, folder)
        shutil.copy(args.results, folder / "results.json")
        shutil.copy(args.citation, folder)
        protocols = {task: entry["policies"]["base"]["metrics"]["protocol"] for task, entry in results["tasks"].items()}
        write_json(folder / "protocol.json", protocols)
        write_json(folder / "run-config.json", config)
        text = card(
            args.template,
            config,
            args.command,
            args.policy,
            results,
            train=train,
            training=training_settings(
                train, json.loads(args.rewards_config), config["arms"][arm_of(args.policy)].get("merge_of")
            ),
            gguf=[path for path in args.gguf if path.suffix == ".json"],
            citation=yaml.safe_load(read_text(args.citation)),
        )
        write_text(folder / "README.md", text)
        for row in card_rows(results, args.policy):
            if row["extractor"] == results["headline"] and (entry := eval_result(config, row)):
                write_text(folder / ".eval_results" / f"{row['task']}.yaml", entry)
        sums = write_checksums(folder)
    write_text(args.manifest, sums)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True, help="the run's config, without its controls, as JSON")
    parser.add_argument("--train-config", required=True, help="the config section `train` of the arm, as JSON")
    parser.add_argument("--rewards-config", required=True, help="the config section `rewards` of the arm, as JSON")
    parser.add_argument("--command", required=True, help="the command that reproduces these numbers in a clean clone")
    parser.add_argument("--template", required=True, type=Path, help="Jinja2 template of the model card")
    parser.add_argument("--policy", required=True, help="the policy's name, such as cold_start_grpo-seed0")
    parser.add_argument("--results", required=True, type=Path, help="results.json of tabulate_results")
    parser.add_argument("--citation", required=True, type=Path, help="CITATION.cff")
    parser.add_argument("--base", required=True, type=Path, help="directory of the base model, for its licence")
    parser.add_argument("--merged", required=True, type=Path, help="directory of the merged model")
    parser.add_argument("--adapter", required=True, type=Path, help="directory of the adapter")
    parser.add_argument("--history", required=True, type=Path, help="training/<policy>/history.csv")
    parser.add_argument("--arguments", required=True, type=Path, help="training/<policy>/arguments.json")
    parser.add_argument(
        "--gguf", required=True, type=Path, nargs="*", help="a GGUF file and its comparison, or nothing"
    )
    parser.add_argument("--package", required=True, type=Path, help="directory to write")
    parser.add_argument("--manifest", required=True, type=Path, help="file for the package's checksums, outside it")
    run(main, parser)
