"""Write the evaluation as a task of the AI Security Institute's inspect-ai: same problems, prompts, decoding, judge.

    snakemake --cores 1 results/smollm2-135m-words/inspect/word_problems.py
    inspect eval results/smollm2-135m-words/inspect/word_problems.py --model hf/base \\
        -M model_path=results/smollm2-135m-words/models/base -M do_sample=false

It needs inspect-ai and math-verify; a task that samples is run without the last option. The task reads its problems,
and judges by all extractors with this package's own code, both at paths relative to its file. A prefill is given as the
beginning of the assistant's turn, which only some of inspect-ai's providers continue.
"""

import argparse
import json
import os
from pathlib import Path
from string import Template

from backends.decoding import NEUTRAL, complete
from backends.exports import require_nothing_inherited, require_untold_template
from stage.checksums import require_intact
from stage.files import write_text
from stage.screen import run

TASK = Template('''\
"""An evaluation of build-reasoning-model as a task of inspect-ai: inspect eval <this file> --model <model>"""

import json
import sys
from pathlib import Path

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessageAssistant, ChatMessageSystem, ChatMessageUser, GenerateConfig
from inspect_ai.scorer import Score, accuracy, scorer, stderr

HERE = Path(__file__).resolve().parent
SCRIPTS = str((HERE / $scripts).resolve())
sys.path.insert(0, SCRIPTS)

from reasoning.scoring import judge  # noqa: E402
from tasks import load  # noqa: E402

MODULE = json.loads($module)
ANSWER = load({"module": str(HERE / MODULE) if MODULE.endswith(".py") else MODULE}).answer
PROMPT = json.loads($prompt)
MESSAGES = {"system": ChatMessageSystem, "user": ChatMessageUser, "assistant": ChatMessageAssistant}


def sample(problem):
    """A problem as inspect-ai holds it; the judge reads the rest from its metadata."""
    messages = [MESSAGES[message["role"]](content=message["content"]) for message in problem["prompt"]]
    if PROMPT["prefill"]:
        messages.append(ChatMessageAssistant(content=PROMPT["prefill"]))
    about = {key: problem[key] for key in ("answer", "family", "facts") if key in problem}
    return Sample(id=problem["id"], input=messages, target=problem["answer"], metadata=about)


@scorer(metrics={"*": [accuracy(), stderr()]})
def extractors():
    """What each extractor reads, and whether that is the gold answer."""

    async def score(state, target):
        if SCRIPTS not in sys.path:  # inspect-ai restores it, and math-verify's process inherits it
            sys.path.insert(0, SCRIPTS)
        text = PROMPT["prefill"] + state.output.completion
        about = state.metadata
        judged = judge(state.sample_id, about["answer"], text, 0, False, PROMPT, ANSWER, about.get("facts"))
        value = {name: float(right) for name, right in judged["correct"].items()}
        return Score(value=value, answer=judged["extracted"]["strict"], metadata={"extracted": judged["extracted"]})

    return score


@task(name=$name)
def evaluation():
    lines = (HERE / $data).read_text(encoding="utf-8").splitlines()
    return Task(
        dataset=MemoryDataset([sample(json.loads(line)) for line in lines]),
        scorer=extractors(),
        config=GenerateConfig(**json.loads($decoding)),
    )
''')


def decoding(settings):
    """The fields of inspect-ai's GenerateConfig for the config section `eval`; SystemExit for what it cannot say."""
    sampling = complete(settings["sampling"])
    if sampling["repetition_penalty"] != 1.0:
        raise SystemExit("error: inspect-ai has no repetition_penalty: set eval.sampling.repetition_penalty to 1.0")
    fields = {"max_tokens": sampling["max_new_tokens"], "seed": settings["seed"]}
    return fields | ({key: sampling[key] for key in NEUTRAL} if sampling["do_sample"] else {"temperature": 0.0})


def main(args):
    require_intact(args.data, "format_task")
    require_nothing_inherited(args.model, "inspect-ai")
    prompt = json.loads(args.prompt_config)
    require_untold_template(args.task, prompt, "inspect-ai")

    def beside(path):
        return os.path.relpath(path, args.file.parent)

    module = args.task_module
    values = {
        "name": args.task,
        "scripts": beside(Path(__file__).parent),
        "data": beside(args.data),
        "module": json.dumps(beside(module) if module.endswith(".py") else module),
        "prompt": json.dumps(prompt),
        "decoding": json.dumps(decoding(json.loads(args.eval_config))),
    }
    write_text(args.file, TASK.substitute({name: repr(value) for name, value in values.items()}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", required=True, help="the task's name")
    parser.add_argument("--task-module", default="gsm8k", help="what judges answers: a module of tasks/, or a file")
    parser.add_argument("--model", required=True, type=Path, help="directory of the base model, for what it states")
    parser.add_argument("--data", required=True, type=Path, help="formatted problems, JSONL")
    parser.add_argument("--prompt-config", required=True, help="the config section `prompt`, as JSON")
    parser.add_argument("--eval-config", required=True, help="the config section `eval`, as JSON")
    parser.add_argument("--file", required=True, type=Path, help="Python file to write")
    run(main, parser)
