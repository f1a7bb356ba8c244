"""A sweep's table: every setting on dev, the best one first, and the chosen one on the test split."""

import csv
import io

from reporting.words import change_in_words, percent


def rows(choice, split, score):
    """Every setting on dev, the chosen one first, and then the chosen one's `score` on `split`.

    A row is `{setting, axis: value, …, split, seeds, n, mean, sd, difference, low, high}`. Means are proportions;
    differences are against the base model, with 95 % intervals for other seeds and problems.
    """
    order = sorted(
        choice["settings"].items(), key=lambda item: (item[0] != choice["chosen"], -item[1]["score"]["mean"])
    )
    found = [{"setting": name} | each["values"] | {"split": choice["split"]} | each["score"] for name, each in order]
    return [*found, {"setting": choice["chosen"]} | order[0][1]["values"] | {"split": split} | score]


def csv_text(found):
    """The table as CSV."""
    out = io.StringIO()
    writer = csv.DictWriter(out, found[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(found)
    return out.getvalue()


def plain_text(found, headline):
    """The table for the terminal."""
    width = max(len(row["setting"]) for row in found)
    *tried, chosen = [
        f"{row['setting']:<{width}}  {row['split']:<5}{row['seeds']:>6}{row['n']:>6}{percent(row['mean']):>7}  "
        f"{change_in_words(row)}\n"
        for row in found
    ]
    head = f"{'setting':<{width}}  {'split':<5}{'seeds':>6}{'n':>6}{'%':>7}  change, 95 % interval\n"
    words = f"{headline}; change is against base; chosen on {found[0]['split']}: {found[-1]['setting']}\n"
    return "".join([head, *tried, words, chosen])
