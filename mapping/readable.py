"""Numbers for people: times, energies and areas with the prefix that suits them, and shares."""

from __future__ import annotations


def seconds(value: float) -> str:
    """A time for people."""
    for scale, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "us")):
        if value >= scale:
            return f"{value / scale:.4g} {unit}"
    return f"{value * 1e9:.3g} ns"


def age(value: float) -> str:
    """A long time for people."""
    for scale, unit in ((365 * 86400.0, "year"), (86400.0, "day"), (3600.0, "hour")):
        if value >= scale:
            number = f"{value / scale:.3g}"
            return f"{number} {unit}{'' if number == '1' else 's'}"
    return seconds(value)


def joules(value: float) -> str:
    """An energy for people."""
    for scale, unit in ((1.0, "J"), (1e-3, "mJ"), (1e-6, "uJ"), (1e-9, "nJ")):
        if value >= scale:
            return f"{value / scale:.4g} {unit}"
    return f"{value * 1e12:.3g} pJ"


def square_metres(value: float) -> str:
    """The area of a circuit for people."""
    return f"{value * 1e6:.4g} mm2" if value >= 1e-9 else f"{value * 1e12:.4g} um2"


def percent(part: float, whole: float) -> str:
    """A share for people, so that a small one is not told as none; "-" of nothing."""
    if not whole:
        return "-"
    share = 100 * part / whole
    return f"{share:.1f}%" if share >= 1 or not share else f"{share:.2g}%"


def many(count: int, noun: str) -> str:
    """``"1 PE"``, ``"2 PEs"``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
