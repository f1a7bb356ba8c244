# In: every score of the run. Out: results.json, table.csv, report.html, hub/<policy>/.


rule tabulate_results:
    input:
        code=code("scripts/tabulate_results.py"),
        metrics=collect(
            "<results>/eval/{task}/{policy}/metrics.json",
            task=config["evaluate_on"],
            policy=["base", *policies()],
        ),
        comparisons=collect(
            "<results>/compare/{task}/{policy}.json",
            task=config["evaluate_on"],
            policy=policies(),
        ),
        merges=collect("<results>/merge/{policy}.json", policy=policies()),
    output:
        results="<results>/results.json",
        table=report("<results>/table.csv", caption="../report/table.rst", category="Scores"),
        text="<results>/table.txt",
    log:
        "<logs>/tabulate_results.log",
    params:
        headline=config["headline"],
        run=config["run"],
    shell:
        "python scripts/tabulate_results.py --run {params.run:q} --headline {params.headline} --metrics {input.metrics}"
        " --comparisons {input.comparisons} --merges {input.merges}"
        " --results {output.results} --table {output.table} --text {output.text} 2>&1 | tee {log}"


rule report:
    input:
        code=code("scripts/report.py"),
        template="workflow/report/report.html.j2",
        results="<results>/results.json",
        adapters=collect("<results>/adapters/{policy}", policy=policies()),
        samples=collect(
            "<results>/eval/{task}/{policy}/samples.jsonl",
            task=config["evaluate_on"],
            policy=["base", *policies()],
        ),
    output:
        html=report("<results>/report.html", caption="../report/report.rst", category="Report"),
        numbers="<results>/numbers.tex",
        table="<results>/table.tex",
    log:
        "<logs>/report.log",
    params:
        config=json.dumps(config, sort_keys=True),
    shell:
        "python scripts/report.py --config {params.config:q} --template {input.template} --results {input.results}"
        " --adapters {input.adapters} --samples {input.samples}"
        " --html {output.html} --numbers {output.numbers} --table {output.table} 2>&1 | tee {log}"


rule package_model:
    input:
        code=code("scripts/package_model.py"),
        template="workflow/report/model_card.md.j2",
        results="<results>/results.json",
        merged="<results>/models/{policy}",
        adapter="<results>/adapters/{policy}",
    output:
        package=directory("<results>/hub/{policy}"),
    log:
        "<logs>/package_model/{policy}.log",
    params:
        config=json.dumps(config, sort_keys=True),
    shell:
        "python scripts/package_model.py --config {params.config:q} --template {input.template}"
        " --policy {wildcards.policy} --results {input.results} --merged {input.merged} --adapter {input.adapter}"
        " --package {output.package} 2>&1 | tee {log}"
