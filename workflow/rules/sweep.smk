# In: every setting's policies, evaluated on dev. Out: sweep/: the setting that is best on dev, its test score, a table and
# a figure. Only the chosen setting's policies are evaluated on the test split.


def swept(pattern):
    """The files of `pattern` on dev, of all settings, seeds and base models."""
    policies = [policy for each in SWEEP.values() for policy in each["policies"]]
    return collect(pattern, task=DEV_TASK, policy=[*dict.fromkeys(each["base"] for each in SWEEP.values()), *policies])


def chosen(pattern):
    """An input function: the files of `pattern` on the run's task, of the chosen setting's base model and policies."""

    def files(wildcards):
        name = json.loads(Path(checkpoints.choose_setting.get().output.choice).read_text(encoding="utf-8"))["chosen"]
        return collect(pattern, task=config["task"], policy=[SWEEP[name]["base"], *SWEEP[name]["policies"]])

    return files


def sweep_table(wildcards):
    """The sweep's table, if the config has axes of settings."""
    if not SWEEP:
        raise WorkflowError("config: sweep has no axes: name the settings to choose from (config/README.md)")
    return "<results>/sweep/table.csv"


checkpoint choose_setting:
    """Choose the setting with the best mean over seeds on dev."""
    input:
        script=stage("choose_setting"),
        modules=modules("choose_setting"),
        metrics=swept("<results>/eval/{task}/{policy}/metrics.json"),
        samples=swept("<results>/eval/{task}/{policy}/samples.jsonl"),
    output:
        choice="<results>/sweep/choice.json",
    log:
        "<logs>/choose_setting.log",
    resources:
        **asks("choose_setting"),
    params:
        settings=lambda wildcards: argument(SWEEP),
        headline=config["headline"],
        evaluations=place(f"<results>/eval/{DEV_TASK}"),
    message:
        "Choose a setting on dev"
    shell:
        r"""
        python {input.script:q} \
            --settings {params.settings:q} \
            --headline {params.headline} \
            --evaluations {params.evaluations:q} \
            --choice {output.choice:q} \
            2>{log:q}
        """


rule tabulate_sweep:
    """Tabulate and draw every setting's score on dev, and the chosen one's on the test split."""
    input:
        script=stage("tabulate_sweep"),
        modules=modules("tabulate_sweep"),
        choice="<results>/sweep/choice.json",
        metrics=chosen("<results>/eval/{task}/{policy}/metrics.json"),
        samples=chosen("<results>/eval/{task}/{policy}/samples.jsonl"),
    output:
        table=report("<results>/sweep/table.csv", category="Sweep"),
        text="<results>/sweep/table.txt",
        figure=report("<results>/sweep/settings.pdf", category="Sweep"),
    log:
        "<logs>/tabulate_sweep.log",
    resources:
        **asks("tabulate_sweep"),
    params:
        metrics=listed("metrics"),
        samples=listed("samples"),
    message:
        "Tabulate the sweep"
    shell:
        r"""
        python {input.script:q} \
            --choice {input.choice:q} \
            --metrics {params.metrics:q} \
            --samples {params.samples:q} \
            --table {output.table:q} \
            --text {output.text:q} \
            --figure {output.figure:q} \
            2>{log:q}
        """
