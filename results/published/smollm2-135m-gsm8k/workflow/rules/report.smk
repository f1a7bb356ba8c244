# In: every score of the run. Out: results.json, table.csv, report.html; controls/ has the same for the run and its
# control arms.


rule tabulate_results:
    """Collect every score, comparison and check in one file and one table."""
    input:
        script=stage("tabulate_results"),
        modules=modules("tabulate_results"),
        tasks=[path for task in config["evaluate_on"] for path in task_code(task)],
        metrics=of_policies("<results>/eval/{task}/{policy}/metrics.json", "base"),
        samples=of_policies("<results>/eval/{task}/{policy}/samples.jsonl", "base"),
        comparisons=of_policies("<results>/compare/{task}/{policy}.json"),
        merges=of_policies("<results>/merge/{policy}.json"),
        probes=collect("<results>/probe/{task}.json", task=config["evaluate_on"]),
        environments=of_policies("<results>/training/{policy}/environment.json"),
        baselines=collect("<results>/eval/{task}/base/metrics.json", task=config["baselines"]),
        training=collect("<results>/data/{task}/train.jsonl", task=config["evaluate_on"]),
    output:
        results="<results>/{scope}results.json",
        table=report("<results>/{scope}table.csv", caption="../report/table.rst", category="Scores"),
        text="<results>/{scope}table.txt",
    log:
        "<logs>/{scope}tabulate_results.log",
    benchmark:
        "<logs>/{scope}tabulate_results.tsv"
    resources:
        **asks("tabulate_results"),
    params:
        metrics=listed("metrics"),
        samples=listed("samples"),
        comparisons=listed("comparisons"),
        merges=listed("merges"),
        probes=listed("probes"),
        environments=listed("environments"),
        baselines=listed("baselines"),
        training=listed("training"),
        task_modules=lambda wildcards: argument(modules_of_tasks()),
        published=lambda wildcards: argument(numbers()),
        run=config["run"],
        policy=trained_policies()[0],
        headline=config["headline"],
        told=lambda wildcards: argument(told_to_arms(wildcards.scope)),
        shown=lambda wildcards: argument(shown(wildcards.scope)),
    message:
        "Tabulate the results"
    shell:
        r"""
        python {input.script:q} \
            --run {params.run:q} \
            --policy {params.policy} \
            --headline {params.headline} \
            --told {params.told:q} \
            --shown {params.shown:q} \
            --metrics {params.metrics:q} \
            --samples {params.samples:q} \
            --comparisons {params.comparisons:q} \
            --merges {params.merges:q} \
            --probes {params.probes:q} \
            --environments {params.environments:q} \
            --baselines {params.baselines:q} \
            --training {params.training:q} \
            --modules {params.task_modules:q} \
            --published {params.published:q} \
            --results {output.results:q} \
            --table {output.table:q} \
            --text {output.text:q} \
            2>{log:q}
        """


rule report:
    """Write the report: scores, training curves, samples and provenance."""
    input:
        script=stage("report"),
        modules=modules("report"),
        template=packaged("workflow/report/report.html.j2"),
        citation=packaged("CITATION.cff"),
        results="<results>/{scope}results.json",
        histories=of_policies("<results>/training/{policy}/history.csv"),
        samples=of_policies("<results>/eval/{task}/{policy}/samples.jsonl", "base"),
    output:
        config="<results>/{scope}config.json",
        html=report("<results>/{scope}report.html", caption="../report/report.rst", category="Report"),
        figures=collect(
            "<results>/{{scope}}figures/{name}.pdf",
            name=["arms", "supervision", "changes", "families", "budgets", "curves"],
        ),
        numbers="<results>/{scope}numbers.tex",
        table="<results>/{scope}table.tex",
    log:
        "<logs>/{scope}report.log",
    benchmark:
        "<logs>/{scope}report.tsv"
    resources:
        **asks("report"),
    params:
        histories=listed("histories"),
        samples=listed("samples"),
        config=settings(),
        command=lambda wildcards: command(place("<results>/config.json"), *filter(None, [wildcards.scope.rstrip("/")])),
    message:
        "Write the report"
    shell:
        r"""
        python {input.script:q} \
            --config {params.config:q} \
            --command {params.command:q} \
            --template {input.template:q} \
            --citation {input.citation:q} \
            --results {input.results:q} \
            --histories {params.histories:q} \
            --samples {params.samples:q} \
            --config-file {output.config:q} \
            --html {output.html:q} \
            --figures {output.figures:q} \
            --numbers {output.numbers:q} \
            --table {output.table:q} \
            2>{log:q}
        """
