"""What the documentation says that GPU runs should take is what the program computes."""

import re
import subprocess
import sys
from pathlib import Path


def test_table_of_estimates():
    made = subprocess.run([sys.executable, "bench/gpu/estimates.py"], capture_output=True, text=True, check=True).stdout
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
