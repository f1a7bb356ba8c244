# The image that the rules may run in: built here from the lock files, or pushed to a registry.


rule build_image:
    """Build the container image of the environment."""
    input:
        script=stage("build_image"),
        modules=modules("build_image"),
    log:
        "logs/build_image.log",
    localrule: True
    params:
        environment=config["environment"],
        images=IMAGES,
        definition=DEFINITION,
        locks=LOCKS,
        image=LOCAL_IMAGE,
    message:
        "Build the image for environment {params.environment}"
    shell:
        r"""
        python {input.script:q} \
            --environment {params.environment} \
            --images {params.images:q} \
            --definition {params.definition:q} \
            --locks {params.locks:q} \
            --image {params.image:q} \
            2>{log:q}
        """


rule push_image:
    """Build the container image of the environment, and push it to the repository in IMAGE_REPOSITORY."""
    input:
        script=stage("build_image"),
        modules=modules("build_image"),
    log:
        "logs/push_image.log",
    localrule: True
    params:
        environment=config["environment"],
        images=IMAGES,
        definition=DEFINITION,
        locks=LOCKS,
        image=LOCAL_IMAGE,
        to=os.environ.get("IMAGE_REPOSITORY", ""),
    message:
        "Build and push the image for environment {params.environment}"
    shell:
        r"""
        python {input.script:q} \
            --environment {params.environment} \
            --images {params.images:q} \
            --definition {params.definition:q} \
            --locks {params.locks:q} \
            --image {params.image:q} \
            --push={params.to:q} \
            2>{log:q}
        """
