# In: candidates/<policy>/, with train.select.every. Out: adapters/<policy>, training/<policy>/selection.json.
# Checkpoints are evaluated on dev alone, and the test split by what was selected alone.


def steps(wildcards):
    """The steps whose checkpoints are candidates: every so many, and the last."""
    train = settings_of(wildcards.arm, "train")
    last = definitions("scripts/reasoning/training.py")["arguments"](train)["max_steps"]
    return sorted({*range(train["select"]["every"], last, train["select"]["every"]), last})


def of_candidates(pattern):
    """An input function: the files of `pattern` for every candidate of the policy in the path, on dev."""

    def files(wildcards):
        return collect(pattern, task=DEV_TASK, step=steps(wildcards), arm=wildcards.arm, seed=wildcards.seed)

    return files


use rule merge_lora as merge_candidate with:
    input:
        script=stage("merge_lora"),
        modules=modules("merge_lora"),
        model=start,
        adapter="<results>/candidates/{arm}-seed{seed}",
    output:
        merged=temp(directory("<results>/models/{arm}-seed{seed}-step{step}")),
    log:
        "<logs>/merge_lora/{arm}-seed{seed}-step{step}.log",
    benchmark:
        "<logs>/merge_lora/{arm}-seed{seed}-step{step}.tsv"
    params:
        env=MODEL_ENV,
        merge=settings("merge"),
        within="/step{step}",
    message:
        "Merge {wildcards.arm}, seed {wildcards.seed}, step {wildcards.step}, into its base model"


rule select_checkpoint:
    """Make the checkpoint that is best on dev the adapter."""
    input:
        script=stage("select_checkpoint"),
        modules=modules("select_checkpoint"),
        checkpoints="<results>/candidates/{arm}-seed{seed}",
        metrics=of_candidates("<results>/eval/{task}/{arm}-seed{seed}-step{step}/metrics.json"),
    output:
        adapter=directory("<results>/adapters/{arm}-seed{seed}"),
        selection="<results>/training/{arm}-seed{seed}/selection.json",
    log:
        "<logs>/select_checkpoint/{arm}-seed{seed}.log",
    wildcard_constraints:
        arm=that_merge(ARMS, False),
    resources:
        **asks("select_checkpoint"),
    params:
        headline=config["headline"],
    message:
        "Select a checkpoint of {wildcards.arm}, seed {wildcards.seed}"
    shell:
        r"""
        python {input.script:q} \
            --headline {params.headline} \
            --checkpoints {input.checkpoints:q} \
            --metrics {input.metrics:q} \
            --adapter {output.adapter:q} \
            --selection {output.selection:q} \
            2>{log:q}
        """
