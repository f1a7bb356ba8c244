"""Describe a record as a Workflow Run RO-Crate, from Snakemake's metadata on each job.

The profile is Provenance Run Crate 0.5 (https://w3id.org/ro/wfrun/provenance/0.5): a job is an action of a script, with
its command, its input and output files, and its start and end times.
"""

from datetime import UTC, datetime

from stage.files import sha256

from record.checksums import listed
from record.jobs import jobs
from record.layout import in_record

PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": "Process Run Crate",
    "https://w3id.org/ro/wfrun/workflow/0.5": "Workflow Run Crate",
    "https://w3id.org/ro/wfrun/provenance/0.5": "Provenance Run Crate",
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": "Workflow RO-Crate",
}
METADATA = "ro-crate-metadata.json"
WORKFLOW = "workflow/Snakefile"  # of the record's own copy


def time(seconds):
    """A Unix time as ISO 8601."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def crate_of(record, results, notes, provenance, license):
    """`ro-crate-metadata.json` of a record of the run in folder `results`, as a value; `notes` are Snakemake's."""
    from rocrate.model.contextentity import ContextEntity
    from rocrate.rocrate import ROCrate

    crate = ROCrate(version="1.1")
    crate.name = f"Record of the run {provenance['run']}"
    crate.description = "Every number of the run, the completions that they were computed from, and their provenance."
    crate.license = license

    def add(identifier, kind, **properties):
        return crate.add(ContextEntity(crate, identifier, {"@type": kind, **properties}))

    crate.root_dataset["conformsTo"] = [
        add(url, "CreativeWork", name=name, version=url.rpartition("/")[2]) for url, name in PROFILES.items()
    ]
    files = {
        str(path.relative_to(record)): crate.add_file(
            path, path.relative_to(record), properties={"sha256": sha256(path), "name": path.name}
        )
        for path in listed(record)
        if path.relative_to(record).parts[0] != "workflow" and path.name != METADATA
    }
    workflow = crate.add_workflow(
        record / WORKFLOW,
        WORKFLOW,
        main=True,
        lang="snakemake",
        lang_version=provenance["machine"]["packages"]["snakemake"],
    )
    workflow["name"] = "build-reasoning-model"
    workflow["version"] = provenance["commit"]
    agent = add("#operator", "Person", name="whoever ran the commands in provenance.json")
    engine = add(
        "#snakemake", "SoftwareApplication", name="Snakemake", version=provenance["machine"]["packages"]["snakemake"]
    )
    found = jobs(notes)
    rules = list(dict.fromkeys(job["rule"] for job in found))
    tools = {
        rule: add(f"scripts/{rule}.py", "SoftwareApplication", name=rule, version=provenance["commit"])
        for rule in rules
    }
    steps = {
        rule: add(f"#step-{rule}", "HowToStep", name=rule, position=str(i), workExample=tools[rule])
        for i, rule in enumerate(rules, 1)
    }
    # rocrate has no public way to add the second type that the profile requires of a workflow.
    workflow._jsonld["@type"] = ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"]
    workflow["step"], workflow["hasPart"] = list(steps.values()), list(tools.values())

    def entity(path):
        kept = in_record(path, results, record)
        if kept is not None:
            return files[str(kept)]
        weights = [digest for name, digest in provenance["weights"].items() if str(results / name).startswith(path)]
        digest = {"sha256": weights[0]} if weights else {}
        return crate.dereference(f"#{path}") or add(f"#{path}", "CreativeWork", name=path, **digest)

    controls = []
    for i, job in enumerate(found):
        code = [path for path in job["input"] if path.startswith("scripts/")]
        action = add(
            f"#job-{i}",
            "CreateAction",
            name=job["rule"],
            description=job["shellcmd"],
            startTime=time(job["starttime"]),
            endTime=time(job["endtime"]),
            actionStatus="http://schema.org/CompletedActionStatus",
        )
        action["instrument"], action["agent"] = tools[job["rule"]], agent
        action["object"] = [entity(path) for path in job["input"] if path not in code]
        action["result"] = [entity(path) for path in job["outputs"]]
        control = add(f"#control-{i}", "ControlAction", name=f"Snakemake ran {job['rule']}")
        control["instrument"], control["object"] = steps[job["rule"]], action
        controls.append(control)
    whole = add(
        "#run",
        "CreateAction",
        name=" && ".join(provenance["commands"]),
        startTime=time(min(job["starttime"] for job in found)),
        endTime=time(max(job["endtime"] for job in found)),
        actionStatus="http://schema.org/CompletedActionStatus",
    )
    whole["instrument"], whole["agent"] = workflow, agent
    whole["object"], whole["result"] = [files["config.json"]], [files["results.json"]]
    crate.root_dataset["mentions"] = [whole]
    organize = add("#engine", "OrganizeAction", name="Snakemake's run of the workflow")
    organize["instrument"], organize["object"], organize["result"] = engine, controls, whole
    organize["agent"] = agent
    return crate.metadata.generate()
