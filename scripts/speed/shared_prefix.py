"""Compute a prefix that rows of a batch share only once.

All prompts of a run share the chat's opening and its worked examples, and the completions of a group share their whole
prompt. These prefixes are most of the tokens of a GRPO step. Each is computed for one row, and its keys and values are
selected for the rows that continue it. This works for generation, and also for training, because gradients flow through
the selection. Results are the same up to rounding, for a fraction of the work. The idea is that of Prefix Grouper (Liu
et al. 2025, arXiv:2506.05433).
"""

from itertools import pairwise
from os.path import commonprefix


def share_prefix(policy):
    """Make a causal language model compute shared prefixes once; returns it.

    Applies to `policy.generate` and to the backbone's forward pass over whole batches, which must be padded and have an
    attention mask that is 1 for tokens. The positions, shapes and order of their outputs do not change.
    """
    import torch
    from transformers import DynamicCache

    from speed.growing_cache import growing_cache

    backbone = policy.base_model
    forward, generate = backbone.forward, policy.generate

    def lay_out(ids, mask):
        """Move left padding behind the prefix that all rows share: [shared, padding, rest].

        Returns the length of the shared prefix, and for each position of the new layout the column it came from.
        """
        rows = [row[real.bool()].tolist() for row, real in zip(ids, mask, strict=True)]
        length = len(commonprefix([*rows, min(rows, key=len)[:-1]]))
        padding, column = mask.argmax(1)[:, None], torch.arange(ids.shape[1], device=ids.device)
        source = torch.where(column < length, column + padding, column - length)
        return length, torch.where(column < padding + length, source, column)

    def distinct(rows):
        """The index of the first of each distinct row, and for every row, which distinct row it equals."""
        unique, inverse = torch.unique(rows, dim=0, return_inverse=True)
        first = torch.full((len(unique),), len(rows), device=rows.device)
        return first.scatter_reduce(0, inverse, torch.arange(len(rows), device=rows.device), "amin"), inverse

    def compute(ids, mask, cuts, cache):
        """Hidden states of all rows; between two cuts, rows that are equal up to the second one are computed once.

        ids and mask: (rows, columns); cuts: ascending columns, the last is the number of columns; cache: an empty
        cache, which is filled for all rows.
        """
        states, inverse = [], None
        tokens, positions = ids * 2 + mask, mask.cumsum(1) - 1
        for start, end in pairwise([0, *cuts]):
            first, continued = distinct(tokens[:, :end])
            if inverse is not None:
                cache.batch_select_indices(inverse[first])
            output = forward(
                input_ids=ids[first, start:end],
                attention_mask=mask[first, :end],
                position_ids=positions[first, start:end],
                past_key_values=cache,
                use_cache=True,
            )
            states.append(output.last_hidden_state[continued])
            inverse = continued
        cache.batch_select_indices(inverse)
        output.last_hidden_state = torch.cat(states, 1)
        return output

    def branching(ids, mask, start):
        """The cheapest column at which to switch from distinct prefixes to single rows."""
        tokens, (rows, end) = ids * 2 + mask, ids.shape
        cost = {cut: len(torch.unique(tokens[:, :cut], dim=0)) * (cut - start) for cut in range(start + 1, end)}
        return min(cost, key=lambda cut: cost[cut] + rows * (end - cut), default=start)

    def shared_forward(input_ids=None, attention_mask=None, past_key_values=None, **options):
        whole_batch = past_key_values is None and attention_mask is not None and len(input_ids) > 1
        length, source = lay_out(input_ids, attention_mask) if whole_batch else (0, None)
        if not length:
            return forward(
                input_ids=input_ids, attention_mask=attention_mask, past_key_values=past_key_values, **options
            )
        ids, mask = input_ids.gather(1, source), attention_mask.gather(1, source)
        cuts = sorted({length, branching(ids, mask, length), ids.shape[1]})
        output = compute(ids, mask, cuts, DynamicCache(config=policy.config))
        back = source.argsort(1)[..., None].expand_as(output.last_hidden_state)
        output.last_hidden_state = output.last_hidden_state.gather(1, back)
        output.past_key_values = None
        return output

    def shared_generate(input_ids, attention_mask, **options):
        length, source = lay_out(input_ids, attention_mask)
        if not length or len(input_ids) == 1:
            return generate(input_ids, attention_mask=attention_mask, **options)
        ids, mask = input_ids.gather(1, source), attention_mask.gather(1, source)
        last = ids.shape[1] - 1  # generate computes the last column itself
        cache = growing_cache(policy.config)
        with torch.no_grad():
            compute(ids[:, :last], mask[:, :last], sorted({length, last}), cache)
        output = generate(ids, attention_mask=mask, past_key_values=cache, **options)
        return torch.cat([input_ids, output[:, input_ids.shape[1] :]], 1)

    backbone.forward, policy.generate = shared_forward, shared_generate
    return policy
