"""What a training's log says: its curves, and its health. Could it learn something, did engine and trainer agree?"""

import re

# Column of history.csv -> title of its plot, and unit. Quantities that a run did not log are left out.
CURVES = {
    "mean_token_accuracy": ("imitated tokens predicted", "share"),
    "completions/mean_length": ("completion length", "tokens"),
    "entropy": ("entropy", "nats per token"),
    "kl": ("KL to the model at the start", "nats per token"),
    "clip_ratio/region_mean": ("clipped tokens", "share"),
    "frac_reward_zero_std": ("groups without signal", "share"),
    "loss": ("loss", "of its trainer"),
}
REWARD = re.compile(r"rewards/(.+)/mean")  # of the reward of that name; a coin's mean shows nothing


def logged_curves(histories):
    """What trainings logged of CURVES, in that order, and before it every reward."""
    columns = {key for rows in histories.values() for row in rows for key in row if row[key]}
    rewards = [match for match in map(REWARD.fullmatch, sorted(columns)) if match and match[1] != "random"]
    titles = {match[0]: (f"{match[1].rpartition(':')[2]} reward", "mean") for match in rewards}
    return {column: title for column, title in (titles | CURVES).items() if column in columns}


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
