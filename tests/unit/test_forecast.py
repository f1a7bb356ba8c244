"""What a run will take and took, from plans and benchmark files; energy from counters."""

import json
import os
import subprocess
import sys
import time

import pytest
from stage import screen
from stage.energy import Meter, packages, used
from stage.forecast import costs, duration, forecast, measured, remaining

HEADER = "s\th:m:s\tmax_rss\tmax_vms\n"


def plan(folder, cores=2, per_hour=None, **jobs):
    """A plan of jobs, `{name: (kind, size, seconds it took)}`; those that took None have not finished."""
    found = {}
    for name, (kind, size, seconds) in jobs.items():
        path = folder / f"{name}.tsv"
        if seconds:
            path.write_text(f"{HEADER}{seconds}\t0:00:00\t1500.0\t2000\n")
        found[name] = {"kind": kind, "size": size, "threads": 2, "benchmark": str(path), "planned": True}
    return {"started": 0, "cores": cores, "price": {"per_hour": per_hour, "currency": "EUR"}, "jobs": found}


def test_a_job_takes_what_its_kind_took_for_its_size(tmp_path):
    made = plan(tmp_path, a=("evaluate", 100, 50), b=("evaluate", 300, 250), c=("evaluate", 40, None), d=("x", 1, None))
    assert remaining(made, "d", 7) == ({"evaluate": pytest.approx(300 / 400 * 40)}, [])


def test_the_running_job_stands_for_its_kind_until_one_has_finished(tmp_path):
    made = plan(tmp_path, a=("train by grpo", 10, None), b=("train by grpo", 20, None), c=("train by sft", 5, None))
    assert remaining(made, "a", 30) == ({"train by grpo": 60}, ["train by sft"])
    made = plan(tmp_path, a=("train by grpo", 10, 40), b=("train by grpo", 20, None), d=("train by grpo", 5, None))
    assert remaining(made, "b", 1000) == ({"train by grpo": 20}, [])


def test_small_jobs_are_shares_of_an_evaluation(tmp_path):
    made = plan(tmp_path, a=("evaluate", 100, 200), b=("merge_lora", 1, None), c=("train", 1, None))
    assert remaining(made, "c", 1) == ({"merge_lora": pytest.approx(0.15 * 200)}, [])


def test_jobs_share_cores(tmp_path):
    made = plan(tmp_path, cores=8, a=("e", 1, 80), b=("e", 1, None), c=("x", 1, None))
    assert remaining(made, "c", 1) == ({"e": 20.0}, [])


def test_an_earlier_runs_measurement_of_a_planned_job_is_old(tmp_path):
    made = plan(tmp_path, a=("e", 1, 80), b=("e", 1, None)) | {"started": time.time() + 10}
    assert remaining(made, "b", 30) == ({"e": 30}, [])
    made["jobs"]["a"]["planned"] = False
    assert remaining(made, "b", 30) == ({}, [])


def test_forecast_in_words(tmp_path, monkeypatch):
    made = plan(tmp_path, per_hour=3.6, a=("evaluate", 1, 100), b=("train", 1, None), c=("evaluate", 1, None))
    made["jobs"]["d"] = made["jobs"]["b"] | {"kind": "unheard_of", "benchmark": "none"}
    monkeypatch.delenv("RUN_PLAN", raising=False)
    assert forecast("b", 95, 100) is None
    (tmp_path / "plan.json").write_text(json.dumps(made))
    monkeypatch.setenv("RUN_PLAN", str(tmp_path / "plan.json"))
    assert forecast("by_hand", 95, 100) is None
    total, line = forecast("b", 95, 100)
    assert total == 195
    assert line == (
        "forecast: 3 min 15 s to go, 0.20 EUR: this train 1 min 35 s, evaluate 1 min 40 s; unheard_of will say"
    )


def test_progress_says_it_once_after_two_rounds(monkeypatch):
    """Of six steps of ten seconds each, of which the first took a minute, four are left after the second."""
    now, said, asked = [0.0], [], []
    monkeypatch.setattr(screen.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(screen, "say", said.append)
    monkeypatch.setattr(screen, "forecast", lambda *given: asked.append(given) or (given[1], "forecast: soon"))
    shown = screen.Progress("train", 6, "steps", job="train/a")
    for seconds in (60, 10, 10, 10, 10, 10):
        now[0] += seconds
        shown.update()
    assert asked == [("train/a", 40.0, 110.0)] and not [line for line in said if "forecast" in line]
    shown = screen.Progress("train", 80, "steps", done=20, job="train/a", rounds=10)
    for _ in range(60):
        now[0] += 2
        shown.update()
    assert asked[1] == ("train/a", 80.0, 2 * 20 + 40 + 80.0)
    assert [line for line in said if "forecast" in line] == ["  forecast: soon"]


def test_costs(tmp_path):
    made = plan(tmp_path, per_hour=36.0, a=("evaluate", 1, 100), b=("train", 1, 250.4), c=("evaluate", 1, 50))
    assert costs(made) == (
        "took 6 min 40 s, 4.00 EUR: train 4 min 10 s, evaluate 2 min 30 s; peak memory 1.5 GB; energy not measured"
    )
    for name, joules in (("a", 3600), ("b", 1800.5), ("c", 1799.5)):
        (tmp_path / f"{name}.log").write_text(f"some text\nenergy: {joules} J\n")
    assert costs(made).endswith("energy 2.0 Wh")
    assert costs(plan(tmp_path, d=("evaluate", 1, None))) is None


def test_measurements_of_a_job(tmp_path):
    path = tmp_path / "a.tsv"
    assert measured(path) is None
    path.write_text(f"{HEADER}1.5\t0:00:01\tNA\tNA\n")
    (tmp_path / "a.log").write_text("energy: not measured\n")
    assert measured(path) == {"seconds": 1.5, "peak_gb": None, "joules": None}
    (tmp_path / "a.log").write_text("energy: 5.0 J\nresumed\nenergy: 7.5 J\n")
    assert measured(path)["joules"] == 7.5


def test_energy_is_for_the_log():
    """A stage's log is apart from the screen; a command that somebody gives has no log, and ends with its result."""
    code = "import argparse; from stage.screen import *; run(lambda args: say('made'), argparse.ArgumentParser())"
    command, given = [sys.executable, "-c", code], {"cwd": "scripts", "text": True, "stdout": subprocess.PIPE}
    assert subprocess.run(command, stderr=subprocess.STDOUT, **given).stdout == "made\n"
    stage = subprocess.run(command, stderr=subprocess.PIPE, **given)
    assert stage.stdout == "made\n" and stage.stderr.startswith("energy: ")


def test_duration():
    assert [duration(seconds) for seconds in (0, 59.4, 60, 95)] == ["0 s", "59 s", "1 min 0 s", "1 min 35 s"]


def zone(folder, name, words, energy, limit=1000):
    (folder / name).mkdir(parents=True, exist_ok=True)
    for file, text in (("name", words), ("energy_uj", energy), ("max_energy_range_uj", limit * 10**6)):
        (folder / name / file).write_text(f"{text}\n")


def test_counters_of_processors(tmp_path):
    """Two packages; their parts, which are in them, and the board are left out."""
    zone(tmp_path, "intel-rapl:0", "package-0", 5_000_000)
    zone(tmp_path, "intel-rapl:0:0", "core", 4_000_000)
    zone(tmp_path, "intel-rapl:1", "package-1", 7_000_000)
    zone(tmp_path, "intel-rapl:2", "psys", 9_000_000)
    zone(tmp_path, "intel-rapl:3", "package-3", "garbled")
    (tmp_path / "intel-rapl").mkdir()
    assert packages(tmp_path) == {"intel-rapl:0": (5.0, 1000.0), "intel-rapl:1": (7.0, 1000.0)}
    assert packages(tmp_path / "none") == {}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_counter_that_may_not_be_read_is_none(tmp_path):
    zone(tmp_path, "intel-rapl:0", "package-0", 5_000_000)
    (tmp_path / "intel-rapl:0/energy_uj").chmod(0)
    assert packages(tmp_path) == {}


def test_energy_between_two_readings():
    before, after = {"a": (900.0, 1000.0), "b": (5.0, 1000.0)}, {"a": (50.0, 1000.0), "b": (25.0, 1000.0)}
    assert used(before, after) == 150.0 + 20.0
    assert used(before, {"b": (25.0, 1000.0), "c": (7.0, None)}) == 20.0


def test_meter(tmp_path):
    zone(tmp_path, "intel-rapl:0", "package-0", 5_000_000)
    meter = Meter(lambda: packages(tmp_path))
    zone(tmp_path, "intel-rapl:0", "package-0", 999_000_000)
    assert meter.look() == 994.0
    zone(tmp_path, "intel-rapl:0", "package-0", 1_000_000)
    assert meter.look() == 996.0
    assert Meter(dict).look() is None
