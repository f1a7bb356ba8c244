"""The same numbers on every run: seeds, deterministic kernels, and a thread count from the config."""

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h


def fix(seed, threads):
    """Seed every random number generator and fix torch's thread count; call before a model is loaded.

    The number of threads decides how sums are split, and thus their last bits. It therefore comes from the config, not
    from OMP_NUM_THREADS, which Snakemake sets according to `--cores`.
    """
    import ctypes
    import os

    import torch
    from accelerate.utils import set_seed  # transformers must not be imported before Unsloth is

    set_seed(seed)
    torch.set_num_threads(threads)
    # Some GPU kernels (cumulative sums, vLLM's own) have no deterministic version: these warn in the log.
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
    torch.use_deterministic_algorithms(True, warn_only=torch.cuda.is_available())
    torch.utils.deterministic.fill_uninitialized_memory = False  # only helps debugging, and costs time

    # Every layer allocates and frees large tensors. glibc would return their pages to the kernel each time and get
    # cleared ones back, which takes a third of a step's time; other C libraries have no mallopt.
    mallopt = getattr(ctypes.CDLL(None), "mallopt", lambda option, value: None)
    mallopt(M_MMAP_THRESHOLD, 2**31 - 1)
    mallopt(M_TRIM_THRESHOLD, -1)
