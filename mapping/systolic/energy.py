"""Energy of an array: counts of actions times the prices of its machine files."""

from __future__ import annotations

from collections.abc import Mapping

from .machine import Array

PRICES: Mapping[str, tuple[str, str]] = {
    "products": ("core", "energy.product"),
    "idle_cycles": ("core", "energy.idle_cycle"),
    "decoded_nibbles": ("core", "energy.decoded_nibble"),
    "encoded_values": ("core", "energy.encoded_value"),
    "element_seconds": ("core", "energy.element_leakage"),
    "buffer_read_bits": ("buffer", "buffer.read_bit"),
    "buffer_written_bits": ("buffer", "buffer.write_bit"),
    "buffer_seconds": ("buffer", "buffer.leakage"),
    "dram_read_bits": ("dram", "dram.read_bit"),
    "dram_written_bits": ("dram", "dram.write_bit"),
    "dram_seconds": ("dram", "dram.leakage"),
}
"""What is counted, the part of the machine that it belongs to, and the constant that prices it (J or W)."""

PARTS = ("core", "buffer", "dram")


def joules(array: Array, counts: Mapping[str, float]) -> dict[str, float]:
    """Energy of each action, J; the keys are those of :data:`PRICES`."""
    return {name: counts[name] * array.prices.si(price) for name, (_, price) in PRICES.items()}


def by_part(actions: Mapping[str, float]) -> dict[str, float]:
    """Energy of each part of the machine, J: array, global buffer, DRAM."""
    parts = dict.fromkeys(PARTS, 0.0)
    for name, value in actions.items():
        parts[PRICES[name][0]] += value
    return parts
