# In: models/<policy>, data/<task>/<split>.jsonl. Out: eval/<task>/<policy>/, compare/<task>/<policy>.json, probe/<task>.json.


rule evaluate:
    input:
        code=code("scripts/evaluate.py", backend("eval")),
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


rule probe_contamination:
    input:
        code=code("scripts/probe_contamination.py"),
        model="<results>/models/base",
        data=f"<results>/data/{{task}}/{config['eval']['split']}.jsonl",
    output:
        probe="<results>/probe/{task}.json",
    log:
        "<logs>/probe_contamination/{task}.log",
    benchmark:
        "<logs>/probe_contamination/{task}.tsv"
    threads: config["eval"]["threads"]
    resources:
        gpu=1,
    params:
        settings=settings("eval"),
        questions=config["probe"]["items"],
    shell:
        f"{MODEL_ENV} python scripts/probe_contamination.py"
        " --settings {params.settings:q} --items {params.questions} --model {input.model} --data {input.data} --probe {output.probe} 2>&1 | tee {log}"


rule export_lm_eval:
    input:
        code=code("scripts/export_lm_eval.py"),
        data=f"<results>/data/{{task}}/{config['eval']['split']}.jsonl",
    output:
        yaml="<results>/lm_eval/{task}.yaml",
    log:
        "<logs>/export_lm_eval/{task}.log",
    params:
        settings=settings("eval"),
        prompt=settings("prompt"),
    shell:
        "python scripts/export_lm_eval.py --task {wildcards.task} --data {input.data}"
        " --prompt {params.prompt:q} --settings {params.settings:q} --yaml {output.yaml} 2>&1 | tee {log}"
