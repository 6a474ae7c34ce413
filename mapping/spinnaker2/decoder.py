"""A decoder: the softmax of a population's events times a table that lies in DRAM."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from neuromorph.errors import TargetError

ACCUMULATOR = 1 << 23
"""Sums of the MAC array lie below it: 24 bits, one of them the sign."""
_LOGITS = 1 << 24  # logits that exist at one time: 64 MiB


@dataclass(frozen=True)
class Decoded:
    """What a decoder makes of outputs.

    Attributes
    ----------
    best : int32 (outputs,)
        Most probable row of the table.
    log_best : float32 (outputs,)
        Logarithm of its probability.
    log_likelihood : float32 (outputs,) or None
        Logarithm of the targets' probabilities.
    """

    best: npt.NDArray[np.int32]
    log_best: npt.NDArray[np.float32]
    log_likelihood: npt.NDArray[np.float32] | None


@dataclass(frozen=True, eq=False)
class Decoder:
    """Softmax of ``y @ table.T + bias`` in every step, where y are the values of a population's events (0: no event).

    The table lies in DRAM; each of the decoder's PEs streams its share of the rows through its SRAM by DMA, forms the
    dot products and takes part in the softmax. Results are computed on this computer, in float32 or with the
    int8 arithmetic of the MAC array; what they cost on the chips is counted (bytes, multiply-accumulates) and modelled
    (cycles, time, energy).

    Parameters
    ----------
    population : str
        Whose events are decoded.
    table : array (rows, neurons)
        For a language model its embedding.
    bias : array (rows,), optional
    arithmetic : {"float32", "int8"}
        "float32": the cores' floating-point units. "int8": the MAC arrays; each row of the table and each output
        becomes int8 with a scale of its own.
    fetch : {"table", "columns"}
        "table": every row passes through SRAM, whatever fired. "columns": only the weights of neurons that fired; the
        table lies column by column then. float32 only.
    overlap : {"none", "transfers", "network"}
        "none": every transfer is waited for. "transfers": the next one is under way while the PEs compute. "network":
        besides, the network does its next step meanwhile; only with PEs of its own.
    pes : {"free", "all"}
        "free": PEs that hold no neurons. "all": every PE; those that hold neurons decode after their step, and keep
        room for it in their SRAM.
    buffer : int
        Bytes of each of two buffers that transfers fill.

    Raises
    ------
    TargetError
        For values that do not fit.
    """

    population: str
    table: Any
    bias: Any = None
    arithmetic: Literal["float32", "int8"] = "float32"
    fetch: Literal["table", "columns"] = "table"
    overlap: Literal["none", "transfers", "network"] = "transfers"
    pes: Literal["free", "all"] = "free"
    buffer: int = 1024

    def __post_init__(self) -> None:
        table = np.asarray(self.table)
        if table.ndim != 2 or 0 in table.shape or table.dtype.kind not in "biuf" or not np.isfinite(table).all():
            raise TargetError(
                f"Decoder: the table has shape {table.shape} ({table.dtype}); give finite numbers (rows, n)"
            )
        object.__setattr__(self, "table", np.ascontiguousarray(table, np.float32))
        if self.bias is not None:
            bias = np.ascontiguousarray(self.bias, np.float32)
            if bias.shape != (len(table),):
                raise TargetError(f"Decoder: the bias has shape {bias.shape}; the table has {len(table)} rows")
            object.__setattr__(self, "bias", bias)
        for name, allowed in (
            ("arithmetic", ("float32", "int8")),
            ("fetch", ("table", "columns")),
            ("overlap", ("none", "transfers", "network")),
            ("pes", ("free", "all")),
        ):
            if getattr(self, name) not in allowed:
                raise TargetError(f"Decoder: {name} is {getattr(self, name)!r}; it may be {' or '.join(allowed)}")
        if self.arithmetic == "int8" and self.fetch == "columns":
            raise TargetError('Decoder: MAC arrays multiply whole rows; arithmetic="int8" needs fetch="table"')
        if self.overlap == "network" and self.pes == "all":
            raise TargetError('Decoder: overlap="network" needs PEs of its own; give pes="free"')
        if isinstance(self.buffer, bool) or not isinstance(self.buffer, int | np.integer) or self.buffer < 16:
            raise TargetError(f"Decoder: buffer is {self.buffer!r}; give at least 16 bytes")

    @property
    def rows(self) -> int:
        """Rows of the table."""
        return len(self.table)

    @property
    def width(self) -> int:
        """Neurons of the population."""
        return int(self.table.shape[1])

    @property
    def weight_bytes(self) -> int:
        """Bytes of an entry of the table in DRAM."""
        return 1 if self.arithmetic == "int8" else 4

    def __repr__(self) -> str:
        return (
            f"Decoder({self.population!r}, {self.rows:,} rows of {self.width}, {self.arithmetic}, {self.fetch!r}, "
            f"overlap={self.overlap!r}, pes={self.pes!r})"
        )

    def decode(self, outputs: npt.ArrayLike, targets: npt.ArrayLike | None = None) -> Decoded:
        """Decode outputs.

        Parameters
        ----------
        outputs : (outputs, neurons)
            Values of the events of each step, 0 where there was none.
        targets : int (outputs,), optional
            Rows whose probabilities are wanted.

        Raises
        ------
        TargetError
            Wrong shapes; or a sum that the MAC array cannot hold.
        """
        y = np.asarray(outputs, np.float32)
        if y.ndim != 2 or y.shape[1] != self.width:
            raise TargetError(f"Decoder: outputs have shape {y.shape}; give (outputs, {self.width})")
        wanted = None if targets is None else np.asarray(targets)
        if wanted is not None and wanted.shape != (len(y),):
            raise TargetError(f"Decoder: targets have shape {wanted.shape}; there are {len(y)} outputs")
        best, log_best = np.empty(len(y), np.int32), np.empty(len(y), np.float32)
        likelihood = None if wanted is None else np.empty(len(y), np.float32)
        for here, logits in self._logits(y):
            every = np.arange(len(logits))
            best[here] = logits.argmax(1)
            logits -= logits[every, best[here]][:, None]
            own = None if wanted is None else logits[every, wanted[here]].copy()
            log_best[here] = -np.log(np.exp(logits, out=logits).sum(1))
            if likelihood is not None and own is not None:
                likelihood[here] = own + log_best[here]
        return Decoded(best, log_best, likelihood)

    def _logits(self, y: npt.NDArray[np.float32]) -> Iterator[tuple[slice, npt.NDArray[np.float32]]]:
        """Logits of some outputs at a time."""
        length = max(1, _LOGITS // self.rows)
        weights, scales = (self.table, None) if self.arithmetic == "float32" else quantised(self.table)
        columns = weights.T if scales is None else weights.T.astype(np.float64)  # sums of whole numbers are exact
        for first in range(0, len(y), length):
            here = slice(first, first + length)
            if scales is None:
                logits = y[here] @ columns
            else:
                ints, own = quantised(y[here])
                sums = ints.astype(np.float64) @ columns
                if np.abs(sums).max(initial=0) >= ACCUMULATOR:
                    raise TargetError(
                        f"Decoder: a sum of {int(np.abs(sums).max()):,} exceeds the MAC array's 24 bits; use "
                        'arithmetic="float32"'
                    )
                logits = sums.astype(np.float32) * (own[:, None] * scales)
            yield here, logits if self.bias is None else logits + self.bias


def quantised(rows: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """Each row as int8, rounded to the nearest, and its scale: the largest entry becomes 127."""
    scales = (np.abs(rows).max(1, initial=0) / np.float32(127)).astype(np.float32)
    scales[scales == 0] = 1
    return np.rint(rows / scales[:, None]).astype(np.int8), scales
