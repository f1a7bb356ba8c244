# In: models/base, data/<task>/train.jsonl, or the adapters of other arms. Out: adapters/<policy>, training/<policy>/,
# models/<policy>, merge/<policy>.json.


rule train:
    """Train an adapter by the arm's trainer; its history and settings go to training/<policy>/."""
    input:
        script=stage("train"),
        modules=lambda wildcards: modules("train", backend("train"), trainer(wildcards)),
        task=task_code(config["task"]),
        rewards=reward_files,
        model=start,
        data=f"<results>/data/{config['task']}/train.jsonl",
        demonstrations=demonstrations,
    output:
        adapter=directory(f"<results>/{TRAINED}/{{arm}}-seed{{seed}}"),
        history="<results>/training/{arm}-seed{seed}/history.csv",
        arguments="<results>/training/{arm}-seed{seed}/arguments.json",
        environment="<results>/training/{arm}-seed{seed}/environment.json",
        gpu_memory="<results>/training/{arm}-seed{seed}/gpu_memory.json",
    log:
        "<logs>/train/{arm}-seed{seed}.log",
    benchmark:
        "<logs>/train/{arm}-seed{seed}.tsv"
    wildcard_constraints:
        arm=that_merge(ARMS, False),
    threads: config["train"]["threads"] * config["train"]["processes"]
    resources:
        **asks("train", training_gpus),
        # Resources, because unlike params they may change without another training.
        checkpoint_steps=config["checkpoints"]["steps"],
        checkpoint_minutes=config["checkpoints"]["minutes"],
        report_to=" ".join(config["watch"]["report_to"]),
    params:
        env=MODEL_ENV,
        checkpoints=lambda wildcards: place(f"<results>/checkpoints/train/{wildcards.arm}-seed{wildcards.seed}"),
        reports=lambda wildcards: place(f"<logs>/reports/{wildcards.arm}-seed{wildcards.seed}"),
        launch=launch(config["train"]["processes"]),
        train=arm_settings("train"),
        rewards=arm_settings("rewards"),
        prompt=section_of_task("prompt", config["task"]),
        task=config["tasks"][config["task"]].get("module", "gsm8k"),
        source=start_source,
    message:
        "Train {wildcards.arm}, seed {wildcards.seed}"
    shell:
        r"""
        {params.env} {params.launch} {input.script:q} \
            --train-config {params.train:q} \
            --rewards-config {params.rewards:q} \
            --prompt-config {params.prompt:q} \
            --task-module {params.task:q} \
            --seed {wildcards.seed} \
            --source {params.source:q} \
            --model {input.model:q} \
            --data {input.data:q} \
            --demonstrations {input.demonstrations:q} \
            --adapter {output.adapter:q} \
            --history {output.history:q} \
            --arguments {output.arguments:q} \
            --environment {output.environment:q} \
            --gpu-memory {output.gpu_memory:q} \
            --code {input.script:q} {input.modules:q} {input.task:q} {input.rewards:q} \
            --checkpoints {params.checkpoints:q} \
            --checkpoint-steps {resources.checkpoint_steps} \
            --checkpoint-minutes {resources.checkpoint_minutes} \
            --report-to {resources.report_to} \
            --reports {params.reports:q} \
            2>{log:q}
        """


rule merge_adapters:
    """Merge the adapters of other arms, of the same seed, into one adapter of their base model."""
    input:
        script=stage("merge_adapters"),
        modules=modules("merge_adapters"),
        model=start,
        adapters=merged_adapters,
    output:
        adapter=directory("<results>/adapters/{arm}-seed{seed}"),
        history="<results>/training/{arm}-seed{seed}/history.csv",
        arguments="<results>/training/{arm}-seed{seed}/arguments.json",
        environment="<results>/training/{arm}-seed{seed}/environment.json",
        gpu_memory="<results>/training/{arm}-seed{seed}/gpu_memory.json",
    log:
        "<logs>/merge_adapters/{arm}-seed{seed}.log",
    benchmark:
        "<logs>/merge_adapters/{arm}-seed{seed}.tsv"
    wildcard_constraints:
        arm=that_merge(ARMS),
    threads: config["merge"]["threads"]
    resources:
        **asks("merge_adapters"),
    params:
        env=MODEL_ENV,
        merge=settings("merge"),
        merge_of=lambda wildcards: argument(ARMS[wildcards.arm]["merge_of"]),
        source=start_source,
    message:
        "Merge adapters into {wildcards.arm}, seed {wildcards.seed}"
    shell:
        r"""
        {params.env} python {input.script:q} \
            --merge-config {params.merge:q} \
            --merge-of {params.merge_of:q} \
            --seed {wildcards.seed} \
            --source {params.source:q} \
            --model {input.model:q} \
            --adapters {input.adapters:q} \
            --adapter {output.adapter:q} \
            --history {output.history:q} \
            --arguments {output.arguments:q} \
            --environment {output.environment:q} \
            --gpu-memory {output.gpu_memory:q} \
            2>{log:q}
        """


rule merge_lora:
    """Merge an adapter into the base model."""
    input:
        script=stage("merge_lora"),
        modules=modules("merge_lora"),
        model=start,
        adapter="<results>/adapters/{arm}-seed{seed}",
    output:
        merged=kept(directory("<results>/models/{arm}-seed{seed}")),
    log:
        "<logs>/merge_lora/{arm}-seed{seed}.log",
    benchmark:
        "<logs>/merge_lora/{arm}-seed{seed}.tsv"
    threads: config["merge"]["threads"]
    resources:
        **asks("merge_lora"),
    params:
        env=MODEL_ENV,
        merge=settings("merge"),
        within="",
    message:
        "Merge {wildcards.arm}, seed {wildcards.seed}, into the base model"
    shell:
        r"""
        {params.env} python {input.script:q} \
            --merge-config {params.merge:q} \
            --model {input.model:q} \
            --adapter {input.adapter:q}{params.within} \
            --merged {output.merged:q} \
            2>{log:q}
        """


rule check_merge:
    """Compute every merged tensor again, and compare the logits of the merged and the adapted base model."""
    input:
        script=stage("check_merge"),
        modules=modules("check_merge"),
        model=start,
        adapter="<results>/adapters/{arm}-seed{seed}",
        merged="<results>/models/{arm}-seed{seed}",
        data=f"<results>/data/{config['task']}/dev.jsonl",
    output:
        check="<results>/merge/{arm}-seed{seed}.json",
    log:
        "<logs>/check_merge/{arm}-seed{seed}.log",
    benchmark:
        "<logs>/check_merge/{arm}-seed{seed}.tsv"
    threads: config["merge"]["threads"]
    resources:
        **asks("check_merge", one_gpu),
    params:
        env=MODEL_ENV,
        merge=settings("merge"),
        train=arm_settings("train"),
        prompt=section_of_task("prompt", config["task"]),
    message:
        "Check the merged model of {wildcards.arm}, seed {wildcards.seed}"
    shell:
        r"""
        {params.env} python {input.script:q} \
            --merge-config {params.merge:q} \
            --train-config {params.train:q} \
            --prompt-config {params.prompt:q} \
            --model {input.model:q} \
            --adapter {input.adapter:q} \
            --merged {input.merged:q} \
            --data {input.data:q} \
            --check {output.check:q} \
            2>{log:q}
        """
