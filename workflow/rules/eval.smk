# In: models/<policy>, data/<task>/<split>.jsonl. Out: eval/<task>/<policy>/, compare/<task>/<policy>.json.


rule evaluate:
    input:
        code=code("scripts/evaluate.py", *backend("eval")),
        model="<results>/models/{policy}",
        data=f"<results>/data/{{task}}/{config['eval']['split']}.jsonl",
    output:
        metrics="<results>/eval/{task}/{policy}/metrics.json",
        samples="<results>/eval/{task}/{policy}/samples.jsonl",
    log:
        "<logs>/evaluate/{task}/{policy}.log",
    benchmark:
        "<logs>/evaluate/{task}/{policy}.tsv"
    threads: config["eval"]["threads"]
    resources:
        gpu=1,
    params:
        settings=settings("eval"),
        prompt=settings("prompt"),
        task=task_settings,
    shell:
        f"{MODEL_ENV} python scripts/evaluate.py"
        " --settings {params.settings:q} --prompt {params.prompt:q}"
        " --task {wildcards.task} --task-settings {params.task:q} --model {input.model} --data {input.data}"
        " --metrics {output.metrics} --samples {output.samples} 2>&1 | tee {log}"


rule compare:
    input:
        code=code("scripts/compare.py"),
        base_metrics="<results>/eval/{task}/base/metrics.json",
        base_samples="<results>/eval/{task}/base/samples.jsonl",
        policy_metrics="<results>/eval/{task}/{policy}/metrics.json",
        policy_samples="<results>/eval/{task}/{policy}/samples.jsonl",
    output:
        comparison="<results>/compare/{task}/{policy}.json",
    log:
        "<logs>/compare/{task}/{policy}.log",
    shell:
        "python scripts/compare.py --base-metrics {input.base_metrics} --base-samples {input.base_samples}"
        " --policy-metrics {input.policy_metrics} --policy-samples {input.policy_samples}"
        " --comparison {output.comparison} 2>&1 | tee {log}"
