"""Put together the folder that would be uploaded: merged model, adapter, model card, results, checksums."""

import argparse
import json
import shutil
from pathlib import Path

from gsm8k.records import replacing, require_space, sha256, tree_size, write_json
from report import claim
from tabulate_results import percent, read_results, rows


def card_rows(results, policy):
    """The table's rows of one policy, each with the base model's score beside it."""
    table = list(rows(results))
    base = {(row["task"], row["extractor"]): row["value"] for row in table if row["policy"] == "base"}
    return [row | {"base": base[row["task"], row["extractor"]]} for row in table if row["policy"] == policy]


def front_matter(config, table):
    """The card's YAML header, with the scores as the Hub's `model-index`."""
    import yaml

    scores = [
        {
            "task": {"type": "text-generation"},
            "dataset": {"name": row["task"] + (" (a subset)" if row["subset"] else ""), "type": row["task"]},
            "metrics": [{"type": "exact_match", "name": row["extractor"], "value": round(100 * row["value"], 2)}],
        }
        for row in table
    ]
    header = {
        "license": config["model"]["license"],
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["grpo", "reasoning", "trl"],
        "model-index": [{"name": config["run"], "results": scores}],
    }
    if config["model"]["source"].startswith("hf://"):
        header["base_model"] = config["model"]["source"].removeprefix("hf://").partition("@")[0]
    return yaml.safe_dump(header, sort_keys=True)


def card(args, config, results):
    """The model card, from results.json alone: no number in it is typed."""
    import jinja2

    table = card_rows(results, args.policy)
    tasks = results["tasks"].items()
    changes = {task: entry["policies"][args.policy]["comparison"]["extractors"] for task, entry in tasks}
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(args.template.parent),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters["percent"] = percent
    train = config["train"]
    return environment.get_template(args.template.name).render(
        config=config,
        command=args.command,
        policy=args.policy,
        rows=table,
        claims=[claim(task, args.policy, change[results["headline"]]) for task, change in changes.items()],
        front_matter=front_matter(config, table),
        prompt=json.dumps(config["prompt"], indent=2),
        training={"backend": train["backend"], **train["lora"], **train["grpo"]},
    )


def main(args):
    config, results = json.loads(args.config), read_results(args.results)
    require_space(args.package, tree_size(args.merged) + tree_size(args.adapter) + 10**8)
    with replacing(args.package) as folder:
        ignore = shutil.ignore_patterns(".snakemake_timestamp")
        shutil.copytree(args.merged, folder, ignore=ignore)
        shutil.copytree(args.adapter, folder / "adapter", ignore=ignore)
        shutil.copy(args.results, folder / "results.json")
        protocols = {task: entry["policies"]["base"]["metrics"]["protocol"] for task, entry in results["tasks"].items()}
        write_json(folder / "protocol.json", protocols)
        (folder / "README.md").write_text(card(args, config, results))
        files = sorted(p for p in folder.rglob("*") if p.is_file())
        sums = "".join(f"{sha256(p)}  {p.relative_to(folder)}\n" for p in files)
        (folder / "SHA256SUMS").write_text(sums)
    with replacing(args.manifest) as partial:
        partial.write_text(sums)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True, help="the whole config, as JSON")
    parser.add_argument("--command", required=True, help="what to type in a clean clone to get these numbers")
    parser.add_argument("--template", required=True, type=Path, help="Jinja2 template of the model card")
    parser.add_argument("--policy", required=True, help="the policy's name, such as grpo-seed0")
    parser.add_argument("--results", required=True, type=Path, help="results.json of tabulate_results")
    parser.add_argument("--merged", required=True, type=Path, help="directory of the merged model")
    parser.add_argument("--adapter", required=True, type=Path, help="directory of the adapter")
    parser.add_argument("--package", required=True, type=Path, help="directory to make")
    parser.add_argument("--manifest", required=True, type=Path, help="file for the package's checksums, beside it")
    main(parser.parse_args())
