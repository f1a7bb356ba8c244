"""Lets Unsloth's own code run on a CPU: it finds a GPU, its tensors are on the CPU, and Triton interprets its kernels.

To be imported before torch. The interpreter computes float32 and float16 rightly, and bfloat16 not. vLLM's CPU build is
hidden, because it does not go with Unsloth's patches; `Engine` stands for vLLM.
"""

import importlib.machinery
import importlib.util
import os
import random
import sys
import types

for name in ("UNSLOTH_ALLOW_CPU", "TRITON_INTERPRET", "UNSLOTH_COMPILE_DISABLE", "TORCHDYNAMO_DISABLE"):
    os.environ[name] = "1"
os.environ["TORCH_COMPILE_DISABLE"] = "1"
os.environ["UNSLOTH_GRPO_PREFIX_GROUPER"] = "0"  # its FlexAttention has no backward pass on a CPU

import torch  # noqa: E402

PROPERTIES = types.SimpleNamespace(
    name="a CPU in place of a GPU",
    total_memory=16 * 2**30,
    major=8,
    minor=0,
    multi_processor_count=1,
    gcnArchName="",
    shared_memory_per_block_optin=101376,
    warp_size=32,
)


def caller():
    return sys._getframe(2).f_globals.get("__name__", "")


def pretend():
    """Tell Unsloth and our backend, and nobody else, that there is a GPU."""
    told = ("backends.train_unsloth", "unsloth.models._utils")
    torch.cuda.is_available = lambda: caller() in told
    torch.cuda.device_count = lambda: int(caller().startswith("unsloth"))
    torch.cuda.get_device_capability = lambda *_, **__: (PROPERTIES.major, PROPERTIES.minor)
    torch.cuda.get_device_name = lambda *_, **__: PROPERTIES.name
    torch.cuda.current_device = lambda *_, **__: 0
    torch.cuda.is_bf16_supported = lambda *_, **__: True
    torch.cuda.synchronize = torch.cuda.empty_cache = lambda *_, **__: None
    torch.cpu.synchronize = torch.cpu.empty_cache = lambda *_, **__: None
    torch._C._cuda_getCurrentRawStream = lambda _: 0
    for place in (torch.cuda, torch.cpu):
        place.get_device_properties = lambda *_, **__: PROPERTIES
        place.mem_get_info = lambda *_, **__: (12 * 2**30, 16 * 2**30)


class Finder:
    """Hides vLLM, and names the CPU where Unsloth keeps the name of its device."""

    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "vllm":
            raise ModuleNotFoundError(name)
        if name not in ("unsloth.device_type", "unsloth_zoo.device_type"):
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        run = spec.loader.exec_module

        def exec_module(module):
            run(module)
            module.DEVICE_TYPE_TORCH = "cpu"

        spec.loader.exec_module = exec_module
        return spec


class OnCPU(torch.overrides.TorchFunctionMode):
    """Puts what is meant for a GPU on the CPU."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if isinstance(kwargs.get("device"), int) or str(kwargs.get("device")).startswith("cuda"):
            kwargs["device"] = "cpu"
        if function is torch.device and isinstance(args[0], int):
            args = ("cpu", 0)
        return function(*args, **kwargs)


pretend()
sys.meta_path.insert(0, Finder())
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name.split(".")[0] == "vllm" else found(name, *rest)
OnCPU().__enter__()


class Engine:
    """Stands for vLLM's LLM that shares the policy's weights: random completions, scored by the policy itself.

    As vLLM's, it seeds the process with a seed of its own when it is made, and draws from numpy.
    """

    shared_weights, llm_engine, policy = True, None, None

    def __init__(self):
        import numpy

        torch.manual_seed(0), numpy.random.seed(0), random.seed(0)
        self.calls = []

    def get_tokenizer(self):
        return None

    def generate(self, prompts, sampling_params=None, use_tqdm=None, lora_request=None):
        import numpy

        norms = [v.float().norm().item() for k, v in lora_request.tensors.items() if "lora_B" in k]
        outputs, drawn = [], []
        for prompt in prompts:
            ids = [*numpy.random.randint(5, 250, numpy.random.randint(2, 8)).tolist(), 0]
            x = torch.tensor([[*prompt["prompt_token_ids"], *ids]])
            with torch.no_grad():
                logits = self.policy(x, attention_mask=torch.ones_like(x), logits_to_keep=len(ids) + 1).logits
            scores = logits[0, :-1].float().log_softmax(-1)
            scored = [{t: types.SimpleNamespace(rank=1, logprob=scores[i, t].item())} for i, t in enumerate(ids)]
            completion = types.SimpleNamespace(token_ids=ids, logprobs=scored)
            outputs.append(types.SimpleNamespace(prompt_token_ids=prompt["prompt_token_ids"], outputs=[completion]))
            drawn.append(ids)
        self.calls.append({"tensors": len(norms), "norm": sum(norms), "drawn": drawn, **vars(sampling_params)})
        return outputs


class LoRARequest:
    """Stands for vLLM's, with a copy of the tensors that it is made of."""

    def __init__(self, name, id, path=None, lora_tensors=None, lora_config=None):
        self.tensors = {key: value.detach().clone() for key, value in lora_tensors.items()}


def patch_unsloth(engines):
    """What `import unsloth` does with a GPU: its trainer in place of TRL's; and engines in place of vLLM's.

    Each model that is loaded with fast_inference gets an engine, which is appended to `engines`.
    """
    import unsloth
    from unsloth.models.rl import _patch_trl_rl_trainers, patch_trl_vllm_generation

    _patch_trl_rl_trainers("grpo_trainer")
    patch_trl_vllm_generation()
    import trl.generation.vllm_generation as generation
    import unsloth.models._utils as utils
    import unsloth_zoo.vllm_utils as zoo

    utils.patch_unsloth_smart_gradient_checkpointing = lambda **_: None  # it moves activations by CUDA's streams
    generation.is_vllm_available = lambda *_: True
    generation.SamplingParams, generation.LLM = types.SimpleNamespace, None
    request = types.ModuleType("vllm.lora.request")
    request.LoRARequest = LoRARequest
    sys.modules |= {"vllm": types.ModuleType("vllm"), "vllm.lora": types.ModuleType("vllm.lora")}
    sys.modules["vllm.lora.request"] = request
    zoo.LORA_REQUEST_ID, zoo._check_lora_is_servable = None, lambda *_, **__: None
    model = unsloth.FastLanguageModel
    load, adapt = model.from_pretrained, model.get_peft_model

    def from_pretrained(*arguments, **options):
        policy, tokenizer = load(*arguments, **options | {"fast_inference": False})
        if options.get("fast_inference"):
            policy.vllm_engine = Engine()
            engines.append(policy.vllm_engine)
            policy.fast_generate, policy.fast_generate_batches = policy.vllm_engine.generate, None
        return policy, tokenizer

    def get_peft_model(policy, **options):
        engine = getattr(policy, "vllm_engine", None)
        adapted = adapt(policy, **options)
        if engine:
            engine.policy = adapted
        return adapted

    model.from_pretrained, model.get_peft_model = staticmethod(from_pretrained), staticmethod(get_peft_model)
