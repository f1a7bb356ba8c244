"""Write the evaluation as a task of EleutherAI's lm-evaluation-harness: same problems, prompt, decoding and extractors.

    snakemake --cores 1 results/smollm2-135m-cpu/lm_eval/word_problems.yaml
    lm_eval --model hf --model_args pretrained=results/smollm2-135m-cpu/models/base,dtype=float32 \\
        --include_path results/smollm2-135m-cpu/lm_eval --tasks word_problems --apply_chat_template --log_samples

Run it in Snakemake's folder: the task's path to its problems is relative to that. math-verify is not exported.
"""

import argparse
import json
from pathlib import Path

from reasoning.number import NUMBER
from stage.checksums import require_intact
from stage.files import write_text
from stage.screen import run


def lm_eval_task(name, data, prompt, settings):
    """The task as a dict to write as YAML; `prompt` and `settings` are the config sections `prompt` and `eval`."""
    sampling = dict(settings["sampling"])
    examples = [{"prompt": [{"content": e["question"]}], "answer": e["completion"]} for e in prompt["examples"]]
    filters = {"strict": (prompt["answer"], 0), "flexible": (f"({NUMBER.pattern})", -1)}
    return {
        "task": name,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(data)}},
        "test_split": "test",
        "output_type": "generate_until",
        "description": prompt["system"] or "",
        "doc_to_text": "{{prompt[-1]['content']}}",
        "doc_to_target": "{{answer}}",
        "num_fewshot": len(examples),
        "fewshot_config": {"sampler": "first_n", "samples": examples},
        "fewshot_delimiter": "",
        "target_delimiter": "",
        **({"gen_prefix": prompt["prefill"]} if prompt["prefill"] else {}),
        "generation_kwargs": {"until": [], "max_gen_toks": sampling.pop("max_new_tokens"), **sampling},
        "filter_list": [
            {
                "name": extractor,
                "filter": [
                    {"function": "regex", "regex_pattern": pattern, "group_select": select},
                    {"function": "take_first"},
                ],
            }
            for extractor, (pattern, select) in filters.items()
        ],
        "metric_list": [
            {
                "metric": "exact_match",
                "aggregation": "mean",
                "higher_is_better": True,
                "regexes_to_ignore": [",", r"\$", r"\.$"],
            }
        ],
        "metadata": {"version": 1.0},
    }


def main(args):
    import yaml

    require_intact(args.data, "format_task")
    task = lm_eval_task(args.task, args.data, json.loads(args.prompt_config), json.loads(args.eval_config))
    write_text(args.yaml, yaml.safe_dump(task, sort_keys=False, allow_unicode=True))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", required=True, help="the task's name")
    parser.add_argument("--data", required=True, type=Path, help="formatted problems, JSONL")
    parser.add_argument("--prompt-config", required=True, help="the config section `prompt`, as JSON")
    parser.add_argument("--eval-config", required=True, help="the config section `eval`, as JSON")
    parser.add_argument("--yaml", required=True, type=Path, help="YAML to write")
    run(main, parser)
