"""Hold the numbers of tokens to the limit of the config, and to the tokenizer if its files are here."""

from reasoning.overrides import of_task
from reasoning.policies import measured_tasks

from record.layout import read_samples

REPLACED = "\ufffd"  # decoding's mark for bytes that are no text, which cannot be encoded back


def counter(model):
    """A function from a text to its number of tokens, by the tokenizer in a model's folder; None if there is none."""
    path = model / "tokenizer.json"
    if not path.exists():
        return None
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(path))
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)


def completions(samples, settings):
    """`(name, judged completion, its limit of tokens)` of samples and their draws; `settings` is the section `eval`."""
    for sample in samples:
        yield sample["id"], sample, settings["sampling"]["max_new_tokens"]
        for i, draw in enumerate(sample.get("draws", [])):
            yield f"{sample['id']}.draws.{i}", draw, settings["draws"]["sampling"]["max_new_tokens"]


def check(record, config, results):
    """`(wrong, said)`: completions whose number of tokens, whose truncation or whose cuts cannot be.

    A truncated completion has as many tokens as the limit, another at most as many. With the tokenizer of this
    machine's run: no text, and no text up to a cut, has fewer tokens than the tokenizer makes of it. It may have more,
    because a model may choose other tokens for the same text, or special ones that the text does not show.
    """
    wrong, counted, alike = [], 0, 0
    count = counter(results / "models/base")
    for task in measured_tasks(config):
        settings, prefill = of_task(config, "eval", task), of_task(config, "prompt", task)["prefill"]
        for path in sorted((record / "eval" / task).iterdir()):
            for name, judged, limit in completions(read_samples(record, task, path.name), settings):
                address, tokens = f"eval/{task}/{path.name}/samples.{name}", judged["tokens"]
                if not (tokens == limit if judged["truncated"] else 1 <= tokens <= limit):
                    wrong.append(f"{address}: {tokens} tokens, truncated: {judged['truncated']}, the limit is {limit}")
                text, cuts = judged["completion"].removeprefix(prefill), judged["cuts"]
                if len(cuts) != (tokens - 1).bit_length() or [*cuts, len(text)] != sorted([0, *cuts, len(text)])[1:]:
                    wrong.append(f"{address}: cuts {cuts} of {len(text)} characters and {tokens} tokens")
                if count is None or REPLACED in text:
                    continue
                early = [2**n for n, cut in enumerate(cuts) if count(text[:cut]) > 2**n]
                wrong += [f"{address}: its first {n} tokens make more text than they can" for n in early[:1]]
                expected = count(text) + (not judged["truncated"])  # which ends in a stop token
                counted, alike = counted + 1, alike + (tokens == expected)
                if tokens < expected:
                    wrong.append(f"{address}: {tokens} tokens published, its text has {expected}")
    if count is None:
        return wrong, [f"tokens NOT counted again: {results / 'models/base'} has no tokenizer"]
    return wrong, [f"{alike} of {counted} numbers of tokens are the tokenizer's own"]
