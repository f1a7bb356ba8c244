# In: the sources that the config names. Out: models/base, data/<task>/{train,dev,test}.jsonl.
# Outputs are flagged update(), so that Snakemake keeps the old file until the new one is complete: a wrong checksum or
# an unreachable Hub cannot destroy a finished download.


rule download_model:
    """Fetch the base model and check it against its pins."""
    input:
        script=stage("download_model"),
        modules=modules("download_model", source(config["model"]["source"])),
    output:
        model=update(directory("<results>/models/base")),
    log:
        "<logs>/download_model.log",
    cache: True
    localrule: True
    params:
        model=settings("model"),
        source=contents(config["model"]["source"]),
    message:
        "Download the base model"
    shell:
        r"""
        python {input.script:q} \
            --model-config {params.model:q} \
            --model {output.model:q} \
            2>{log:q}
        """


use rule download_model as download_swept_model with:
    input:
        script=stage("download_model"),
        modules=lambda wildcards: modules("download_model", source(BASES[wildcards.base]["source"])),
    output:
        model=update(directory("<results>/models/{base}")),
    log:
        "<logs>/download_model/{base}.log",
    cache: True  # this and the next are not inherited
    localrule: True
    params:
        model=lambda wildcards: argument(BASES[wildcards.base]),
        source=lambda wildcards: contents(BASES[wildcards.base]["source"]),
    message:
        "Download the base model {wildcards.base}"


rule download_data:
    """Fetch a task's splits and check them against their pins."""
    input:
        script=stage("download_data"),
        modules=lambda wildcards: modules("download_data", source(RUN["tasks"][wildcards.task]["source"])),
        task=module_of_task,
    output:
        train=update("<results>/data/{task}/raw/train.jsonl"),
        test=update("<results>/data/{task}/raw/test.jsonl"),
        sums=update("<results>/data/{task}/raw/SHA256SUMS"),
    log:
        "<logs>/download_data/{task}.log",
    cache: True
    priority: 1
    localrule: True
    params:
        task=task_settings,
        source=lambda wildcards: contents(RUN["tasks"][wildcards.task]["source"]),
    message:
        "Download the problems of {wildcards.task}"
    shell:
        r"""
        python {input.script:q} \
            --task-config {params.task:q} \
            --train {output.train:q} \
            --test {output.test:q} \
            --sums {output.sums:q} \
            2>{log:q}
        """


rule format_task:
    """Render every problem as the prompt that the model reads, and set the dev split aside."""
    input:
        script=stage("format_task"),
        modules=modules("format_task"),
        task=code_of_task,
        train="<results>/data/{task}/raw/train.jsonl",
        test="<results>/data/{task}/raw/test.jsonl",
    output:
        train=update("<results>/data/{task}/train.jsonl"),
        dev=update("<results>/data/{task}/dev.jsonl"),
        test=update("<results>/data/{task}/test.jsonl"),
        sums=update("<results>/data/{task}/SHA256SUMS"),
    log:
        "<logs>/format_task/{task}.log",
    cache: True
    priority: 1
    resources:
        **asks("format_task"),
    params:
        prompt=section_of_task("prompt"),
        task=task_settings,
    message:
        "Write the prompts of {wildcards.task}"
    shell:
        r"""
        python {input.script:q} \
            --prompt-config {params.prompt:q} \
            --task-config {params.task:q} \
            --raw-train {input.train:q} \
            --raw-test {input.test:q} \
            --train {output.train:q} \
            --dev {output.dev:q} \
            --test {output.test:q} \
            --sums {output.sums:q} \
            2>{log:q}
        """


rule export_croissant:
    """Describe a task's splits in Croissant, a metadata format for datasets."""
    input:
        script=stage("export_croissant"),
        modules=modules("export_croissant"),
        train="<results>/data/{task}/train.jsonl",
        dev="<results>/data/{task}/dev.jsonl",
        test="<results>/data/{task}/test.jsonl",
    output:
        json="<results>/croissant/{task}.json",
    log:
        "<logs>/export_croissant/{task}.log",
    resources:
        **asks("export_croissant"),
    params:
        task=task_settings,
    message:
        "Describe the data of {wildcards.task}"
    shell:
        r"""
        python {input.script:q} \
            --task {wildcards.task} \
            --task-config {params.task:q} \
            --train {input.train:q} \
            --dev {input.dev:q} \
            --test {input.test:q} \
            --json {output.json:q} \
            2>{log:q}
        """
