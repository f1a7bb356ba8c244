"""Supervised fine-tuning by TRL's SFTTrainer: imitate worked solutions, or a teacher's right completions."""

from backends.chat_template import end_of_turn
from backends.decoding import stop_tokens
from backends.tokenizer import load_tokenizer, token_ids
from reasoning.answer import strict_score
from reasoning.training import arguments
from stage.files import write_jsonl

from trainers import configured

NOTHING_LEARNED = "the loss had no gradient: raise train.sft.learning_rate or train.sft.max_steps"


def require_right(demonstrations, prompt, answer):
    """Stop if a demonstration is not what the rewards and the metric would call right, or lacks the prefill."""
    for one in demonstrations:
        if strict_score(answer, one["completion"], one, prompt) < 1:
            raise SystemExit(
                f"error: problem {one['id']}: train.solution writes {one['completion']!r}, in which prompt.answer does "
                f"not find the answer {one['answer']}: make train.solution and prompt.answer agree"
            )
        if not one["completion"].startswith(prompt["prefill"]):
            raise SystemExit(
                f"error: problem {one['id']}: a completion to imitate does not begin with prompt.prefill "
                f"{prompt['prefill']!r}: let train.solution begin with it"
            )


def tokenised(training):
    """`[{input_ids, labels}]` of the demonstrations: the prompt as evaluation gives it, the completion, and its end.

    The labels of the prompt are -100, which the loss leaves out.
    """
    tokenizer = load_tokenizer(training.model, training.prompt)
    end = end_of_turn(tokenizer, stop_tokens(training.model, tokenizer))
    chats = token_ids(tokenizer, [one["prompt"] for one in training.demonstrations])
    texts = [one["completion"].removeprefix(training.prompt["prefill"]) for one in training.demonstrations]
    completions = [[*ids, end] for ids in tokenizer(texts, add_special_tokens=False)["input_ids"]]
    return [
        {"input_ids": chat + completion, "labels": [-100] * len(chat) + completion}
        for chat, completion in zip(chats, completions, strict=True)
    ]


def for_backend(training):
    """The settings as a backend reads them: the batches of this trainer, and no rollouts."""
    require_right(training.demonstrations, training.prompt, training.answer)
    longest = max(sum(label != -100 for label in row["labels"]) for row in tokenised(training))
    none = {"use_vllm": False, "steps_per_generation": 0, "max_completion_length": longest}
    return training.settings | {"grpo": arguments(training.settings) | none}


def count_on(trainer):
    """After resuming, go on with the log's number of tokens, which TRL 1.15 and 1.16 keep in no checkpoint."""
    from transformers import TrainerCallback

    if not hasattr(trainer, "_total_train_tokens"):
        raise SystemExit(
            "error: TRL's SFTTrainer has no _total_train_tokens, which counts the log's tokens: use the locked TRL, or "
            "change count_on in scripts/trainers/sft.py"
        )

    class CountOn(TrainerCallback):
        def on_train_begin(self, args, state, control, **_):
            if counted := [row["num_tokens"] for row in state.log_history if "num_tokens" in row]:
                trainer._total_train_tokens = int(counted[-1])

    trainer.add_callback(CountOn())


def make(policy, tokenizer, training, extra):
    """`(trainer, wanted)`: an SFTTrainer and the arguments that were asked for.

    It reads the demonstrations in their order, and again from the first one after the last.
    """
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    own = training.own | {"max_length": None, "packing": False, "train_sampling_strategy": "sequential"}
    args, wanted = configured(SFTConfig, own, arguments(training.settings))
    problems = {one["id"] for one in training.demonstrations}
    print(f"{len(training.demonstrations)} completions of {len(problems)} problems to imitate")
    print(f"The first: {training.demonstrations[0]['completion']!r}")
    rows = Dataset.from_list(tokenised(training))
    trainer = SFTTrainer(model=policy, processing_class=tokenizer, args=args, train_dataset=rows, **extra)
    count_on(trainer)
    return trainer, wanted


def keep_texts(training, working, folder):
    """Keep what was imitated in the adapter's folder, as demonstrations.jsonl."""
    kept = [{key: one[key] for key in ("id", "completion")} for one in training.demonstrations]
    write_jsonl(folder / "demonstrations.jsonl", kept)
