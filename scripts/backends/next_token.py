"""Compare the next-token logits of two models, for `check_merge` and `export_gguf`."""

from backends.tokenizer import batch, token_ids

BATCH = 50  # prompts


def release():
    """Free the models that nothing uses any more, before another one is loaded.

    `share_prefix` makes a model refer to itself, so that without this it would keep the GPU's memory for a while, and
    the next one would find the GPU full.
    """
    import gc

    import torch

    gc.collect()
    torch.cuda.empty_cache()  # does nothing without a GPU


def next_token_logits(policy, tokenizer, chats, label):
    """Logits of the first token of each completion, float32, shape (chats, vocabulary)."""
    import torch
    from stage.screen import progress

    prompts, rows = token_ids(tokenizer, chats), []
    for start in progress(range(0, len(prompts), BATCH), label, -(-len(prompts) // BATCH), "batches"):
        with torch.inference_mode():
            inputs = batch(tokenizer, prompts[start : start + BATCH], policy.device)
            rows.append(policy(**inputs, logits_to_keep=1).logits[:, -1].float().cpu())
    return torch.cat(rows)


def logit_differences(expected, found):
    """How similar the logits are: the share of rows with the same argmax, the largest and the mean difference."""
    distance = (expected - found).abs()
    return {
        "agreement": (expected.argmax(-1) == found.argmax(-1)).float().mean().item(),
        "max_logit_difference": distance.max().item(),
        "mean_logit_difference": distance.mean().item(),
    }
