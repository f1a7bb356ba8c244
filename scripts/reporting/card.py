"""The model card and the Hub's metadata, computed from results.json; no number is typed by hand."""

import json

from reasoning.overrides import of_task
from reasoning.policies import arm_of
from reasoning.rows import marked_row, marked_task, rows
from stage.files import read_json

from reporting.latex import bibtex
from reporting.templates import fill
from reporting.words import METHODS, against_base, base_in_words, measure, merge_in_words

# What a package may hold, in the Hub's words; `layout` maps the run's folders to the package's.
CONTENTS = {
    "merged": {"layout": {"": "merged", "adapter": "adapter"}, "library": "transformers", "relation": "finetune"},
    "adapter": {"layout": {"": "adapter"}, "library": "peft", "relation": "adapter"},
}


def card_rows(results, policy):
    """One policy's rows of the table, each with the base model's score added."""
    table = list(rows(results))
    base = {(row["task"], row["extractor"]): row["value"] for row in table if row["policy"] == "base"}
    return [row | {"base": base[row["task"], row["extractor"]]} for row in table if row["policy"] == policy]


def on_hub(source):
    """`{"id", "revision"}` of a `hf://` source; None for any other source, because it is not on the Hub."""
    if not source.startswith("hf://"):
        return None
    name, _, rest = source.removeprefix("hf://").partition("@")
    return {"id": name, "revision": rest.partition("/")[0]}


def front_matter(config, table, trainer):
    """The card's YAML header, with the scores as `model-index`."""
    import yaml

    scores = [
        {
            "task": {"type": "text-generation"},
            "dataset": {"name": marked_row(row), "type": row["task"]},
            "metrics": [
                {
                    "type": measure(row).replace(" ", "_"),
                    "name": row["extractor"],
                    "value": round(100 * row["value"], 2),
                }
            ],
        }
        for row in table
    ]
    contents = CONTENTS[config["hub"]["contents"]]
    header = {
        "license": config["model"]["license"],
        "library_name": contents["library"],
        "pipeline_tag": "text-generation",
        "tags": [trainer, "reasoning", "trl"],
        "model-index": [{"name": config["run"], "results": scores}],
    }
    if base := on_hub(config["model"]["source"]):
        header |= {"base_model": base["id"], "base_model_relation": contents["relation"]}
    if data := on_hub(config["tasks"][config["task"]]["source"]):
        header["datasets"] = [data["id"]]
    return yaml.safe_dump(header, sort_keys=True)


def eval_result(config, row):
    """The headline score as YAML for `.eval_results/<task>.yaml`, which the Hub's leaderboards read.

    None if the task's data is not on the Hub, or if only a part of its test split was used.
    """
    import yaml
    from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml

    data = on_hub(config["tasks"][row["task"]]["source"])
    examples = of_task(config, "prompt", row["task"])["examples"]
    if data is None or marked_row(row) != row["task"]:
        return None
    entry = EvalResultEntry(
        dataset_id=data["id"],
        task_id=row["task"],
        dataset_revision=data["revision"],
        value=round(100 * row["value"], 2),
        notes=f"{measure(row)} by the extractor {row['extractor']}, {len(examples)} worked examples; "
        "the whole protocol is in protocol.json",
    )
    return yaml.safe_dump(eval_result_entries_to_yaml([entry]), sort_keys=False)


def card(template, config, command, policy, results, train, training, gguf, citation):
    """The model card as Markdown.

    `train` is the config section of the policy's arm, `training` what the card states of it as `{setting: value}`, and
    `gguf` a list of the comparisons of GGUF files.
    """
    table = card_rows(results, policy)
    tasks = [(task, entry) for task, entry in results["tasks"].items() if policy in entry["policies"]]
    merged = config["arms"][arm_of(policy)].get("merge_of")
    return fill(
        template,
        config=config,
        command=command,
        policy=policy,
        made=merge_in_words(merged) if merged else f"trained with {METHODS[train['trainer']]} on {config['task']}",
        start=f"{base_in_words(config['model'])}{', by way of arm ' + train['start'] if train['start'] else ''}",
        rows=table,
        claims=[
            against_base(marked_task(task, entry), entry, arm_of(policy), results["headline"]) for task, entry in tasks
        ],
        front_matter=front_matter(config, table, "merge" if merged else train["trainer"]),
        prompt=json.dumps(of_task(config, "prompt", config["task"]), indent=2),
        adapter_folder="" if config["hub"]["contents"] == "adapter" else "adapter/",
        gguf=[read_json(path) for path in gguf],
        bibtex=bibtex(citation),
        training=training,
    )
