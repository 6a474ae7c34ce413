"""Storage as bit rows: one bit for each pair of neurons, for projections with one weight and one delay for all.

A row is added to the sums of 16 (or 8) targets at once, by one masked addition; several events pass over a vector of
sums while it is in a register. So the time of an event does not depend on how many synapses its row has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.engine.items import make_item
from neuromorph.engine.memory import address
from neuromorph.network.rules.rule import target_dtype
from neuromorph.network.synapses import Synapses

from .conversion import bit_rows
from .frame import HEAD, RING, VECTOR, Traffic, amount, event_groups, kernel_text, lanes_of, scale_bits

Array = npt.NDArray[Any]

FIELDS = ("bits", "row_bytes", "begin", "end", "front", "back", "weights", "delays", "scale")


@dataclass(frozen=True, eq=False)
class Bits:
    """One projection as bit rows.

    Attributes
    ----------
    n_post : int
    bits : uint8 (n_pre, row bytes)
        Bit ``t % 8`` of byte ``t // 8`` of row s is set if s reaches t. Rows are whole multiples of 8 bytes.
    weights, delays : array ()
    scale : float or None
        Of a quantised weight.
    """

    n_post: int
    bits: Array
    weights: Array
    delays: Array
    scale: float | None

    def arrays(self) -> dict[str, int]:
        """Bytes of each array."""
        return {"bits": self.bits.nbytes, "weights": self.weights.nbytes, "delays": self.delays.nbytes}

    def __str__(self) -> str:
        return f"bit rows, one {self.weights.dtype} weight{', scaled' * (self.scale is not None)}, one delay"

    def items(self, head: dict[str, int], traffic: Traffic, lo: int, hi: int) -> list[npt.NDArray[np.int64]]:
        """Items that deliver to targets ``[lo, hi)``; ``head`` holds the fields of :data:`~.frame.HEAD`."""
        lanes = lanes_of(traffic.sums)
        begin, end = -(-lo // lanes) * lanes, hi // lanes * lanes
        front = _mask(lo - begin + lanes, min(hi - begin + lanes, lanes)) if lo < begin else 0
        back = _mask(0, hi - end) if begin <= end < hi else 0
        return [
            make_item(
                (*HEAD, *FIELDS),
                **head,
                bits=address(self.bits),
                row_bytes=self.bits.shape[1],
                begin=begin,
                end=end,
                front=front,
                back=back,
                weights=address(self.weights),
                delays=address(self.delays),
                scale=scale_bits(self.scale),
            )
        ]

    def source(self, traffic: Traffic) -> str:
        """The kernel."""
        scaled, lanes = self.scale is not None, lanes_of(traffic.sums)
        size = VECTOR // lanes

        def group(events: int) -> list[str]:
            rows = [f"bits + np.int64(fired[first + j + np.uint64({k})]) * row_bytes" for k in range(events)]
            amounts = [amount("w", traffic, scaled, f"first + j + np.uint64({k})") for k in range(events)]

            def add(place: str, active: str) -> str:
                words = "".join(f"row{k} + ({place} >> 3), " for k in range(events))
                added = "".join(f"amount{k}, " for k in range(events))
                return f"add_where(sums + {size} * ({place}), ({words}), ({added}), {active})"

            return [
                *(f"row{k} = {row}" for k, row in enumerate(rows)),
                *(f"amount{k} = {each}" for k, each in enumerate(amounts)),
                "if front != 0:",
                f"    {add(f'begin - {lanes}', 'front')}",
                f"for i in range(begin, end, {lanes}):",
                f"    {add('i', 'None')}",
                "if back != 0:",
                f"    {add('end', 'back')}",
            ]

        body = [
            f"w = np.{traffic.sums}(weights[Z])",
            f"sums = {RING} + {size} * (((step + np.int64(delays[Z])) & ring_mask) * row + port)",
            *event_groups(group),
        ]
        arrays = {"weights": str(self.weights.dtype), "delays": str(self.delays.dtype)}
        return kernel_text(str(self), FIELDS, traffic, arrays, body)

    def rows(self) -> dict[str, Array | None]:
        """The same connections as the arrays of plain :class:`~neuromorph.network.synapses.Synapses`."""
        kind = target_dtype(self.n_post)
        counts, targets = [np.zeros(1, np.int64)], [np.zeros(0, kind)]
        chunk = max(1, (1 << 24) // max(self.n_post, 1))
        for start in range(0, len(self.bits), chunk):
            row, target = np.nonzero(np.unpackbits(self.bits[start : start + chunk], axis=1, bitorder="little"))
            counts.append(np.bincount(row, minlength=min(chunk, len(self.bits) - start)))
            targets.append(target.astype(kind))
        row_ptr = np.cumsum(np.concatenate(counts), dtype=np.int64)
        return {
            "row_ptr": row_ptr,
            "targets": np.concatenate(targets),
            "weights": self.weights,
            "weight_index": None,
            "delays": self.delays,
        }


def _mask(first: int, last: int) -> int:
    """Bits ``[first, last)``."""
    return (1 << last) - (1 << first)


def make_bits(synapses: Synapses) -> Bits:
    """Store rows without repetition, of one weight and one delay, as bits."""
    assert synapses.row_ptr is not None
    assert synapses.targets is not None
    bits = bit_rows(synapses.row_ptr, np.asarray(synapses.targets, order="C"), synapses.n_post)
    weights, delays = np.asarray(synapses.weights), np.asarray(synapses.delays)
    return Bits(synapses.n_post, bits, weights, delays, synapses.weight_scale)
