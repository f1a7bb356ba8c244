"""Compute what the rows of a batch begin with once, and not once a row.

All prompts of a run share the chat's opening and its worked examples, often more than half of the tokens. Keys and
values of that prefix are computed for one row and repeated for the others, in generation and, as gradients flow through
the repetition, in training: the same numbers up to rounding, for about half the work. The idea is that of Prefix
Grouper (Liu et al. 2025, arXiv:2506.05433).
"""

from os.path import commonprefix


def share_prefix(policy):
    """Make a causal language model compute shared prefixes once; returns it.

    Applies to `policy.generate` and to the backbone's forward pass over whole batches, which must be padded with an
    attention mask of ones for tokens. Positions, shapes and order of what they return stay as they were.
    """
    import torch
    from transformers import DynamicCache

    backbone = policy.base_model
    forward, generate = backbone.forward, policy.generate

    def shared(input_ids, attention_mask):
        """(length of the shared prefix, mask for the layout [prefix, padding, rest], padding of each row).

        In that layout the rest stands in the columns where it stood; only prefix and padding change places.
        """
        padding = attention_mask.argmax(1)
        rows = [row[mask.bool()].tolist() for row, mask in zip(input_ids, attention_mask, strict=True)]
        length = len(commonprefix([*rows, min(rows, key=len)[:-1]]))
        mask, column = attention_mask.clone(), torch.arange(input_ids.shape[1], device=input_ids.device)
        mask[:, :length] = 1
        mask[(column >= length) & (column < padding[:, None] + length)] = 0
        return length, mask, padding

    def compute(prefix, rows):
        """Hidden states of the prefix, and its cache repeated for so many rows."""
        cache = DynamicCache(config=policy.config)
        output = forward(input_ids=prefix[None], past_key_values=cache, use_cache=True)
        cache.batch_repeat_interleave(rows)
        return output.last_hidden_state, cache

    def shared_forward(input_ids=None, attention_mask=None, past_key_values=None, **options):
        whole_batch = past_key_values is None and attention_mask is not None and len(input_ids) > 1
        length, mask, padding = shared(input_ids, attention_mask) if whole_batch else (0, None, None)
        if not length:
            return forward(
                input_ids=input_ids, attention_mask=attention_mask, past_key_values=past_key_values, **options
            )
        prefix, cache = compute(input_ids[0, padding[0] : padding[0] + length], len(input_ids))
        positions = (mask.cumsum(1) - 1)[:, length:]
        options |= {"past_key_values": cache, "position_ids": positions, "use_cache": True}
        output = forward(input_ids=input_ids[:, length:], attention_mask=mask, **options)
        states = torch.cat([prefix.expand(len(input_ids), -1, -1), output.last_hidden_state], 1)
        column = torch.arange(input_ids.shape[1], device=input_ids.device)
        in_prefix = (column >= padding[:, None]) & (column < padding[:, None] + length)
        source = torch.where(in_prefix, column - padding[:, None], column)
        output.last_hidden_state = states[torch.arange(len(states), device=states.device)[:, None], source]
        output.past_key_values = None
        return output

    def shared_generate(input_ids, attention_mask, **options):
        length, mask, padding = shared(input_ids, attention_mask)
        if not length or len(input_ids) == 1:
            return generate(input_ids, attention_mask=attention_mask, **options)
        prefix = input_ids[0, padding[0] : padding[0] + length]
        with torch.no_grad():
            _, cache = compute(prefix, len(input_ids))
        laid_out = torch.cat([prefix.expand(len(input_ids), -1), input_ids[:, length:]], 1)
        output = generate(laid_out, attention_mask=mask, past_key_values=cache, **options)
        return torch.cat([input_ids, output[:, input_ids.shape[1] :]], 1)

    backbone.forward, policy.generate = shared_forward, shared_generate
    return policy
