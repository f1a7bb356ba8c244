# In: every setting's policies, evaluated on dev. Out: sweep/: the setting that is best on dev, its test score, a table
# and a figure. Only the chosen setting's policies are evaluated on the test split.


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
