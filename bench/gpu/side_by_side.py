"""GRPO as TRL's and Unsloth's own documentation writes it, timed: python bench/gpu/side_by_side.py --loop trl ...

The same model, problems, batch, lengths and steps as a step of this package; everything else is the library's default.
`first_hour.py` runs it in the same process environment as the package's own steps.
"""

import argparse
import json
import time
from pathlib import Path


def unsloth_first(args, settings):
    """The model and tokenizer of Unsloth's GRPO notebooks, with an adapter; imported before TRL, which it patches."""
    from unsloth import FastLanguageModel

    length = settings["prompt_tokens"] + settings["max_completion_length"]
    model, tokenizer = FastLanguageModel.from_pretrained(
        model_name=str(args.model),
        max_seq_length=length,
        load_in_4bit=False,
        fast_inference=True,
        max_lora_rank=settings["r"],
        gpu_memory_utilization=settings["vllm_gpu_memory_utilization"],
    )
    model = FastLanguageModel.get_peft_model(
        model,
        r=settings["r"],
        lora_alpha=settings["lora_alpha"],
        target_modules=settings["target_modules"],
        use_gradient_checkpointing="unsloth",
        random_state=3407,
    )
    return {"model": model, "processing_class": tokenizer}


def trl_example(args, settings):
    """The arguments of the example in TRL's documentation of GRPOTrainer, with PEFT."""
    from peft import LoraConfig

    lora = {key: settings[key] for key in ("r", "lora_alpha", "target_modules")}
    return {"model": str(args.model), "peft_config": LoraConfig(task_type="CAUSAL_LM", **lora)}


LOOPS = {"trl": trl_example, "unsloth": unsloth_first}


def reward_length(completions, **_):
    """A reward that costs nothing to compute."""
    return [-abs(50 - len(completion[0]["content"])) / 50 for completion in completions]


def main(args):
    settings = json.loads(args.settings)
    given = LOOPS[args.loop](args, settings)

    import torch
    from datasets import Dataset
    from transformers import TrainerCallback
    from trl import GRPOConfig, GRPOTrainer

    moments = []

    class Clock(TrainerCallback):
        def on_step_begin(self, *_, **__):
            moments.append(time.monotonic())

        def on_train_end(self, *_, **__):
            moments.append(time.monotonic())

    chats = [json.loads(line)["prompt"] for line in args.data.open()]
    keys = ("per_device_train_batch_size", "gradient_accumulation_steps", "num_generations", "max_completion_length")
    keys += ("max_steps", "learning_rate", "use_vllm", "vllm_gpu_memory_utilization", "use_cpu", "bf16", "fp16")
    own = {key: settings[key] for key in keys if key in settings}
    arguments = GRPOConfig(output_dir=str(args.out.parent / "trainer"), report_to=[], logging_steps=1, **own)
    trainer = GRPOTrainer(
        reward_funcs=reward_length,
        args=arguments,
        train_dataset=Dataset.from_list([{"prompt": chat} for chat in chats]),
        callbacks=[Clock()],
        **given,
    )
    trainer.train()
    steps = [later - earlier for earlier, later in zip(moments, moments[1:], strict=False)]
    peak = torch.cuda.max_memory_reserved() if torch.cuda.is_available() else None
    tokens = max(row.get("num_tokens", 0) for row in trainer.state.log_history)
    args.out.write_text(json.dumps({"step_s": steps, "memory": {"peak_bytes": peak}, "num_tokens": tokens}) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loop", required=True, choices=LOOPS)
    parser.add_argument("--model", required=True, type=Path)
    parser.add_argument("--data", required=True, type=Path, help="formatted problems, JSONL")
    parser.add_argument("--settings", required=True, help="fields of GRPOConfig and LoraConfig, as JSON")
    parser.add_argument("--out", required=True, type=Path, help="JSON to write")
    main(parser.parse_args())
