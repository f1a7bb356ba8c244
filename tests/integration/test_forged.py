"""Forged records, each with checksums and notes written anew, so that only what lies outside of it can tell."""

import gzip
import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from reasoning.protocol import protocol_hash
from record import commands, origin, pages, recompute, repository, signature, tokens, trainings
from record.checksums import damage, write_checksums
from record.layout import in_record

TASK = "word_problems"
EVERY = ("base", "grpo-seed0", "random_reward-seed0", "format_only-seed0")


def edit_json(path, change):
    """Let `change` edit the value of a JSON file."""
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


def edit_text(path, *pair):
    """Replace a text in a file that has it."""
    text = path.read_text()
    assert pair[0] in text, pair
    path.write_text(text.replace(*pair))


def edit_samples(record, change, policies=EVERY):
    """Let `change` return other samples for those of every policy."""
    for policy in policies:
        path = record / "eval" / TASK / policy / "samples.jsonl.gz"
        samples = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
        path.write_bytes(gzip.compress("\n".join(map(json.dumps, change(samples))).encode()))


def edit_config(record, change):
    """Edit the config in config.json, and whatever of it the protocols state."""
    edit_json(record / "config.json", change)
    config = json.loads((record / "config.json").read_text())
    for policy in EVERY:

        def follow(metrics):
            metrics["protocol"] |= {"prompt": config["prompt"], "eval": config["eval"]}
            metrics["protocol_hash"] = protocol_hash(metrics["protocol"])

        edit_json(record / "eval" / TASK / policy / "metrics.json", follow)


def launder(record):
    """Let Snakemake's notes state the record's files as they are now, and write SHA256SUMS anew."""

    def follow(notes):
        for note in notes.values():
            for path in note["input_checksums"]:
                if kept := in_record(path, Path("results/tiny"), record):
                    content = (record / kept).read_bytes()
                    content = gzip.decompress(content) if kept.suffix == ".gz" else content
                    note["input_checksums"][path] = f"sha256:{hashlib.sha256(content).hexdigest()}"

    edit_json(record / "jobs.json", follow)
    write_checksums(record)


@pytest.fixture
def forged(published, tmp_path, monkeypatch):
    """A copy of the record, beside a folder of runs that holds only the base model's tokenizer; run in its clone."""
    record, model = tmp_path / "published/tiny", tmp_path / "results/tiny/models/base"
    shutil.copytree(published.folder / "results/published/tiny", record)
    model.mkdir(parents=True)
    shutil.copy(published.folder / "results/tiny/models/base/tokenizer.json", model)
    monkeypatch.chdir(published.folder)
    return record


def found(record):
    """The mismatches of a record, and what was said of it, as two texts."""
    from verify import verify

    results = record.parents[1] / "results/tiny"
    wrong, said = verify(record, results, record.parent / "allowed_signers")
    return "\n".join(wrong), "\n".join(said)


def test_an_honest_record_passes(forged):
    wrong, said = found(forged)
    assert wrong == ""
    assert "20 problems made again from generated://" in said and "config held to config/config.yaml and tiny" in said
    assert "NOT" not in said and "pages and figures made again" in said


def gold(record):
    edit_samples(record, lambda samples: [s | {"gold": "77"} if s["id"] == "test-3" else s for s in samples])


def rewritten(record):
    right = {"completion": "1 + 1 = 2\n#### 2", "tokens": 3, "truncated": False}
    edit_samples(record, lambda samples: [s | right for s in samples], ["grpo-seed0"])


def easy(record):
    edit_samples(record, lambda samples: [samples[0] | {"id": s["id"]} for s in samples])


def order(record):
    edit_samples(record, lambda samples: samples[::-1])


def fewer(record):
    edit_samples(record, lambda samples: samples[:-5])


def families(record):
    def permuted(samples):
        return [s | {"family": t["family"]} for s, t in zip(samples, samples[1:] + samples[:1], strict=True)]

    edit_samples(record, permuted)


def truncation(record):
    edit_samples(record, lambda samples: [s | {"truncated": True, "tokens": 3} for s in samples], ["base"])


def early(record):
    text = {"completion": "abcdefgh", "tokens": 8, "truncated": True, "cuts": [8, 8, 8]}
    edit_samples(record, lambda samples: [s | text for s in samples], ["grpo-seed0"])


def cuts(record):
    edit_samples(record, lambda samples: [s | {"cuts": [1, 0]} for s in samples], ["base"])


def digest(record):
    for policy in EVERY:
        path = record / "eval" / TASK / policy / "metrics.json"
        edit_json(path, lambda metrics: metrics["protocol"].update(data_sha256="0" * 64))


def probe(record):
    edit_json(record / f"probe/{TASK}.json", lambda value: value["items"][0].update(second="other words"))


def only_the_best(record):
    for folder in record.rglob("format_only-seed0*"):
        folder.unlink() if folder.is_file() else shutil.rmtree(folder)
    edit_json(record / "config.json", lambda config: config["controls"]["arms"].pop("format_only"))


def another_reward(record):
    edit_config(record, lambda config: config["rewards"].update(accuracy=0.5))


def another_rate(record):
    edit_config(record, lambda config: config["train"]["grpo"].update(learning_rate=1e-5))


def another_model(record):
    edit_config(record, lambda config: config["model"].update(source="hf://some/model@" + "0" * 40))


def another_answer(record):
    edit_config(record, lambda config: config["prompt"].update(answer=r"(\d+)"))


def config_of_controls(record):
    edit_json(record / "controls/config.json", lambda config: config.update(seeds=[0, 1]))


def another_system(record):
    edit_config(record, lambda config: config["prompt"].update(system="Think."))


def swap(record, a, b):
    """Give two policies each other's evaluation."""
    folder, apart = record / "eval" / TASK, record / "apart"
    for source, target in ((folder / a, apart), (folder / b, folder / a), (apart, folder / b)):
        shutil.move(source, target)


def swapped_with_base(record):
    swap(record, "base", "random_reward-seed0")


def swapped_trainings(record):
    swap(record, "grpo-seed0", "random_reward-seed0")


def arguments(record):
    path = record / "training/grpo-seed0/arguments.json"
    edit_json(path, lambda value: value.update(temperature=1.0))


def unstated_arguments(record):
    path = record / "training/grpo-seed0/arguments.json"
    edit_json(path, lambda value: value.update(epsilon=0.3))


def another_seed(record):
    path = record / "training/grpo-seed0/arguments.json"
    edit_json(path, lambda value: value.update(seed=1, data_seed=1))


def edit_history(record, column, change):
    """Change the number in the first row of a history."""
    path = record / "training/grpo-seed0/history.csv"
    head, first, *rest = path.read_text().splitlines()
    names, values = head.split(","), first.split(",")
    values[names.index(column)] = str(change(float(values[names.index(column)])))
    path.write_text("\n".join([head, ",".join(values), *rest]) + "\n")


def history_reward(record):
    edit_history(record, "reward", lambda value: value + 0.1)


def history_rate(record):
    edit_history(record, "learning_rate", lambda value: value / 2)


def history_length(record):
    edit_history(record, "completions/mean_length", lambda value: value + 1)


def history_kl(record):
    edit_history(record, "kl", lambda value: value + 1)


def lost_steps(record):
    path = record / "training/grpo-seed0/history.csv"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


def report(record):
    edit_text(record / "report.html", "<h2>Arms</h2>", "<h2>Better arms</h2>")


def report_of_controls(record):
    edit_text(record / "controls/report.html", "grpo-seed0 is", "grpo-seed0 is much")


def drawing(record):
    path = record / "report.html"
    path.write_text(
        re.sub(r"<path d=\"M ([\d.]+)", lambda m: f'<path d="M {float(m[1]) + 9}', path.read_text(), count=9)
    )


def record_page(record):
    edit_text(record / "record.html", "Reproduce these numbers", "These numbers")


def figure(record):
    shutil.copy(record / "figures/families.pdf", record / "figures/changes.pdf")


def curves(record):
    shutil.copy(record / "controls/figures/curves.pdf", record / "figures/curves.pdf")


def merge(record):
    edit_json(record / "merge/grpo-seed0.json", lambda value: value.update(problems=100))


def merge_difference(record):
    edit_json(record / "merge/grpo-seed0.json", lambda value: value.update(mean_logit_difference=0.5))


def merge_nothing(record):
    edit_json(record / "merge/grpo-seed0.json", lambda value: value["tensors"].update(largest_change=0.0))


def merge_weights(record):
    path = record / "merge/grpo-seed0.json"
    edit_json(path, lambda value: value["weights"].update({"model.safetensors": "0" * 64}))


def package(record):
    path = record / "hub/grpo-seed0.sha256"
    path.write_text(
        re.sub(r"^\w{64}  model.safetensors", "0" * 64 + "  model.safetensors", path.read_text(), flags=re.M)
    )


def edit_provenance(record, change):
    edit_json(record / "provenance.json", change)


def commit(record):
    edit_provenance(record, lambda value: value.update(commit="0" * 40))


def machine(record):
    edit_provenance(record, lambda value: value["machine"].update(cpu="A Better Processor"))


def seconds(record):
    edit_provenance(record, lambda value: value["stages"]["train/grpo-seed0"].update(seconds=99999.0))


def speed(record):
    edit_provenance(record, lambda value: value["stages"][f"evaluate/{TASK}/base"].update(tokens_per_second=99999.0))


def training_speed(record):
    edit_provenance(record, lambda value: value["stages"]["train/grpo-seed0"].update(tokens_per_second=99999.0))


def adapter(record):
    edit_provenance(
        record, lambda value: value["weights"].update({"adapters/grpo-seed0/adapter_model.safetensors": "0" * 64})
    )


def edit_note(record, output, change):
    edit_json(record / "jobs.json", lambda notes: change(notes[f"results/tiny/{output}"]))


def seed_of_command(record):
    for output in ("adapters/grpo-seed0", "training/grpo-seed0/history.csv"):
        edit_note(record, output, lambda n: n.update(shellcmd=n["shellcmd"].replace("--seed 0", "--seed 7")))


def model_of_command(record):
    def change(note):
        note["shellcmd"] = note["shellcmd"].replace("--model results/tiny/models/base", "--model other/models/base")

    edit_note(record, f"eval/{TASK}/base/metrics.json", change)


def no_job(record):
    edit_json(record / "jobs.json", lambda notes: notes.pop(f"results/tiny/eval/{TASK}/base/samples.jsonl"))


def code(record):
    def change(note):
        note["input_checksums"]["scripts/evaluate.py"] = f"sha256:{'0' * 64}"

    edit_note(record, f"eval/{TASK}/base/metrics.json", change)


def rules(record):
    edit_text(record / "workflow/rules/eval.smk", "--task-config", "--other-config")


def crate(record):
    edit_text(record / "ro-crate-metadata.json", "CompletedActionStatus", "FailedActionStatus", 1)


GIT = "by config/config.yaml and tiny.yaml at the commit"
FORGED = {
    gold: (origin, "eval/word_problems/base/samples.test-3: gold published '77', made again from the source"),
    rewritten: (tokens, "eval/word_problems/grpo-seed0/samples.test-0: 3 tokens published, its text has"),
    easy: (origin, r"eval/word_problems/base/samples.test-1: family published 'gain', made again from the source"),
    order: (origin, "eval/word_problems/base/samples.test-0: id published 'test-19', made again"),
    fewer: (origin, "eval/word_problems/base/samples: 15 problems published, 20 made again from the source"),
    families: (origin, "eval/word_problems/base/samples.test-0: family published"),
    truncation: (tokens, "eval/word_problems/base/samples.test-0: 3 tokens, truncated: True, the limit is 8"),
    early: (tokens, "eval/word_problems/grpo-seed0/samples.test-0: its first 1 tokens make more text than they can"),
    cuts: (tokens, "eval/word_problems/base/samples.test-0: cuts [1, 0] of "),
    digest: (origin, "eval/word_problems/base/metrics.protocol.data_sha256: published '0000"),
    probe: (origin, "probe/word_problems.items: not the second halves"),
    only_the_best: (repository, f"config.controls.arms.format_only: published None, {GIT}"),
    another_reward: (repository, f"config.rewards.accuracy: published 0.5, {GIT} 1.0"),
    another_rate: (repository, f"config.train.grpo.learning_rate: published 1e-05, {GIT} 0.0004"),
    another_model: (repository, f"config.model.source: published 'hf://some/model@{'0' * 40}', {GIT}"),
    another_answer: (repository, f"config.prompt.answer: published '(\\\\d+)', {GIT}"),
    config_of_controls: (recompute, "controls/config.seeds: published [0, 1], in config.json [0]"),
    another_system: (origin, "eval/word_problems/base/metrics.protocol.data_sha256: published"),
    swapped_with_base: (trainings, "eval/word_problems/base/metrics.weights.model.safetensors: published"),
    swapped_trainings: (trainings, "eval/word_problems/grpo-seed0/metrics.weights.model.safetensors: published"),
    arguments: (trainings, "training/grpo-seed0/arguments.temperature: published 1.0, by the config 0.8"),
    unstated_arguments: (trainings, "/arguments.epsilon: published 0.2, in grpo-seed0 0.3"),
    another_seed: (trainings, "training/grpo-seed0/arguments.seed: published 1, by the config 0"),
    history_reward: (trainings, "training/grpo-seed0/history: step 1: reward"),
    history_rate: (trainings, "training/grpo-seed0/history: step 1: learning rate"),
    history_length: (trainings, "training/grpo-seed0/history: step 1: completion lengths"),
    history_kl: (pages, "figures/curves.pdf: does not show the record's data"),
    lost_steps: (trainings, "training/grpo-seed0/history: its steps are not 1 to 2"),
    report: (pages, "report.html: does not follow from the record's data"),
    report_of_controls: (pages, "controls/report.html: does not follow from the record's data"),
    drawing: (pages, "report.html: a figure does not show the record's data"),
    record_page: (pages, "record.html: does not follow from the record's data"),
    figure: (pages, "figures/changes.pdf: does not show the record's data"),
    curves: (pages, "figures/curves.pdf: does not show the record's data"),
    merge: (trainings, "merge/grpo-seed0: problems: 100, by the config 4"),
    merge_difference: (trainings, "merge/grpo-seed0: logit differences"),
    merge_nothing: (trainings, "merge/grpo-seed0: tensors: the adapter changed none"),
    merge_weights: (trainings, "eval/word_problems/grpo-seed0/metrics.weights.model.safetensors: published"),
    package: (trainings, "hub/grpo-seed0.sha256: model.safetensors is not that of the record"),
    commit: (repository, f"provenance.commit: {'0' * 40} is not in this clone"),
    machine: (pages, "record.html: does not follow from the record's data"),
    seconds: (commands, "provenance.stages.train/grpo-seed0: 99999.0 seconds published, and the job took"),
    speed: (commands, "provenance.stages.evaluate/word_problems/base.tokens_per_second: 99999.0"),
    training_speed: (commands, "provenance.stages.train/grpo-seed0.tokens_per_second: 99999.0"),
    adapter: (trainings, "hub/grpo-seed0.sha256: adapter/adapter_model.safetensors is not that of the record"),
    seed_of_command: (commands, "--seed: published 7, by the config 0"),
    model_of_command: (commands, "eval/word_problems/base/metrics.json: its command evaluates ['other/models/base']"),
    no_job: (commands, "eval/word_problems/base/samples.jsonl: jobs.json has no job that made it"),
    code: (commands, "base/metrics.json: made by another scripts/evaluate.py than that of commit"),
    rules: (repository, "workflow/rules/eval.smk: not the file of commit"),
    crate: (pages, "ro-crate-metadata.json: #job-0 does not follow"),
}


@pytest.mark.parametrize("forge", FORGED, ids=lambda forge: forge.__name__)
def test_a_forged_record_is_found(forged, forge):
    """By a line that names what was changed, although checksums and notes were made to fit."""
    check, line = FORGED[forge]
    forge(forged)
    launder(forged)
    config, results = json.loads((forged / "config.json").read_text()), forged.parents[1] / "results/tiny"
    wrong, _ = check.check(forged, config, results)
    assert line in "\n".join(wrong), wrong
    assert damage(forged) == []


def test_a_changed_file_is_not_what_the_next_job_read(forged):
    """Snakemake's notes hold the digest of every input."""
    edit_history(forged, "kl", lambda value: value + 1)
    write_checksums(forged)
    wrong, _ = commands.check(forged, json.loads((forged / "config.json").read_text()), None)
    assert [line for line in wrong if "history.csv: not what" in line and "read when it made" in line], wrong


@pytest.mark.parametrize(
    ("forge", "check", "line"),
    [
        (another_rate, trainings, "training/grpo-seed0/arguments.learning_rate: published 0.0004, by the config 1e-05"),
        (
            another_reward,
            commands,
            "adapters/grpo-seed0: --rewards-config.accuracy: published 1.0, by the config 0.5",
        ),
        (another_answer, commands, "--prompt-config.answer: published"),
        (gold, origin, "gold published '77', made again from the source"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_without_git_the_record_is_held_to_itself(forged, tmp_path, monkeypatch, forge, check, line):
    """As from an archive; that git was not asked is said."""
    monkeypatch.chdir(tmp_path)
    config = json.loads((forged / "config.json").read_text())
    wrong, said = repository.check(forged, config, None)
    assert wrong == [] and "NOT compared with git" in said[0]
    forge(forged)
    launder(forged)
    wrong, _ = check.check(forged, json.loads((forged / "config.json").read_text()), tmp_path)
    assert line in "\n".join(wrong), wrong


def test_a_run_of_the_repository_has_its_config(forged):
    """A record cannot explain its config away by naming an overlay that the commit does not have."""
    edit_config(forged, lambda config: config["rewards"].update(accuracy=0.5))
    edit_provenance(forged, lambda value: value.update(configfiles=["elsewhere.yaml"]))
    config = json.loads((forged / "config.json").read_text())
    assert "NOT compared with git: elsewhere.yaml is not in commit" in repository.check(forged, config, None)[1][0]
    edit_config(forged, lambda config: config.update(run="smollm2-135m-words"))
    config = json.loads((forged / "config.json").read_text())
    assert "by config/config.yaml at the commit" in repository.check(forged, config, None)[0][0]


def test_readme_is_held_to_the_record(forged, tmp_path, monkeypatch):
    from record.readme import END, MARK, check_readme

    readme, image, template = tmp_path / "README.md", tmp_path / "results.svg", Path("workflow/report/readme.md.j2")
    readme.write_text(f"{MARK.format(forged)}old\n{END}\n")
    command = ["python", "scripts/update_readme.py", forged, "--readme", readme, "--figure", image]
    subprocess.run(command, check=True)
    assert check_readme(forged, readme, template, image) == ([], [f"{readme}'s numbers made again"])
    edit_text(readme, " | ", " |  ", 1)
    edit_text(image, "exact match", "better match")
    assert [line.partition(":")[0] for line in check_readme(forged, readme, template, image)[0]] == [
        str(readme),
        str(image),
    ]


def keygen(*arguments):
    subprocess.run(["ssh-keygen", *map(str, arguments)], check=True, capture_output=True)


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="there is no ssh-keygen here")
def test_signature(forged, tmp_path):
    """Who signed is said; a signature of other checksums, or by somebody else, is a mismatch."""
    key, signers = tmp_path / "key", tmp_path / "allowed_signers"

    def signed():
        return tuple(map("\n".join, signature.check(forged, signers)))

    keygen("-q", "-t", "ed25519", "-N", "", "-f", key)
    assert signed() == ("", "not signed")
    keygen("-Y", "sign", "-f", key, "-n", "build-reasoning-model", forged / "SHA256SUMS")
    wrong, said = signed()
    assert wrong == "" and "signed with key SHA256:" in said and "which is not here" in said
    signers.write_text(f"ann@example.org {(tmp_path / 'key.pub').read_text()}")
    wrong, said = signed()
    assert wrong == "" and "signed by ann@example.org with key SHA256:" in said
    keygen("-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "other")
    signers.write_text(f"ann@example.org {(tmp_path / 'other.pub').read_text()}")
    assert "whose owner is not in" in signed()[0]
    edit_text(forged / "table.txt", "base", "bass", 1)
    write_checksums(forged)
    assert "SHA256SUMS.sig: not a signature of" in signed()[0]
