"""Put together the folder that would be uploaded: merged model, adapter, model card, results, checksums."""

import argparse
import json
import shutil
from pathlib import Path

from gsm8k.records import read_json, replacing, require_space, sha256, tree_size, write_json
from report import bibtex, claim, marked_task
from tabulate_results import marked_row, percent, read_results, rows

# What a package may hold, and what the Hub calls that: `layout` says which of the run's folders goes where.
CONTENTS = {
    "merged": {"layout": {"": "merged", "adapter": "adapter"}, "library": "transformers", "relation": "finetune"},
    "adapter": {"layout": {"": "adapter"}, "library": "peft", "relation": "adapter"},
}
LICENCES = ("LICENSE*", "USE_POLICY*")  # as base models name them


def card_rows(results, policy):
    """The table's rows of one policy, each with the base model's score beside it."""
    table = list(rows(results))
    base = {(row["task"], row["extractor"]): row["value"] for row in table if row["policy"] == "base"}
    return [row | {"base": base[row["task"], row["extractor"]]} for row in table if row["policy"] == policy]


def on_hub(source):
    """What a `hf://` source names: `{"id", "revision"}`; None for another source, which the Hub does not know."""
    if not source.startswith("hf://"):
        return None
    name, _, rest = source.removeprefix("hf://").partition("@")
    return {"id": name, "revision": rest.partition("/")[0]}


def front_matter(config, table):
    """The card's YAML header, with the scores as the Hub's `model-index`."""
    import yaml

    scores = [
        {
            "task": {"type": "text-generation"},
            "dataset": {"name": marked_row(row), "type": row["task"]},
            "metrics": [{"type": "exact_match", "name": row["extractor"], "value": round(100 * row["value"], 2)}],
        }
        for row in table
    ]
    contents = CONTENTS[config["hub"]["contents"]]
    header = {
        "license": config["model"]["license"],
        "library_name": contents["library"],
        "pipeline_tag": "text-generation",
        "tags": ["grpo", "reasoning", "trl"],
        "model-index": [{"name": config["run"], "results": scores}],
    }
    if base := on_hub(config["model"]["source"]):
        header |= {"base_model": base["id"], "base_model_relation": contents["relation"]}
    if data := on_hub(config["tasks"][config["task"]]["source"]):
        header["datasets"] = [data["id"]]
    return yaml.safe_dump(header, sort_keys=True)


def eval_result(config, row):
    """One headline score as the Hub's leaderboards read it, as YAML for `.eval_results/<task>.yaml`.

    None where there is no leaderboard to read it: for a task whose data is not on the Hub, and for a part of its test.
    """
    import yaml
    from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml

    data = on_hub(config["tasks"][row["task"]]["source"])
    if data is None or marked_row(row) != row["task"]:
        return None
    entry = EvalResultEntry(
        dataset_id=data["id"],
        task_id=row["task"],
        dataset_revision=data["revision"],
        value=round(100 * row["value"], 2),
        notes=f"exact match by the extractor {row['extractor']}, {len(config['prompt']['examples'])} worked examples; "
        "the whole protocol is in protocol.json",
    )
    return yaml.safe_dump(eval_result_entries_to_yaml([entry]), sort_keys=False)


def name_base(path, base):
    """Let an adapter's config name its base model as PEFT finds it: a Hub repository and its revision."""
    if base:
        write_json(path, read_json(path) | {"base_model_name_or_path": base["id"], "revision": base["revision"]})


def card(args, config, results):
    """The model card, from results.json alone: no number in it is typed."""
    import jinja2
    import yaml

    table = card_rows(results, args.policy)
    tasks = results["tasks"].items()
    changes = {task: entry["policies"][args.policy]["comparison"]["extractors"] for task, entry in tasks}
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(args.template.parent),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters |= {"percent": percent, "marked": marked_row}
    train = json.loads(args.train)
    return environment.get_template(args.template.name).render(
        config=config,
        command=args.command,
        policy=args.policy,
        rows=table,
        claims=[
            claim(marked_task(task, entry), args.policy, changes[task][results["headline"]]) for task, entry in tasks
        ],
        front_matter=front_matter(config, table),
        prompt=json.dumps(config["prompt"], indent=2),
        adapter_folder="" if config["hub"]["contents"] == "adapter" else "adapter/",
        gguf=[read_json(path) for path in args.gguf if path.suffix == ".json"],
        bibtex=bibtex(yaml.safe_load(args.citation.read_text())),
        training={
            **{f"reward {name}": weight for name, weight in json.loads(args.rewards).items()},
            **{key: value for key, value in train.items() if key not in ("lora", "grpo")},
            **train["lora"],
            **train["grpo"],
        },
    )


def main(args):
    config, results = json.loads(args.config), read_results(args.results)
    folders = {"merged": args.merged, "adapter": args.adapter}
    layout = {target: folders[name] for target, name in CONTENTS[config["hub"]["contents"]]["layout"].items()}
    require_space(args.package, sum(map(tree_size, layout.values())) + sum(p.stat().st_size for p in args.gguf) + 10**8)
    with replacing(args.package) as folder:
        for target, source in layout.items():
            ignore = shutil.ignore_patterns(".snakemake_timestamp", "unsloth_compiled_cache")
            shutil.copytree(source, folder / target, ignore=ignore, dirs_exist_ok=True)
        name_base(next(folder.rglob("adapter_config.json")), on_hub(config["model"]["source"]))
        for path in args.gguf:
            shutil.copy(path, folder / f"{config['run']}-{path.name}")
        for pattern in LICENCES:
            for licence in args.base.glob(pattern):
                shutil.copy(licence, folder)
        shutil.copy(args.results, folder / "results.json")
        shutil.copy(args.citation, folder)
        protocols = {task: entry["policies"]["base"]["metrics"]["protocol"] for task, entry in results["tasks"].items()}
        write_json(folder / "protocol.json", protocols)
        (folder / "README.md").write_text(card(args, config, results))
        for row in card_rows(results, args.policy):
            if row["extractor"] == results["headline"] and (entry := eval_result(config, row)):
                (folder / ".eval_results").mkdir(exist_ok=True)
                (folder / ".eval_results" / f"{row['task']}.yaml").write_text(entry)
        files = sorted(p for p in folder.rglob("*") if p.is_file())
        sums = "".join(f"{sha256(p)}  {p.relative_to(folder)}\n" for p in files)
        (folder / "SHA256SUMS").write_text(sums)
    with replacing(args.manifest) as partial:
        partial.write_text(sums)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True, help="the whole config, as JSON")
    parser.add_argument("--train", required=True, help="the config section `train` of the arm, as JSON")
    parser.add_argument("--rewards", required=True, help="the config section `rewards` of the arm, as JSON")
    parser.add_argument("--command", required=True, help="what to type in a clean clone to get these numbers")
    parser.add_argument("--template", required=True, type=Path, help="Jinja2 template of the model card")
    parser.add_argument("--policy", required=True, help="the policy's name, such as grpo-seed0")
    parser.add_argument("--results", required=True, type=Path, help="results.json of tabulate_results")
    parser.add_argument("--citation", required=True, type=Path, help="CITATION.cff")
    parser.add_argument("--base", required=True, type=Path, help="directory of the base model, for its licence")
    parser.add_argument("--merged", required=True, type=Path, help="directory of the merged model")
    parser.add_argument("--adapter", required=True, type=Path, help="directory of the adapter")
    parser.add_argument("--gguf", required=True, type=Path, nargs="*", help="a GGUF file and its parity, or nothing")
    parser.add_argument("--package", required=True, type=Path, help="directory to make")
    parser.add_argument("--manifest", required=True, type=Path, help="file for the package's checksums, beside it")
    main(parser.parse_args())
