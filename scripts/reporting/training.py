"""What a training's log says of its health: was there something to learn from, and did engine and trainer agree?"""

# Words for a table's columns, and the column of history.csv of which they are the mean over all steps.
WATCHED = {
    "groups tied": "frac_reward_zero_std",
    "completions truncated": "completions/clipped_ratio",
    "left out": "masked",
    "tokens clipped": "clip_ratio/region_mean",
    "vLLM apart": "sampling/sampling_logp_difference/mean",
    "least weight": "sampling/importance_sampling_ratio/min",
}


def health(rows):
    """`{word: value}` of WATCHED, from the rows of a history.csv; what was not logged is left out.

    Shares are between 0 and 1, "vLLM apart" is in nats per token. "least weight" is the smallest that vLLM's
    completions got in the loss: at 0 some were left out.
    """
    found = {}
    for word, column in WATCHED.items():
        values = [float(row[column]) for row in rows if row.get(column) not in ("", None)]
        if values:
            found[word] = min(values) if word == "least weight" else sum(values) / len(values)
    return found
