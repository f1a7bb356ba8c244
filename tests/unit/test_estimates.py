"""What the documentation says that GPU runs should take is what the program computes."""

import re
import subprocess
import sys
from pathlib import Path

import yaml


def estimates(*options):
    """What the program prints."""
    command = [sys.executable, "bench/gpu/estimates.py", *options]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_presets_ask_for_what_is_estimated():
    """Of a cluster, in the words of the program."""
    name, *more = re.split(r"(?m)^# (config/.*)\n", estimates("--resources"))[1:]
    sections = dict(zip([name, *more[1::2]], more[::2], strict=True))
    assert len(sections) >= 6
    for path, section in sections.items():
        text = Path(path).read_text()
        assert section.strip() in text, f"write what python bench/gpu/estimates.py --resources prints into {path}"
        asked = yaml.safe_load(section)["resources"]
        assert asked["train"]["runtime"] > 60 and asked["train"]["mem_mb"] > asked["evaluate"]["mem_mb"], path


def test_table_of_estimates():
    made = estimates()
    text = Path("config/presets.md").read_text()
    (stated,) = re.findall(r"<!-- estimates: .*? -->\n(.*)<!-- end of estimates -->", text, re.DOTALL)
    assert stated == made, "write what python bench/gpu/estimates.py prints into config/presets.md"
    for line in made.splitlines()[2:]:
        preset, card, memory = [cell.strip(" `") for cell in line.split("|")[1:4]]
        assert float(memory.removesuffix(" GB")) < {"T4": 15.6, "A10G": 24.0, "A100-40GB": 42.4}[card], preset
    readme = {
        cells[1].split("`")[1]: cells[2:]
        for cells in (line.split("|") for line in Path("README.md").read_text().splitlines())
        if len(cells) > 8 and cells[1].startswith(" `")
    }
    for line in made.splitlines()[2:]:
        preset, _, memory, _, training, _ = [cell.strip(" `") for cell in line.strip("|").split("|")]
        assert memory in readme[preset][1] and readme[preset][3].strip() == training, preset
