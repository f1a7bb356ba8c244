"""Compare the forecasts that a run shows with what it then took, in a fresh copy of the repository.

    python bench/measure_forecast.py [snakemake arguments] >forecast.json      # the default run: 10 to 20 minutes

Only a forecast that is `whole`, and leaves out nothing that is not known yet, has an error to speak of. Prints
`{forecasts: [{line, forecast_s, took_s, error, whole}], total_s, costs}`; `error` is relative to the time taken.
"""

import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measure_planning import clone

FORECAST = re.compile(r"\s*forecast: (?:(\d+) min )?(\d+) s to go")


def seconds(line):
    """The seconds that a line forecasts, None if it is another line."""
    match = FORECAST.match(line)
    return match and 60 * int(match[1] or 0) + int(match[2])


def main(arguments):
    shown, costs = [], None
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, "checkout")
        clone(place)
        start = time.monotonic()
        command = ["snakemake", *(arguments or ["--cores", "1"])]
        with subprocess.Popen(command, cwd=place, stdout=subprocess.PIPE, text=True) as process:
            for line in process.stdout:
                print(line, end="", file=sys.stderr, flush=True)
                if (found := seconds(line)) is not None:
                    shown.append((line.strip(), found, time.monotonic()))
                costs = line.strip() if line.startswith("took ") else costs
        end = time.monotonic()
    forecasts = [
        {"line": line, "forecast_s": found, "took_s": round(end - at, 1), "error": round(found / (end - at) - 1, 3)}
        | {"whole": "will say" not in line}
        for line, found, at in shown
    ]
    print(json.dumps({"forecasts": forecasts, "total_s": round(end - start, 1), "costs": costs}, indent=2))
    return process.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
