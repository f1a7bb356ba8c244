# The workflow lives in workflow/Snakefile, where the workflow catalog looks for it; this file makes
# `snakemake --cores 1` work at the top level. An include does not set the default target, so the last line does.
include: "workflow/Snakefile"


workflow.default_target = "all"
