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
        config=settings(),
        image=PARTS["base"],
        command=lambda wildcards: command(*filter(None, [wildcards.scope.rstrip("/")])),
    shell:
        "python scripts/report.py --config {params.config:q} --command {params.command:q}"
        " --template {input.template} --citation {input.citation} --locks {input.locks} --image {params.image:q}"
        " --results {input.results} --adapters {input.adapters} --samples {input.samples}"
        " --html {output.html} --figures {output.figures} --numbers {output.numbers} --table {output.table} 2>&1 | tee {log}"


rule export_gguf:
    input:
        code=code("scripts/export_gguf.py"),
        merged="<results>/models/{policy}",
        data=f"<results>/data/{config['task']}/dev.jsonl",
    output:
        gguf="<results>/gguf/{policy}.gguf",
        parity="<results>/gguf/{policy}.json",
    log:
        "<logs>/export_gguf/{policy}.log",
    threads: config["merge"]["threads"]
    params:
        type=config["hub"]["gguf"] or "F16",
        name=lambda wildcards: f"{config['run']}-{wildcards.policy}",
        settings=settings("merge"),
        prompt=settings("prompt"),
    shell:
        f"{MODEL_ENV} python scripts/export_gguf.py"
        " --type {params.type} --name {params.name:q} --settings {params.settings:q} --prompt {params.prompt:q}"
        " --merged {input.merged} --data {input.data} --gguf {output.gguf} --parity {output.parity} 2>&1 | tee {log}"


rule package_model:
    input:
        code=code("scripts/package_model.py"),
        template="workflow/report/model_card.md.j2",
        citation="CITATION.cff",
        results="<results>/results.json",
        base="<results>/models/base",
        merged="<results>/models/{arm}-seed{seed}",
        adapter="<results>/adapters/{arm}-seed{seed}",
        gguf=(
            ["<results>/gguf/{arm}-seed{seed}.gguf", "<results>/gguf/{arm}-seed{seed}.json"]
            if config["hub"]["gguf"]
            else []
        ),
    output:
        package=directory("<results>/hub/{arm}-seed{seed}"),
        manifest="<results>/hub/{arm}-seed{seed}.sha256",
    log:
        "<logs>/package_model/{arm}-seed{seed}.log",
    params:
        config=settings(),
        train=arm_settings("train"),
        rewards=arm_settings("rewards"),
        command=command(),
    shell:
        "python scripts/package_model.py --config {params.config:q} --command {params.command:q}"
        " --train {params.train:q} --rewards {params.rewards:q}"
        " --template {input.template} --citation {input.citation} --policy {wildcards.arm}-seed{wildcards.seed}"
        " --results {input.results} --base {input.base} --merged {input.merged} --adapter {input.adapter} --gguf {input.gguf}"
        " --package {output.package} --manifest {output.manifest} 2>&1 | tee {log}"


rule upload_hub:
    input:
        code=code("scripts/upload_hub.py"),
        package="<results>/hub/{policy}",
    output:
        receipt=update("<results>/hub/{policy}.json"),  # kept until the next one: it names the commit to build on
    log:
        "<logs>/upload_hub/{policy}.log",
    params:
        settings=settings("hub"),
    shell:
        "python scripts/upload_hub.py --settings {params.settings:q} --policy {wildcards.policy}"
        " --package {input.package} --receipt {output.receipt} 2>&1 | tee {log}"


rule verify_pins:
    input:
        code=code("scripts/verify_pins.py", "scripts/sources/hf.py"),
    log:
        "logs/verify_pins.log",
    params:
        default="config/config.yaml",
        overlays=sorted(map(str, set(Path("config").glob("*.yaml")) - {Path("config/config.yaml")})),
    shell:
        "python scripts/verify_pins.py --default {params.default} --overlays {params.overlays} 2>&1 | tee {log}"


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
        sums=update(f"results/published/{config['run']}/SHA256SUMS"),  # the old record stands until the new one does
    log:
        "<logs>/publish.log",
    params:
        config=settings(),
        image=PARTS["base"],
        logs=f"logs/{config['run']}",
        commands=[command(), command("controls")],
    shell:
        "python scripts/publish.py --config {params.config:q} --commands {params.commands:q}"
        " --template {input.template} --citation {input.citation} --page-of {input.controls} --locks {input.locks} --image {params.image:q}"
        " --results {input.results} --logs {params.logs} --sums {output.sums} 2>&1 | tee {log}"


rule verify:
    input:
        code=code("scripts/verify.py"),
    log:
        "logs/verify.log",
    shell:
        "python scripts/verify.py 2>&1 | tee {log}"


rule build_image:
    log:
        "logs/build_image.log",
    params:
        lane=config["container"],
        images=IMAGES,
        definition=DEFINITION,
        lists=LOCKS,
        image=IMAGE,
    shell:
        "python scripts/build_image.py --lane {params.lane} --images {params.images} --definition {params.definition}"
        " --lists {params.lists} --image {params.image} 2>&1 | tee {log}"
