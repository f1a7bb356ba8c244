"""The same numbers on every run: seeds, deterministic kernels, and a thread count that belongs to the settings."""

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h


def fix(seed, threads):
    """Seed every generator and fix torch's threads; call before a model is made.

    The number of threads decides how sums are split, and so their last bits. It is therefore taken from the
    config and not from the environment, where Snakemake sets OMP_NUM_THREADS to what `--cores` leaves it.
    """
    import ctypes
    import os

    import torch
    from accelerate.utils import set_seed  # transformers must not be imported before Unsloth is

    set_seed(seed)
    torch.set_num_threads(threads)
    # On a GPU some kernels (cumulative sums, vLLM's own) have no deterministic form: those warn in the log.
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
    torch.use_deterministic_algorithms(True, warn_only=torch.cuda.is_available())
    torch.utils.deterministic.fill_uninitialized_memory = False  # for debugging only, and it costs time

    # Large tensors come and go with every layer. glibc would hand their pages back to the kernel each time and
    # have them cleared anew, which takes a third of the time of a step; other C libraries have no mallopt.
    mallopt = getattr(ctypes.CDLL(None), "mallopt", lambda option, value: None)
    mallopt(M_MMAP_THRESHOLD, 2**31 - 1)
    mallopt(M_TRIM_THRESHOLD, -1)
