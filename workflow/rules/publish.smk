# In: every score of the run. Out: results.json, table.csv, report.html, hub/<policy>/; controls/ has the first three with
# the control arms beside the run's. publish copies all of it into results/published/<run>/, which verify recomputes.


rule tabulate_results:
    input:
        code=code("scripts/tabulate_results.py"),
        metrics=of_policies("<results>/eval/{task}/{policy}/metrics.json", "base"),
        samples=of_policies("<results>/eval/{task}/{policy}/samples.jsonl", "base"),
        comparisons=of_policies("<results>/compare/{task}/{policy}.json"),
        merges=of_policies("<results>/merge/{policy}.json"),
        probes=collect("<results>/probe/{task}.json", task=config["evaluate_on"]),
    output:
        results="<results>/{scope}results.json",
        table=report("<results>/{scope}table.csv", caption="../report/table.rst", category="Scores"),
        text="<results>/{scope}table.txt",
    log:
        "<logs>/{scope}tabulate_results.log",
    params:
        headline=config["headline"],
        policy=policies()[0],
        run=config["run"],
    shell:
        "python scripts/tabulate_results.py --run {params.run:q} --policy {params.policy} --headline {params.headline}"
        " --metrics {input.metrics} --samples {input.samples} --comparisons {input.comparisons} --merges {input.merges} --probes {input.probes}"
        " --results {output.results} --table {output.table} --text {output.text} 2>&1 | tee {log}"


rule report:
    input:
        code=code("scripts/report.py"),
        template="workflow/report/report.html.j2",
        citation="CITATION.cff",
        locks=LOCKS,
        results="<results>/{scope}results.json",
        adapters=of_policies("<results>/adapters/{policy}"),
        samples=of_policies("<results>/eval/{task}/{policy}/samples.jsonl", "base"),
    output:
        html=report("<results>/{scope}report.html", caption="../report/report.rst", category="Report"),
        figures=collect("<results>/{{scope}}figures/{name}.pdf", name=["changes", "families", "curves"]),
        numbers="<results>/{scope}numbers.tex",
        table="<results>/{scope}table.tex",
    log:
        "<logs>/{scope}report.log",
    params:
        config=json.dumps(config, sort_keys=True),
        command=lambda wildcards: command(*filter(None, [wildcards.scope.rstrip("/")])),
    shell:
        "python scripts/report.py --config {params.config:q} --command {params.command:q}"
        " --template {input.template} --citation {input.citation} --locks {input.locks} --results {input.results}"
        " --adapters {input.adapters} --samples {input.samples}"
        " --html {output.html} --figures {output.figures} --numbers {output.numbers} --table {output.table} 2>&1 | tee {log}"


rule package_model:
    input:
        code=code("scripts/package_model.py"),
        template="workflow/report/model_card.md.j2",
        results="<results>/results.json",
        merged="<results>/models/{policy}",
        adapter="<results>/adapters/{policy}",
    output:
        package=directory("<results>/hub/{policy}"),
        manifest="<results>/hub/{policy}.sha256",
    log:
        "<logs>/package_model/{policy}.log",
    params:
        config=json.dumps(config, sort_keys=True),
        command=command(),
    shell:
        "python scripts/package_model.py --config {params.config:q} --command {params.command:q}"
        " --template {input.template} --policy {wildcards.policy}"
        " --results {input.results} --merged {input.merged} --adapter {input.adapter}"
        " --package {output.package} --manifest {output.manifest} 2>&1 | tee {log}"


rule publish:
    input:
        code=code("scripts/publish.py"),
        template="workflow/report/report.html.j2",
        citation="CITATION.cff",
        locks=LOCKS,
        results="<results>/results.json",
        report="<results>/report.html",
        controls="<results>/controls/results.json",
        controls_report="<results>/controls/report.html",
        manifests=collect("<results>/hub/{policy}.sha256", policy=policies()),
    output:
        sums=f"results/published/{config['run']}/SHA256SUMS",
    log:
        "<logs>/publish.log",
    params:
        config=json.dumps(config, sort_keys=True),
        logs=f"logs/{config['run']}",
        commands=[command(), command("controls")],
    shell:
        "python scripts/publish.py --config {params.config:q} --commands {params.commands:q}"
        " --template {input.template} --citation {input.citation} --page-of {input.controls} --locks {input.locks}"
        " --results {input.results} --logs {params.logs} --sums {output.sums} 2>&1 | tee {log}"


rule verify:
    input:
        code=code("scripts/verify.py"),
    log:
        "logs/verify.log",
    shell:
        "python scripts/verify.py 2>&1 | tee {log}"
