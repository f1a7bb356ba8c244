"""Recompute a record's numbers from its completions, without a model, and list the differences."""

from reasoning.comparison import compare
from reasoning.contamination import verbatim
from reasoning.order import shown
from reasoning.overrides import of_task
from reasoning.policies import measured_tasks, policies_on, published_numbers, trained_policies
from reasoning.protocol import MEASURED, extractor_version, problem_count, protocol, protocol_hash
from reasoning.results import gather
from reasoning.rows import read_results
from reasoning.scoring import ABOUT, judge_again, summarise
from reasoning.supervision import told
from reporting.latex import latex_table, macros
from reporting.table import csv_text, plain_text
from stage.environment import versions
from stage.files import read_json, read_text
from tasks import described_module, load

from record.compared import mismatches
from record.earlier import NOT_RECOMPUTED
from record.layout import SCOPES, read_samples
from record.repository import merge_of, section_of

STATED = ("subset", "protocol", "weights", "environment")  # of metrics.json, which do not follow from completions
STATED_OF_RUN = ("run", "headline", "policy", "told", "shown")  # of results.json, which follow from the config


def numbers(value, address):
    """The addresses of the numbers in a JSON value, given the value's own address."""
    if isinstance(value, (dict, list)):
        for key, child in value.items() if isinstance(value, dict) else enumerate(value):
            yield from numbers(child, f"{address}.{key}")
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield address


def of_completions(metrics):
    """What follows from completions in a metrics.json."""
    return {key: part for key, part in metrics.items() if key not in STATED}


def recomputed_numbers(results, scope):
    """The addresses of the numbers in results.json that follow from completions: a policy of two scopes has one."""
    for task, entry in results.get("baselines", {}).items():
        yield from numbers(of_completions(entry["metrics"]), f"eval/{task}/base")
    yield from numbers(results.get("published", {}), f"{scope}/published")
    for task, entry in results["tasks"].items():
        yield from numbers(entry["verbatim"], f"probe/{task}")
        yield from (
            line for key in ("arms", "leads", "marked") for line in numbers(entry[key], f"{scope}/{task}/{key}")
        )
        for policy, value in entry["policies"].items():
            yield from numbers(of_completions(value["metrics"]), f"eval/{task}/{policy}")
            yield from numbers(value["comparison"], f"compare/{task}/{policy}")


def told_to_arms(config, controls):
    """What each arm of a scope was told of its training problems, by the config."""
    arms = config["arms"] | config["controls"]["arms"]
    sections = {
        arm: {key: section_of(config, arm, key) for key in ("train", "rewards")} | {"merge_of": merge_of(config, arm)}
        for arm in arms
    }
    of_scope = arms if controls else config["arms"]
    return {arm: told(config["tasks"][config["task"]], sections, arm) for arm in of_scope}


def in_any_order(shown):
    """What is shown as far as a config with sorted keys says it: the first task and arm, and all others."""
    firsts = {key: [shown[key][0], *sorted(shown[key])] for key in ("tasks", "arms")}
    return shown | firsts | {"controls": sorted(shown["controls"])}


def by_config(config, scope, results):
    """What a record's config says of `results` in one scope, and what they are, as two values to compare."""
    policies = trained_policies(config, controls=bool(scope.name))
    expected = {"run": config["run"], "headline": config["headline"], "policy": policies[0], "tasks": {}}
    expected["told"] = told_to_arms(config, bool(scope.name))
    expected["shown"] = in_any_order(shown(config, bool(scope.name)))
    trained_on = config["evaluate_on"]
    for task in measured_tasks(config):
        prompt, settings = of_task(config, "prompt", task), of_task(config, "eval", task)
        n, subset = problem_count(config["tasks"][task], settings["split"])
        module, version = described_module(config["tasks"][task]), extractor_version(answer_of(config, task))
        measured = protocol(task, settings["split"], prompt, settings, dict.fromkeys(MEASURED), module, version)
        expected["tasks"][task] = {
            policy: {"n": n, "subset": subset, "protocol": measured}
            for policy in ["base", *(policies_on(config, task, bool(scope.name)) if task in trained_on else [])]
        }
    found = {key: results[key] for key in STATED_OF_RUN} | {"shown": in_any_order(results["shown"])}
    alone = {task: {"base": entry} for task, entry in results.get("baselines", {}).items()}
    found["tasks"] = {
        task: {
            policy: {key: value["metrics"][key] for key in ("n", "subset")}
            | {"protocol": value["metrics"]["protocol"] | dict.fromkeys(MEASURED)}
            for policy, value in of_policies.items()
        }
        for task, of_policies in [*((task, e["policies"]) for task, e in results["tasks"].items()), *alone.items()]
    }
    return expected, found


def check(record, config, results):
    """`(wrong, said)`: where numbers do not follow from completions, and how many were recomputed.

    Without a package that judges the answers none is, and this is said.
    """
    packages = {name for task in measured_tasks(config) for name in load(config["tasks"][task]).packages}
    if absent := sorted(name for name, version in versions(packages).items() if version is None):
        return [], [f"{NOT_RECOMPUTED}: {', '.join(absent)} judges its answers, and is not installed here"]
    wrong, counted = [], set()
    for scope in SCOPES:
        wrong += recompute(record, config, scope)
        counted |= {*recomputed_numbers(read_json(record / scope / "results.json"), scope)}
    return list(dict.fromkeys(wrong)), [f"{len(counted)} numbers recomputed from the completions"]


def answer_of(config, task):
    """The type of the answers of one of a config's tasks."""
    return load(config["tasks"][task]).answer


def measured_again(record, task, policy, answer):
    """`(metrics, samples, mismatches)` of a policy on a task, from its published completions.

    `answer` is the type of the task's answers.
    """
    address, wrong = f"eval/{task}/{policy}", []
    stated, kept = read_json(record / address / "metrics.json"), read_samples(record, task, policy)
    again = [judge_again(sample, stated["protocol"]["prompt"], answer) for sample in kept]
    for sample, fresh in zip(kept, again, strict=True):
        wrong += mismatches(sample, fresh, f"{address}/samples.{sample['id']}")
    metrics = summarise(again) | {key: stated[key] for key in STATED}
    metrics["protocol_hash"] = protocol_hash(stated["protocol"])
    return metrics, again, wrong + mismatches(stated, metrics, f"{address}/metrics")


def recompute(record, config, scope):
    """The mismatches of one scope of a record, one line each."""
    published = read_results(record / scope / "results.json")
    wrong = mismatches(*by_config(config, scope, published), "config")
    wrong += mismatches(read_json(record / scope / "config.json"), config, str(scope / "config"), "in config.json")
    metrics, comparisons, merges, probes, samples, trainings = {}, {}, {}, {}, {}, {}
    baselines = {}
    for task in published.get("baselines", {}):
        baselines[task], _, found = measured_again(record, task, "base", answer_of(config, task))
        wrong += found
    for task, entry in published["tasks"].items():
        probes[task] = read_json(record / "probe" / f"{task}.json")
        recomputed = verbatim(probes[task]["items"])
        wrong += mismatches(probes[task]["verbatim"], recomputed, f"probe/{task}.verbatim")
        probes[task]["verbatim"] = recomputed
        for policy in entry["policies"]:  # base comes first: the others are compared with it
            address = f"eval/{task}/{policy}"
            metrics[task, policy], again, found = measured_again(record, task, policy, answer_of(config, task))
            wrong += found
            samples[task, policy] = again
            problems = [[[s.get(key) for key in ABOUT] for s in of] for of in (samples[task, "base"], again)]
            if problems[0] != problems[1] or len({s["id"] for s in again}) != len(again):
                wrong.append(f"{address}/samples: not the problems that the base model was asked")
            if policy != "base":
                shared = {key: metrics[task, "base"][key] for key in ("subset", "protocol_hash")}
                prompt = metrics[task, policy]["protocol"]["prompt"]
                comparisons[task, policy] = compare(samples[task, "base"], again, prompt) | shared
                stated = read_json(record / "compare" / task / f"{policy}.json")
                wrong += mismatches(stated, comparisons[task, policy], f"compare/{task}/{policy}")
                merges[policy] = read_json(record / "merge" / f"{policy}.json")
                trainings[policy] = read_json(record / "training" / policy / "environment.json")
    numbers = published_numbers(config)
    guesses = {
        task: entry["guess"] for task, entry in published["tasks"].items()
    }  # which record.origin holds to the source
    results = gather(metrics, comparisons, merges, probes, samples, trainings, baselines, numbers, guesses) | {
        key: published[key] for key in STATED_OF_RUN
    }
    wrong += mismatches(published, results, str(scope / "results"))
    texts = {
        "table.csv": csv_text(results),
        "table.txt": plain_text(results),
        "numbers.tex": macros(results),
        "table.tex": latex_table(results),
    }
    for name, content in texts.items():
        if read_text(record / scope / name) != content:
            wrong.append(f"{scope / name}: the published text does not follow from results.json")
    return wrong
