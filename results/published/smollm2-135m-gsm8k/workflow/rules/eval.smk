# In: models/<policy>, data/<task>/<split>.jsonl. Out: eval/<task>/<policy>/, compare/<task>/<policy>.json,
# probe/<task>.json.


rule evaluate:
    """Evaluate a policy, base or trained, on a task."""
    input:
        script=stage("evaluate"),
        modules=lambda wildcards: modules("evaluate", eval_backend(wildcards)),
        task=code_of_task,
        model="<results>/models/{policy}",
        data=measured_split,
        shards=shards,
    output:
        metrics="<results>/eval/{task}/{policy}/metrics.json",
        samples="<results>/eval/{task}/{policy}/samples.jsonl",
    log:
        "<logs>/evaluate/{task}/{policy}.log",
    benchmark:
        "<logs>/evaluate/{task}/{policy}.tsv"
    priority: 1  # before training: a prompt or a task that cannot be measured stops the run here
    threads: eval_threads
    resources:
        **asks("evaluate", eval_gpus if config["shards"] == 1 else None),
    params:
        env=MODEL_ENV,
        eval=section_of_task("eval"),
        prompt=section_of_task("prompt"),
        task=task_settings,
        checkpoints=lambda wildcards: place(f"<results>/checkpoints/evaluate/{wildcards.task}/{wildcards.policy}"),
    message:
        "Evaluate {wildcards.policy} on {wildcards.task}"
    shell:
        r"""
        {params.env} python {input.script:q} \
            --eval-config {params.eval:q} \
            --prompt-config {params.prompt:q} \
            --task {wildcards.task} \
            --task-config {params.task:q} \
            --model {input.model:q} \
            --data {input.data:q} \
            --metrics {output.metrics:q} \
            --samples {output.samples:q} \
            --checkpoints {params.checkpoints:q} \
            --shards {input.shards:q} \
            --code {input.script:q} {input.modules:q} {input.task:q} \
            2>{log:q}
        """


rule evaluate_shard:
    """Complete a share of an evaluation's batches, for an evaluation that several jobs share."""
    input:
        script=stage("evaluate_shard"),
        modules=lambda wildcards: modules("evaluate_shard", eval_backend(wildcards)),
        model="<results>/models/{policy}",
        data=measured_split,
    output:
        folder=temp(directory("<results>/shards/{task}/{policy}/{shard}-of-{of}")),
    log:
        "<logs>/evaluate_shard/{task}/{policy}/{shard}-of-{of}.log",
    benchmark:
        "<logs>/evaluate_shard/{task}/{policy}/{shard}-of-{of}.tsv"
    priority: 1
    threads: eval_threads
    resources:
        **asks("evaluate", eval_gpus),
    params:
        env=MODEL_ENV,
        eval=section_of_task("eval"),
        prompt=section_of_task("prompt"),
        task=task_settings,
        checkpoints=lambda wildcards: place(f"<results>/checkpoints/evaluate/{wildcards.task}/{wildcards.policy}"),
    message:
        "Evaluate {wildcards.policy} on {wildcards.task}, shard {wildcards.shard} of {wildcards.of}"
    shell:
        r"""
        {params.env} python {input.script:q} \
            --eval-config {params.eval:q} \
            --prompt-config {params.prompt:q} \
            --task {wildcards.task} \
            --task-config {params.task:q} \
            --policy {wildcards.policy} \
            --model {input.model:q} \
            --data {input.data:q} \
            --shard {wildcards.shard} \
            --of {wildcards.of} \
            --folder {output.folder:q} \
            --checkpoints {params.checkpoints:q} \
            --code {input.script:q} {input.modules:q} \
            2>{log:q}
        """


rule compare:
    """Compare a trained policy with the base model, problem by problem."""
    input:
        script=stage("compare"),
        modules=modules("compare"),
        base_metrics="<results>/eval/{task}/base/metrics.json",
        base_samples="<results>/eval/{task}/base/samples.jsonl",
        policy_metrics="<results>/eval/{task}/{policy}/metrics.json",
        policy_samples="<results>/eval/{task}/{policy}/samples.jsonl",
    output:
        comparison="<results>/compare/{task}/{policy}.json",
    log:
        "<logs>/compare/{task}/{policy}.log",
    benchmark:
        "<logs>/compare/{task}/{policy}.tsv"
    resources:
        **asks("compare"),
    message:
        "Compare {wildcards.policy} with the base model on {wildcards.task}"
    shell:
        r"""
        python {input.script:q} \
            --base-metrics {input.base_metrics:q} \
            --base-samples {input.base_samples:q} \
            --policy-metrics {input.policy_metrics:q} \
            --policy-samples {input.policy_samples:q} \
            --comparison {output.comparison:q} \
            2>{log:q}
        """


rule probe_contamination:
    """Probe whether the base model has memorised the problems of a task."""
    input:
        script=stage("probe_contamination"),
        modules=modules("probe_contamination"),
        model="<results>/models/base",
        data=measured_split,
    output:
        probe="<results>/probe/{task}.json",
    log:
        "<logs>/probe_contamination/{task}.log",
    benchmark:
        "<logs>/probe_contamination/{task}.tsv"
    threads: eval_threads
    resources:
        **asks("probe_contamination", one_gpu),
    params:
        env=MODEL_ENV,
        eval=section_of_task("eval"),
        probe=settings("probe"),
    message:
        "Probe the base model for contamination with {wildcards.task}"
    shell:
        r"""
        {params.env} python {input.script:q} \
            --eval-config {params.eval:q} \
            --probe-config {params.probe:q} \
            --model {input.model:q} \
            --data {input.data:q} \
            --probe {output.probe:q} \
            2>{log:q}
        """


rule export_lm_eval:
    """Export the evaluation as a task of lm-evaluation-harness."""
    input:
        script=stage("export_lm_eval"),
        modules=modules("export_lm_eval"),
        task=code_of_task,
        model="<results>/models/base",
        data=measured_split,
    output:
        yaml="<results>/lm_eval/{task}.yaml",
        filters="<results>/lm_eval/{task}.py",
    log:
        "<logs>/export_lm_eval/{task}.log",
    resources:
        **asks("export_lm_eval"),
    params:
        prompt=section_of_task("prompt"),
        eval=section_of_task("eval"),
        task=task_settings,
    message:
        "Export {wildcards.task} for lm-evaluation-harness"
    shell:
        r"""
        python {input.script:q} \
            --task {wildcards.task} \
            --task-config {params.task:q} \
            --model {input.model:q} \
            --data {input.data:q} \
            --prompt-config {params.prompt:q} \
            --eval-config {params.eval:q} \
            --yaml {output.yaml:q} \
            --filters {output.filters:q} \
            2>{log:q}
        """


rule export_inspect:
    """Export the evaluation as a task of inspect-ai."""
    input:
        script=stage("export_inspect"),
        modules=modules("export_inspect"),
        model="<results>/models/base",
        data=measured_split,
    output:
        file="<results>/inspect/{task}.py",
    log:
        "<logs>/export_inspect/{task}.log",
    resources:
        **asks("export_inspect"),
    params:
        task=lambda wildcards: RUN["tasks"][wildcards.task].get("module", "gsm8k"),
        prompt=section_of_task("prompt"),
        eval=section_of_task("eval"),
    message:
        "Export {wildcards.task} for inspect-ai"
    shell:
        r"""
        python {input.script:q} \
            --task {wildcards.task} \
            --task-module {params.task:q} \
            --model {input.model:q} \
            --data {input.data:q} \
            --prompt-config {params.prompt:q} \
            --eval-config {params.eval:q} \
            --file {output.file:q} \
            2>{log:q}
        """
