"""What surrounds the trainer: did it train, with the settings that were asked for, and in how much memory?"""

import runpy
import types
from collections import deque

import pytest
import torch
from answers.judged import Judged
from backends.gpu_memory import KL_POSITIONS, KL_ROLLOUTS
from backends.tokenizer import load_tokenizer, token_ids
from peft import LoraConfig, get_peft_model
from reasoning.rewards import reward_functions
from torch.utils._python_dispatch import TorchDispatchMode
from trainers.grpo import NOTHING_LEARNED, columns, log_kl
from transformers import AutoModelForCausalLM

TRAIN = runpy.run_path("scripts/train.py")


class Policy(torch.nn.Module):
    """Two of an adapter's matrices, the B with given values."""

    def __init__(self, values):
        super().__init__()
        self.lora_A = torch.nn.Parameter(torch.ones(4))
        self.lora_B = torch.nn.Parameter(torch.tensor(values))


@pytest.mark.parametrize("values", [[0.0, 0.0, 0.0], [0.5, -0.25, 1.0]])
@pytest.mark.parametrize(("gradient", "learned"), [(0.0, False), (1.0, True)])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_learning(values, gradient, learned, decay):
    """B is zero by default, and not with `init_lora_weights: pissa`; weight decay alone is no learning."""
    policy = Policy(values)
    before = TRAIN["adapter_values"](policy)
    optimizer = torch.optim.AdamW(policy.parameters(), lr=1e-4, weight_decay=decay)
    for _ in range(20):
        policy.lora_A.grad = torch.full((4,), gradient)
        policy.lora_B.grad = gradient * torch.tensor([1.0, 1.0, -1.0])
        optimizer.step()
    if learned:
        TRAIN["require_learning"](policy, before, NOTHING_LEARNED)
    else:
        with pytest.raises(SystemExit, match="error: training changed nothing"):
            TRAIN["require_learning"](policy, before, NOTHING_LEARNED)


def test_requested():
    """Evaluation during training, of which there is none, is the trainer's own."""
    wanted = {"beta": 0.0, "bf16_full_eval": False, "fp16_full_eval": False}
    TRAIN["require_requested"](wanted, wanted | {"bf16_full_eval": True, "more": 1})
    with pytest.raises(SystemExit, match="error: the backend changes the training settings, beta from 0.0 to 0.04"):
        TRAIN["require_requested"](wanted, wanted | {"beta": 0.04})


class Float32(TorchDispatchMode):
    """Notes how many rows of `columns` values the largest float32 result has."""

    def __init__(self, columns):
        super().__init__()
        self.columns, self.rows = columns, 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor) and result.dtype == torch.float32 and result.shape[-1:] == (self.columns,):
            self.rows = max(self.rows, result.numel() // self.columns)
        return result


def test_kl(tiny_model):
    """KL(policy || base) of the logged rollouts, without all positions' logits in float32, as in the GPU's estimate."""
    tokenizer = load_tokenizer(tiny_model)
    policy = get_peft_model(
        AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.bfloat16),
        LoraConfig(task_type="CAUSAL_LM", r=4, target_modules=["q_proj", "down_proj"]),
    )
    torch.manual_seed(0)
    for name, value in policy.named_parameters():
        if "lora_B" in name:
            value.data.normal_(0, 0.5)
    chats = [[{"role": "user", "content": text}] for text in ("1 + 1", "20 + 30")]
    completions = [torch.randint(4, 260, (length,)).tolist() for length in (3 * KL_POSITIONS, 2 * KL_POSITIONS)]
    added = []
    trainer = types.SimpleNamespace(model=policy.eval(), add_callback=added.append)
    log_kl(trainer, tokenizer, deque([(chats, completions)]))
    logged = types.SimpleNamespace(log_history=[{}])
    with Float32(policy.config.vocab_size) as seen:
        added[0].on_log(types.SimpleNamespace(beta=0.0), logged, None, logs={"reward": 1.0})
    total = 0.0
    with torch.no_grad():
        for prompt, completion in zip(token_ids(tokenizer, chats), completions, strict=True):
            ids = torch.tensor([[*prompt, *completion]])
            a = policy(ids).logits[0, len(prompt) - 1 : -1].double().log_softmax(-1)
            with policy.disable_adapter():
                b = policy(ids).logits[0, len(prompt) - 1 : -1].double().log_softmax(-1)
            total += (a.exp() * (a - b)).sum().item()
    assert logged.log_history[0]["kl"] == pytest.approx(total / sum(map(len, completions)), rel=0.02)
    assert 0 < seen.rows <= KL_ROLLOUTS * KL_POSITIONS


@pytest.mark.parametrize("problems", [(0, 1), (1, 0)])
def test_facts_of_some_records_only(problems):
    """They reach the task's judge, whichever record comes first."""
    from datasets import Dataset

    seen = []

    def judge(answer, problem):
        seen.append(problem["facts"])
        return 1.0

    records = [{"facts": {"unit": "cm"}, "id": "a"}, {"id": "b"}]
    shared = {"prompt": [{"role": "user", "content": "1 + 1?"}], "answer": "2", "steps": []}
    rows = list(Dataset.from_list([columns(records[i] | shared) for i in problems]))
    given = {key: [row[key] for row in rows] for key in ("answer", "steps", "facts")}
    kind = Judged(judge, lambda function, *arguments: function(*arguments))
    prompt = {"prefill": "", "answer": "#### (.*)"}
    (accuracy,), _ = reward_functions({"accuracy": 1.0}, prompt, 0, deque(maxlen=1), kind)
    completions = [[{"content": "#### 2"}]] * 2
    assert accuracy([row["prompt"] for row in rows], completions, [[1]] * 2, trainer_state=None, **given) == [1.0, 1.0]
    assert seen == [records[i].get("facts") for i in problems]
