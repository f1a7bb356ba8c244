# In: models/base, data/<task>/train.jsonl. Out: adapters/<policy>, models/<policy>, merge/<policy>.json.


rule train_grpo:
    input:
        code=code("scripts/train_grpo.py", backend("train")),
        model="<results>/models/base",
        data=f"<results>/data/{config['task']}/train.jsonl",
    output:
        adapter=directory("<results>/adapters/{arm}-seed{seed}"),
    log:
        "<logs>/train_grpo/{arm}-seed{seed}.log",
    benchmark:
        "<logs>/train_grpo/{arm}-seed{seed}.tsv"
    threads: config["train"]["threads"] * config["train"]["processes"]
    resources:
        gpu=config["train"]["processes"],
    params:
        launch=launch(config["train"]["processes"]),
        settings=arm_settings("train"),
        rewards=arm_settings("rewards"),
        prompt=settings("prompt"),
        source=config["model"]["source"],
    shell:
        f"{MODEL_ENV} {{params.launch}} scripts/train_grpo.py"
        " --settings {params.settings:q} --rewards {params.rewards:q}"
        " --prompt {params.prompt:q} --seed {wildcards.seed} --source {params.source:q}"
        " --model {input.model} --data {input.data} --adapter {output.adapter} 2>&1 | tee {log}"


rule merge_lora:
    input:
        code=code("scripts/merge_lora.py"),
        model="<results>/models/base",
        adapter="<results>/adapters/{arm}-seed{seed}",
    output:
        merged=directory("<results>/models/{arm}-seed{seed}"),
    log:
        "<logs>/merge_lora/{arm}-seed{seed}.log",
    benchmark:
        "<logs>/merge_lora/{arm}-seed{seed}.tsv"
    shell:
        f"{MODEL_ENV} python scripts/merge_lora.py"
        " --model {input.model} --adapter {input.adapter}"
        " --merged {output.merged} 2>&1 | tee {log}"


rule check_merge:
    input:
        code=code("scripts/check_merge.py"),
        model="<results>/models/base",
        adapter="<results>/adapters/{arm}-seed{seed}",
        merged="<results>/models/{arm}-seed{seed}",
        data=f"<results>/data/{config['task']}/dev.jsonl",
    output:
        report="<results>/merge/{arm}-seed{seed}.json",
    log:
        "<logs>/check_merge/{arm}-seed{seed}.log",
    benchmark:
        "<logs>/check_merge/{arm}-seed{seed}.tsv"
    threads: config["merge"]["threads"]
    resources:
        gpu=1,
    params:
        settings=settings("merge"),
        train=arm_settings("train"),
        prompt=settings("prompt"),
    shell:
        f"{MODEL_ENV} python scripts/check_merge.py"
        " --settings {params.settings:q} --train {params.train:q} --prompt {params.prompt:q}"
        " --model {input.model} --adapter {input.adapter} --merged {input.merged}"
        " --data {input.data} --report {output.report} 2>&1 | tee {log}"
