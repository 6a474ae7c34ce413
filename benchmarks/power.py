"""Energy meters of this machine: RAPL for processors, NVML for a GPU. Without one, energy is not given."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

POWERCAP = Path("/sys/class/powercap")
Meter = Callable[[], float]
"""Joules since some moment."""


def processor(folder: Path = POWERCAP) -> tuple[Meter | None, str]:
    """The meter of all processor packages, and what there is or why there is none."""
    packages = sorted(folder.glob("intel-rapl:[0-9]")) if folder.exists() else []
    if not packages:
        return None, f"no power meter: {folder} {'has no RAPL package' if folder.exists() else 'does not exist'}"
    try:
        for package in packages:
            int((package / "energy_uj").read_text())
    except PermissionError:
        return None, f"no power meter: {packages[0] / 'energy_uj'} may be read by root only"
    spans = [int((package / "max_energy_range_uj").read_text()) for package in packages]
    last = [int((package / "energy_uj").read_text()) for package in packages]
    total = [0]

    def read() -> float:
        for k, package in enumerate(packages):
            now = int((package / "energy_uj").read_text())
            total[0] += (now - last[k]) % (spans[k] + 1)  # counters begin anew
            last[k] = now
        return total[0] * 1e-6

    return read, f"RAPL, processor packages: {len(packages)}, other processes included"


def gpu() -> Meter | None:
    """The meter of the first NVIDIA GPU, None without pynvml or without a counter."""
    try:
        import pynvml

        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByIndex(0)
        pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
    except Exception:  # no package, no driver, no device, or an old one: for all, there is no meter
        return None
    return lambda: pynvml.nvmlDeviceGetTotalEnergyConsumption(handle) * 1e-3
