"""Write the evaluation as a task of EleutherAI's lm-evaluation-harness: same problems, prompt, decoding and extractors.

    snakemake --cores 1 results/smollm2-135m-cpu/lm_eval/word_problems.yaml
    lm_eval --model hf --model_args pretrained=results/smollm2-135m-cpu/models/base,dtype=float32 \\
        --include_path results/smollm2-135m-cpu/lm_eval --tasks word_problems --apply_chat_template --log_samples

Run it in Snakemake's folder: the task's path to its problems is relative to that. math-verify is not exported, nor are
tasks whose answers the harness would judge otherwise: texts, expressions, and what a task judges itself.
"""

import argparse
import json
from pathlib import Path

from answers import choice, number
from reasoning.exports import complete, require_nothing_inherited
from reasoning.number import NUMBER
from stage.checksums import require_intact
from stage.files import write_text
from stage.screen import run
from tasks import load

# By the answer's type: the patterns that read on in the answer tag and that of `flexible`, each with the match that it
# takes, and what is ignored when a reading is compared with the gold answer.
TYPES = {
    number: ([], (f"({NUMBER.pattern})", -1), {"regexes_to_ignore": [",", r"\$", r"\.$"]}),
    choice: (
        [(rf"(?is)\A(?:{choice.LABEL.pattern})\Z", 0)],
        (choice.ALONE.pattern, -1),
        {"ignore_case": True},
    ),
}


def require_equal_judge(name, answer, prompt):
    """Stop if the harness would judge the answers of a task otherwise, or give the model other prompts."""
    if answer not in TYPES:
        raise SystemExit(
            f"error: lm-evaluation-harness would judge the answers of task {name} otherwise: it compares numbers and "
            "choices as this package does, but no texts, no expressions and not by a task's own judge; evaluate it here"
        )
    if prompt.get("chat_template_kwargs"):
        raise SystemExit(
            f"error: no task of lm-evaluation-harness can state prompt.chat_template_kwargs, which {name} has: "
            "evaluate it here, or give the harness a model folder whose chat template needs none"
        )


def steps(*patterns):
    """The steps of a filter: one regular expression after the other, each with the match that it takes."""
    regex = [{"function": "regex", "regex_pattern": pattern, "group_select": match} for pattern, match in patterns]
    return [*regex, {"function": "take_first"}]


def lm_eval_task(name, data, prompt, settings, answer=number):
    """The task as a dict to write as YAML; `prompt` and `settings` are the config sections `prompt` and `eval`.

    `answer` is the type of its answers. SystemExit if the harness cannot judge them equally.
    """
    require_equal_judge(name, answer, prompt)
    sampling = complete(settings["sampling"])
    examples = [{"prompt": [{"content": e["question"]}], "answer": e["completion"]} for e in prompt["examples"]]
    inside, flexible, ignored = TYPES[answer]
    filters = {"strict": steps((f"(?s){prompt['answer']}", 0), *inside), "flexible": steps(flexible)}
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
        "filter_list": [{"name": extractor, "filter": filters[extractor]} for extractor in filters],
        "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True} | ignored],
        "metadata": {"version": 1.0},
    }


def main(args):
    import yaml

    require_intact(args.data, "format_task")
    require_nothing_inherited(args.model, "lm-evaluation-harness", stated=("repetition_penalty",))
    prompt, settings = json.loads(args.prompt_config), json.loads(args.eval_config)
    task = lm_eval_task(args.task, args.data, prompt, settings, load(json.loads(args.task_config)).answer)
    write_text(args.yaml, yaml.safe_dump(task, sort_keys=False, allow_unicode=True))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", required=True, help="the task's name")
    parser.add_argument("--task-config", required=True, help="the config section `tasks.<task>`, as JSON")
    parser.add_argument("--model", required=True, type=Path, help="directory of the base model, for what it states")
    parser.add_argument("--data", required=True, type=Path, help="formatted problems, JSONL")
    parser.add_argument("--prompt-config", required=True, help="the config section `prompt`, as JSON")
    parser.add_argument("--eval-config", required=True, help="the config section `eval`, as JSON")
    parser.add_argument("--yaml", required=True, type=Path, help="YAML to write")
    run(main, parser)
