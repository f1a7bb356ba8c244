"""The energy that a machine used, from the counters of its processors (RAPL) and GPUs (NVML), if they can be read.

Linux shows a processor's counter in /sys/class/powercap (Documentation/power/powercap), on most systems to root alone.
A counter is the machine's, not a process's: jobs that run side by side each see the energy of all.
"""

import ctypes
import threading
import time
from pathlib import Path

POWERCAP = Path("/sys/class/powercap")
SECONDS = 30  # between two looks: a processor's counter starts anew after some minutes or hours


def packages(folder=POWERCAP):
    """`{counter: (joules, joules at which it starts anew)}` of the processors; empty if none can be read."""
    found = {}
    for zone in sorted(folder.glob("*:*")):
        try:
            if (zone / "name").read_text().startswith("package"):  # the others are parts of these
                used, limit = (int((zone / name).read_text()) / 1e6 for name in ("energy_uj", "max_energy_range_uj"))
                found[zone.name] = used, limit
        except (OSError, ValueError):
            continue
    return found


def gpus():
    """`{counter: (joules, None)}` of NVIDIA GPUs since the driver was loaded; empty if none tells it."""
    try:
        nvml = ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return {}
    found, count = {}, ctypes.c_uint()
    if nvml.nvmlInit_v2() or nvml.nvmlDeviceGetCount_v2(ctypes.byref(count)):
        return {}
    for index in range(count.value):
        device, used = ctypes.c_void_p(), ctypes.c_ulonglong()
        if nvml.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(device)):
            continue
        if not nvml.nvmlDeviceGetTotalEnergyConsumption(device, ctypes.byref(used)):
            found[f"gpu-{index}"] = used.value / 1e3, None
    return found


def read():
    """All counters of this machine."""
    return packages() | gpus()


def used(before, after):
    """The joules between two readings of the same counters."""
    total = 0.0
    for name in before.keys() & after.keys():
        (first, limit), (last, _) = before[name], after[name]
        total += last - first if last >= first else last + (limit or 0) - first
    return total


class Meter:
    """The energy that this machine uses from now on."""

    def __init__(self, counters=read):
        self.counters, self.last, self.joules, self.lock = counters, counters(), 0.0, threading.Lock()
        if self.last:
            threading.Thread(target=self.watch, daemon=True).start()

    def watch(self):
        while True:
            time.sleep(SECONDS)
            self.look()

    def look(self):
        """The joules up to now; None if this machine has no counter that can be read."""
        with self.lock:
            now = self.counters()
            self.joules += used(self.last, now)
            self.last = now
        return self.joules if self.last else None
