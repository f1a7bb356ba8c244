# In: the sources that the config names. Out: models/base, data/<task>/{train,dev,test}.jsonl.
# Outputs are flagged update(): Snakemake then keeps what is there until the new file is complete, so that a
# wrong checksum or an unreachable Hub cannot cost a finished download.


rule download_model:
    input:
        code=code("scripts/download_model.py", source(config["model"]["source"])),
    output:
        model=update(directory("<results>/models/base")),
    log:
        "<logs>/download_model.log",
    cache: True
    params:
        settings=settings("model"),
    shell:
        "python scripts/download_model.py --settings {params.settings:q} --model {output.model} 2>&1 | tee {log}"


rule download_data:
    input:
        code=lambda wildcards: code(
            "scripts/download_data.py",
            source(config["tasks"][wildcards.task]["source"]),
        ),
    output:
        train=update("<results>/data/{task}/raw/train.jsonl"),
        test=update("<results>/data/{task}/raw/test.jsonl"),
    log:
        "<logs>/download_data/{task}.log",
    cache: True
    params:
        settings=task_settings,
    shell:
        "python scripts/download_data.py --settings {params.settings:q}"
        " --train {output.train} --test {output.test} 2>&1 | tee {log}"


rule format_gsm8k:
    input:
        code=code("scripts/format_gsm8k.py"),
        train="<results>/data/{task}/raw/train.jsonl",
        test="<results>/data/{task}/raw/test.jsonl",
    output:
        train=update("<results>/data/{task}/train.jsonl"),
        dev=update("<results>/data/{task}/dev.jsonl"),
        test=update("<results>/data/{task}/test.jsonl"),
    log:
        "<logs>/format_gsm8k/{task}.log",
    cache: True
    params:
        prompt=settings("prompt"),
        task=task_settings,
    shell:
        "python scripts/format_gsm8k.py --prompt {params.prompt:q} --task {params.task:q}"
        " --raw-train {input.train} --raw-test {input.test}"
        " --train {output.train} --dev {output.dev} --test {output.test} 2>&1 | tee {log}"


rule export_croissant:
    input:
        code=code("scripts/export_croissant.py"),
        train="<results>/data/{task}/train.jsonl",
        dev="<results>/data/{task}/dev.jsonl",
        test="<results>/data/{task}/test.jsonl",
    output:
        json="<results>/croissant/{task}.json",
    log:
        "<logs>/export_croissant/{task}.log",
    params:
        task=task_settings,
    shell:
        "python scripts/export_croissant.py --task {wildcards.task} --task-settings {params.task:q}"
        " --train {input.train} --dev {input.dev} --test {input.test} --json {output.json} 2>&1 | tee {log}"
