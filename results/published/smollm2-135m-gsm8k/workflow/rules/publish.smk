# In: the run's results and models. Out: hub/<policy>/, and by publish, all of the run in results/published/<run>/,
# which verify recomputes.


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
    resources:
        **asks("export_gguf"),
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
    benchmark:
        "<logs>/package_model/{arm}-seed{seed}.tsv"
    resources:
        **asks("package_model"),
    params:
        config=settings_of_run(),
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
    localrule: True
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
    localrule: True
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


rule pin_benchmarks:
    """Ask the Hub for the benchmarks, and write an overlay that pins them."""
    input:
        script=stage("pin_benchmarks"),
        modules=modules(
            "pin_benchmarks",
            "scripts/sources/hf.py",
            *sorted(f"scripts/tasks/{path.name}" for path in Path(ROOT, "scripts/tasks").glob("[a-z]*.py")),
        ),
        benchmarks=packaged("workflow/benchmarks.yaml"),
    log:
        "logs/pin_benchmarks.log",
    localrule: True
    params:
        config=settings(),
        overlay=str(Path(place("<results>")).parent / "benchmarks.yaml"),
    message:
        "Ask the Hub for the benchmarks"
    shell:
        r"""
        python {input.script:q} \
            --benchmarks {input.benchmarks:q} \
            --config {params.config:q} \
            --overlay {params.overlay:q} \
            2>{log:q}
        """


rule publish:
    """Copy a finished run and its controls into the published record."""
    input:
        script=stage("publish"),
        modules=modules("publish"),
        template=packaged("workflow/report/report.html.j2"),
        citation=packaged("CITATION.cff"),
        plan=[flag(config["plan"], PATH_MODIFIER_FLAG)] if config["plan"] else [],
        results="<results>/results.json",
        report="<results>/report.html",
        controls="<results>/controls/results.json",
        controls_report="<results>/controls/report.html",
        manifests=collect("<results>/hub/{policy}.sha256", policy=packaged_policies()),
    output:
        record=update(f"<published>/{config['run']}/SHA256SUMS"),  # the old one stays until it is complete
        sums="<logs>/publish.sha256",  # a copy: after a failure, update() leaves the old record's own looking new
    log:
        "<logs>/publish.log",
    resources:
        **asks("publish"),
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
            --plan {input.plan:q} \
            --results {input.results:q} \
            --logs "$(dirname {log:q})" \
            --record "$(dirname {output.record:q})" \
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
    resources:
        **asks("verify"),
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
