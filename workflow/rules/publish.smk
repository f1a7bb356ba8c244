# In: every score of the run. Out: results.json, table.csv, report.html, hub/<policy>/; controls/ has the first three
# for the run and its control arms. publish copies all of it to results/published/<run>/, and verify recomputes that.


rule tabulate_results:
    """Collect every score, comparison and check in one file and one table."""
    input:
        script=stage("tabulate_results"),
        modules=modules("tabulate_results"),
        metrics=of_policies("<results>/eval/{task}/{policy}/metrics.json", "base"),
        samples=of_policies("<results>/eval/{task}/{policy}/samples.jsonl", "base"),
        comparisons=of_policies("<results>/compare/{task}/{policy}.json"),
        merges=of_policies("<results>/merge/{policy}.json"),
        probes=collect("<results>/probe/{task}.json", task=config["evaluate_on"]),
        environments=of_policies("<results>/training/{policy}/environment.json"),
    output:
        results="<results>/{scope}results.json",
        table=report("<results>/{scope}table.csv", caption="../report/table.rst", category="Scores"),
        text="<results>/{scope}table.txt",
    log:
        "<logs>/{scope}tabulate_results.log",
    params:
        run=config["run"],
        policy=trained_policies()[0],
        headline=config["headline"],
    message:
        "Tabulate the results"
    shell:
        r"""
        python {input.script:q} \
            --run {params.run:q} \
            --policy {params.policy} \
            --headline {params.headline} \
            --metrics {input.metrics:q} \
            --samples {input.samples:q} \
            --comparisons {input.comparisons:q} \
            --merges {input.merges:q} \
            --probes {input.probes:q} \
            --environments {input.environments:q} \
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
        figures=collect("<results>/{{scope}}figures/{name}.pdf", name=["changes", "families", "curves"]),
        numbers="<results>/{scope}numbers.tex",
        table="<results>/{scope}table.tex",
    log:
        "<logs>/{scope}report.log",
    params:
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
            --histories {input.histories:q} \
            --samples {input.samples:q} \
            --config-file {output.config:q} \
            --html {output.html:q} \
            --figures {output.figures:q} \
            --numbers {output.numbers:q} \
            --table {output.table:q} \
            2>{log:q}
        """


rule export_gguf:
    """Export a merged model as GGUF, and compare the logits of the two."""
    input:
        script=stage("export_gguf"),
        modules=modules("export_gguf"),
        merged="<results>/models/{policy}",
        data=f"<results>/data/{config['task']}/dev.jsonl",
    output:
        gguf="<results>/gguf/{policy}.gguf",
        parity="<results>/gguf/{policy}.json",
    log:
        "<logs>/export_gguf/{policy}.log",
    threads: config["merge"]["threads"]
    params:
        env=MODEL_ENV,
        type=config["hub"]["gguf"] or "F16",
        name=lambda wildcards: f"{config['run']}-{wildcards.policy}",
        merge=settings("merge"),
        prompt=section_of_task("prompt", config["task"]),
    message:
        "Export {wildcards.policy} as GGUF"
    shell:
        r"""
        {params.env} python {input.script:q} \
            --type {params.type} \
            --name {params.name:q} \
            --merge-config {params.merge:q} \
            --prompt-config {params.prompt:q} \
            --merged {input.merged:q} \
            --data {input.data:q} \
            --gguf {output.gguf:q} \
            --parity {output.parity:q} \
            2>{log:q}
        """


rule package_model:
    """Assemble a trained model with its card, scores and checksums in one folder, ready for the Hub."""
    input:
        script=stage("package_model"),
        modules=modules("package_model"),
        template=packaged("workflow/report/model_card.md.j2"),
        citation=packaged("CITATION.cff"),
        results="<results>/results.json",
        base="<results>/models/base",
        merged="<results>/models/{arm}-seed{seed}",
        adapter="<results>/adapters/{arm}-seed{seed}",
        history="<results>/training/{arm}-seed{seed}/history.csv",
        arguments="<results>/training/{arm}-seed{seed}/arguments.json",
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
        command=command("run-config.json"),
    message:
        "Package {wildcards.arm}, seed {wildcards.seed}"
    shell:
        r"""
        python {input.script:q} \
            --config {params.config:q} \
            --command {params.command:q} \
            --train-config {params.train:q} \
            --rewards-config {params.rewards:q} \
            --template {input.template:q} \
            --citation {input.citation:q} \
            --policy {wildcards.arm}-seed{wildcards.seed} \
            --results {input.results:q} \
            --base {input.base:q} \
            --merged {input.merged:q} \
            --adapter {input.adapter:q} \
            --history {input.history:q} \
            --arguments {input.arguments:q} \
            --gguf {input.gguf:q} \
            --package {output.package:q} \
            --manifest {output.manifest:q} \
            2>{log:q}
        """


rule upload_hub:
    """Upload a package to the Hub; the receipt names its commit there."""
    input:
        script=stage("upload_hub"),
        modules=modules("upload_hub"),
        package="<results>/hub/{policy}",
    output:
        receipt=update("<results>/hub/{policy}.json"),  # kept until replaced: it names the parent commit
    log:
        "<logs>/upload_hub/{policy}.log",
    params:
        hub=settings("hub"),
    message:
        "Upload {wildcards.policy}"
    shell:
        r"""
        python {input.script:q} \
            --hub-config {params.hub:q} \
            --policy {wildcards.policy} \
            --package {input.package:q} \
            --receipt {output.receipt:q} \
            2>{log:q}
        """


rule verify_pins:
    """Check every pinned revision and checksum of the presets on the Hub."""
    input:
        script=stage("verify_pins"),
        modules=modules("verify_pins", "scripts/sources/hf.py"),
    log:
        "logs/verify_pins.log",
    params:
        default=f"{ROOT}config/config.yaml",
        overlays=overlays(),
    message:
        "Check every pin on the Hub"
    shell:
        r"""
        python {input.script:q} \
            --default {params.default:q} \
            --overlays {params.overlays:q} \
            2>{log:q}
        """


rule publish:
    """Copy a finished run and its controls into the published record."""
    input:
        script=stage("publish"),
        modules=modules("publish"),
        template=packaged("workflow/report/report.html.j2"),
        citation=packaged("CITATION.cff"),
        results="<results>/results.json",
        report="<results>/report.html",
        controls="<results>/controls/results.json",
        controls_report="<results>/controls/report.html",
        manifests=collect("<results>/hub/{policy}.sha256", policy=trained_policies()),
    output:
        sums=update(f"<published>/{config['run']}/SHA256SUMS"),  # the old record is kept until the new one is complete
    log:
        "<logs>/publish.log",
    params:
        config=settings(),
        commands=[command(place(f"<published>/{config['run']}/config.json"), *target) for target in ([], ["controls"])],
        configfiles=overlaid_by(),
    message:
        "Publish the run's record"
    shell:
        r"""
        python {input.script:q} \
            --config {params.config:q} \
            --commands {params.commands:q} \
            --configfiles {params.configfiles:q} \
            --template {input.template:q} \
            --citation {input.citation:q} \
            --results {input.results:q} \
            --logs "$(dirname {log:q})" \
            --sums {output.sums:q} \
            2>{log:q}
        """


rule verify:
    """Recompute every published number, and compare fresh runs with them."""
    input:
        script=stage("verify"),
        modules=modules("verify"),
    log:
        "logs/verify.log",
    params:
        records=place("<published>"),
        results=str(Path(place("<results>")).parent),
    message:
        "Verify the published records"
    shell:
        r"""
        python {input.script:q} \
            --records {params.records:q} \
            --results {params.results:q} \
            --verified {params.results:q}/verified.json \
            2>{log:q}
        """


rule build_image:
    """Build the container image of the environment."""
    input:
        script=stage("build_image"),
        modules=modules("build_image"),
    log:
        "logs/build_image.log",
    params:
        environment=config["environment"],
        images=IMAGES,
        definition=DEFINITION,
        locks=LOCKS,
        image=IMAGE,
    message:
        "Build the image for environment {params.environment}"
    shell:
        r"""
        python {input.script:q} \
            --environment {params.environment} \
            --images {params.images:q} \
            --definition {params.definition:q} \
            --locks {params.locks:q} \
            --image {params.image:q} \
            2>{log:q}
        """
