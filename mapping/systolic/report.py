"""What a simulated array took for the layers of a network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .energy import PARTS, by_part
from .machine import Array
from .traffic import Traffic


@dataclass(frozen=True, eq=False)
class LayerReport:
    """One layer.

    Attributes
    ----------
    name : str
    macs : int
        Multiply-accumulates.
    passes : int
        Tiles of outputs.
    sampled : int
        Passes that were timed, of those whose time depends on the operands; the others cost their mean.
    compute_cycles, memory_cycles : float
        Of the array alone and of DRAM alone.
    cycles : float
        The larger one: while a layer is computed, the operands of the next blocks come in.
    first_bits, second_bits : float
        Stored bits of a value of each operand, on average.
    traffic : Traffic
    counts : mapping of str to float
        Actions, see :data:`.energy.PRICES`.
    joules : mapping of str to float
        Energy of each action.
    """

    name: str
    macs: int
    passes: int
    sampled: int
    compute_cycles: float
    memory_cycles: float
    first_bits: float
    second_bits: float
    traffic: Traffic
    counts: Mapping[str, float]
    joules: Mapping[str, float]

    @property
    def cycles(self) -> float:
        """Cycles of the layer."""
        return max(self.compute_cycles, self.memory_cycles)


@dataclass(frozen=True, eq=False)
class Report:
    """All layers on one array; printing it gives a table.

    Attributes
    ----------
    array : Array
    values : str
        Name of the distribution of the operands.
    layers : tuple of LayerReport
    """

    array: Array
    values: str
    layers: tuple[LayerReport, ...]

    @property
    def macs(self) -> int:
        """Multiply-accumulates."""
        return sum(layer.macs for layer in self.layers)

    @property
    def cycles(self) -> float:
        """Cycles of all layers, one after the other."""
        return sum(layer.cycles for layer in self.layers)

    @property
    def seconds(self) -> float:
        """Time of all layers, s."""
        return self.cycles / self.array.clock

    @property
    def joules(self) -> float:
        """Energy of all layers, J."""
        return sum(sum(layer.joules.values()) for layer in self.layers)

    @property
    def parts(self) -> dict[str, float]:
        """Energy of array ("core"), global buffer and DRAM, J."""
        each = [by_part(layer.joules) for layer in self.layers]
        return {part: sum(parts[part] for parts in each) for part in PARTS}

    @property
    def actions(self) -> dict[str, float]:
        """Energy of each action, J; keys of :data:`.energy.PRICES`."""
        return {name: sum(layer.joules[name] for layer in self.layers) for name in self.layers[0].joules}

    @property
    def counts(self) -> dict[str, float]:
        """Actions; keys of :data:`.energy.PRICES`."""
        return {name: sum(layer.counts[name] for layer in self.layers) for name in self.layers[0].counts}

    @property
    def utilisation(self) -> float:
        """Multiply-accumulates of a cycle, as a share of the elements."""
        return self.macs / (self.cycles * self.array.elements)

    def to_dict(self) -> dict[str, Any]:
        """Numbers of every layer and of all, as JSON takes them."""
        return {
            "array": self.array.name,
            "values": self.values,
            "macs": self.macs,
            "cycles": self.cycles,
            "seconds": self.seconds,
            "joules": self.joules,
            "parts": self.parts,
            "actions": self.actions,
            "counts": self.counts,
            "layers": [_layer(layer) for layer in self.layers],
        }

    def __str__(self) -> str:
        head = ("layer", "MACs", "cycles", "array", "memory", "a bits", "w bits", "core uJ", "buffer uJ", "DRAM uJ")
        rows = [head, *(_row(layer) for layer in self.layers)]
        rows.append(
            ("all", f"{self.macs:,}", f"{self.cycles:,.0f}", "", "", "", "", *(_uj(self.parts[p]) for p in PARTS))
        )
        widths = [max(len(row[k]) for row in rows) for k in range(len(head))]
        lines = [
            "  ".join([row[0].ljust(widths[0]), *(row[k].rjust(widths[k]) for k in range(1, len(head)))]).rstrip()
            for row in rows
        ]
        lines.insert(1, "  ".join("-" * width for width in widths))
        return "\n".join(
            [
                f"{self.array.name}, {self.array.rows} x {self.array.columns} elements of "
                f"{self.array.element.bits} bits; operands: {self.values}",
                *lines,
                f"{self.seconds * 1e3:.4g} ms, {self.joules * 1e3:.4g} mJ, {self.utilisation:.1%} of a "
                "multiply-accumulate an element and cycle",
            ]
        )


def _uj(value: float) -> str:
    return f"{value * 1e6:,.1f}"


def _row(layer: LayerReport) -> tuple[str, ...]:
    parts = by_part(layer.joules)
    return (
        layer.name,
        f"{layer.macs:,}",
        f"{layer.cycles:,.0f}",
        f"{layer.compute_cycles:,.0f}",
        f"{layer.memory_cycles:,.0f}",
        f"{layer.first_bits:.2f}",
        f"{layer.second_bits:.2f}",
        *(_uj(parts[part]) for part in PARTS),
    )


def _layer(layer: LayerReport) -> dict[str, Any]:
    return {
        "name": layer.name,
        "macs": layer.macs,
        "passes": layer.passes,
        "sampled": layer.sampled,
        "cycles": layer.cycles,
        "compute_cycles": layer.compute_cycles,
        "memory_cycles": layer.memory_cycles,
        "first_bits": layer.first_bits,
        "second_bits": layer.second_bits,
        "kept": layer.traffic.kept,
        "counts": dict(layer.counts),
        "joules": dict(layer.joules),
    }
