"""Write the evaluation as a task of EleutherAI's lm-evaluation-harness: same problems, prompt, decoding and extractors.

    snakemake --cores 1 results/smollm2-135m-words/lm_eval/word_problems.yaml
    lm_eval --model hf --model_args pretrained=results/smollm2-135m-words/models/base,dtype=float32 \\
        --include_path results/smollm2-135m-words/lm_eval --tasks word_problems --apply_chat_template --log_samples

Run it in Snakemake's folder: the task's path to its problems is relative to that. The harness's own regular expressions
would take 18.0, +18 and 018 for other numbers than 18, so a file beside the task has filters, which read completions
with this package's code, at a path relative to that file; math_verify needs the package math-verify. The harness then
compares texts. Tasks whose answers cannot be compared in that way are not exported: expressions, and what a task judges
itself.
"""

import argparse
import json
import os
from pathlib import Path
from string import Template

from answers import choice, number, text
from backends.decoding import complete
from backends.exports import require_nothing_inherited, require_untold_template
from stage.checksums import require_intact
from stage.files import write_text
from stage.screen import run
from tasks import load

FILTERS = Template('''\
"""The extractors of build-reasoning-model as filters of lm-evaluation-harness, for the task beside this file."""

import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str((HERE / $scripts).resolve()))

from tasks import load  # noqa: E402

MODULE = json.loads($module)
ANSWER = load({"module": str(HERE / MODULE) if MODULE.endswith(".py") else MODULE}).answer
PROMPT = json.loads($prompt)


def reading(extractor):
    """A filter that turns the completions of each problem into what an extractor reads in them."""

    def read(text):
        return extractor(PROMPT["prefill"] + text, PROMPT["answer"]) or "[invalid]"

    return lambda completions, problems: [list(map(read, each)) for each in completions]


globals().update({name: reading(extractor) for name, extractor in ANSWER.EXTRACTORS.items()})
''')


class Function(str):
    """`<file>.<name>`, a function in a file beside the task, which YAML has as `!function <file>.<name>`."""


def require_equal_judge(name, answer):
    """Stop if the harness would judge the answers of a task otherwise."""
    if answer not in (number, choice, text):  # those whose readings are equal if they are the same text
        raise SystemExit(
            f"error: lm-evaluation-harness would judge the answers of task {name} otherwise: it compares numbers, "
            "choices and texts as this package does, but no expressions and not by a task's own judge; evaluate it here"
        )


def lm_eval_task(name, data, prompt, settings, answer=number):
    """The task as a dict to write as YAML; `prompt` and `settings` are the config sections `prompt` and `eval`.

    `answer` is the type of its answers. SystemExit if the harness would judge these or prompt the model otherwise.
    """
    require_equal_judge(name, answer)
    require_untold_template(name, prompt, "lm-evaluation-harness")
    sampling = complete(settings["sampling"])
    examples = [{"prompt": [{"content": e["question"]}], "answer": e["completion"]} for e in prompt["examples"]]
    filters = {extractor: {"filter_fn": Function(f"{name}.{extractor}")} for extractor in answer.EXTRACTORS}
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
            {"name": extractor, "filter": [{"function": "custom"} | given, {"function": "take_first"}]}
            for extractor, given in filters.items()
        ],
        "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
        "metadata": {"version": 2.0},
    }


def main(args):
    import yaml

    require_intact(args.data, "format_task")
    require_nothing_inherited(args.model, "lm-evaluation-harness", stated=("repetition_penalty",))
    prompt, settings = json.loads(args.prompt_config), json.loads(args.eval_config)
    given = json.loads(args.task_config)
    task = lm_eval_task(args.task, args.data, prompt, settings, load(given).answer)

    def beside(path):
        return os.path.relpath(path, args.filters.parent)

    module = given.get("module", "gsm8k")
    values = {
        "scripts": beside(Path(__file__).parent),
        "module": json.dumps(beside(module) if module.endswith(".py") else module),
        "prompt": json.dumps(prompt),
    }
    yaml.SafeDumper.add_representer(Function, lambda dumper, name: dumper.represent_scalar("!function", name))
    write_text(args.filters, FILTERS.substitute({name: repr(value) for name, value in values.items()}))
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
    parser.add_argument("--filters", required=True, type=Path, help="Python file to write, <task>.py beside the YAML")
    run(main, parser)
