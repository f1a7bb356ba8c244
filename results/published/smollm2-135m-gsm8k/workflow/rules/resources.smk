# What jobs may use: memory and time by rule from the config, and GPUs as the settings use them.


def asks(rule, gpus=None):
    """`{mem_mb, runtime}` of a rule's jobs, in MB and minutes; each further attempt may use as much again.

    In a run for a GPU also `gpu`: `gpus(wildcards)` on a cluster, which assigns them, all on one of its nodes, where
    the processes of a training find each other. On one machine all jobs see the same GPUs, so they take turns: each
    asks for all.
    """
    amounts = config["resources"]["other"] | config["resources"].get(rule, {})
    asked = {name: lambda wildcards, attempt, each=each: attempt * each for name, each in amounts.items()}
    if gpus and not config["train"]["grpo"]["use_cpu"]:
        asked["gpu"] = lambda wildcards: GPUS if workflow.local_exec else gpus(wildcards)
        asked["nodes"] = 1
    return asked


def training_gpus(wildcards):
    """One for each process."""
    return config["train"]["processes"]


def tensor_parallel(task):
    """The GPUs over which a task's engine spreads the model."""
    return of_task("eval", task).get("engine", {}).get("tensor_parallel_size", 1)


def eval_gpus(wildcards):
    return tensor_parallel(wildcards.task)


def one_gpu(wildcards):
    return 1


# The most that a job of this run asks for, and all that there are on one machine, unless --resources gpu=<n> says more.
GPUS = max(config["train"]["processes"], *map(tensor_parallel, measured_tasks()))
if "gpu" not in workflow.global_resources:
    workflow.register_resource("gpu", GPUS)


resource_scopes:
    gpu="local",  # of one machine: no limit for a whole cluster
