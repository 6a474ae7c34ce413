"""``Ranges``: what converters can tell apart, as found from data: plain arrays that are saved beside a network.

All ranges are in level units: 1 is one conductance level times an input code of 1.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from neuromorph.errors import MappingError

from .histogram import decibels

FORMAT = "neuromorph crossbar ranges 1"

_BY_BLOCK = ("lo", "step", "clipped", "mse", "variance")

_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Ranges:
    """Ranges of a mapped network's converters.

    A block is a piece of one matrix in one array; its columns of one digit (a slice of the weights' bits; + and - cells
    of a pair alike) share a range, in every phase of the input. Code c of a converter stands for ``lo + c * step``.

    Attributes
    ----------
    network, machine : str
        Names of what they were found for.
    method : str
        How, in words, such as ``"mse"`` or ``"percentile 99.9"``.
    per : {"matrix", "block"}
        Whether all blocks of a matrix share their ranges.
    matrices : tuple of str
        Names of the plan's matrices, in its order.
    input_scale : float64 (matrices,)
        What an input code of 1 stands for: an event of value v drives its row with ``rint(v / input_scale)``. One scale
        for all sources of a matrix, because their currents meet in one column.
    block_matrix : int64 (blocks,)
        Matrix of each block of the plan.
    lo, step : float64 (blocks, digits)
        Level units.
    clipped : float64 (blocks, digits)
        Share of the sums seen that fall outside.
    mse, variance : float64 (blocks, digits)
        Mean squared error that the converters make of the sums seen, and the variance of those, in squares of level
        units (on WTM2101, of sums for inputs of 1).
    """

    network: str
    machine: str
    method: str
    per: Literal["matrix", "block"]
    matrices: tuple[str, ...]
    input_scale: _Floats
    block_matrix: _Ints
    lo: _Floats
    step: _Floats
    clipped: _Floats
    mse: _Floats
    variance: _Floats

    def __post_init__(self) -> None:
        shape = (len(self.block_matrix), self.lo.shape[1] if self.lo.ndim == 2 else 0)
        for name in _BY_BLOCK:
            if getattr(self, name).shape != shape:
                raise MappingError(
                    f"ranges of {self.network}: {name} has shape {getattr(self, name).shape}; expected (blocks, digits)"
                    f" = {shape}"
                )
        if self.input_scale.shape != (len(self.matrices),):
            raise MappingError(
                f"ranges of {self.network}: input_scale has shape {self.input_scale.shape}; expected one for each of "
                f"{len(self.matrices)} matrices"
            )
        if not (np.all(self.step > 0) and np.all(self.input_scale > 0)):
            raise MappingError(f"ranges of {self.network}: every step and every input scale must be above 0")

    @property
    def csnr_db(self) -> _Floats:
        """Compute signal-to-noise ratio of each range on the sums seen, dB, float64 (blocks, digits)."""
        return decibels(self.variance, self.mse)

    def describe(self) -> str:
        """A table of the ranges: one line for each matrix and digit, or for each block and digit."""
        blocks = np.arange(len(self.block_matrix))
        if self.per == "matrix":
            blocks = np.unique(self.block_matrix, return_index=True)[1]
        rows = [("matrix", "block", "digit", "code of 1", "from", "step", "clipped", "CSNR")]
        csnr, name = self.csnr_db, [self.matrices[m] for m in self.block_matrix.tolist()]
        code = [f"{1.0 / self.input_scale[m]:g}" for m in self.block_matrix.tolist()]
        rows += [
            (
                name[b],
                "all" if self.per == "matrix" else str(b),
                str(digit),
                code[b],
                f"{self.lo[b, digit]:g}",
                f"{self.step[b, digit]:g}",
                f"{100.0 * self.clipped[b, digit]:.3g} %",
                f"{csnr[b, digit]:.1f} dB",
            )
            for b in blocks.tolist()
            for digit in range(self.lo.shape[1])
        ]
        widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
        return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows)

    def of(
        self, network: str, machine: str, matrices: Sequence[str], block_matrix: npt.ArrayLike
    ) -> tuple[_Floats, _Floats]:
        """``lo`` and ``step``, (blocks, digits) each, of the blocks of a plan.

        Ranges that were found per matrix serve any plan of the network; those found per block only the same one.

        Raises
        ------
        MappingError
            If they were found for something else.
        """
        for what, own, other in (("network", self.network, network), ("machine", self.machine, machine)):
            if own != other:
                raise MappingError(
                    f"ranges were found for {what} {own!r} and cannot serve {what} {other!r}: calibrate again",
                    expected=own, found=other,
                )  # fmt: skip
        if tuple(matrices) != self.matrices:
            strange = sorted(set(matrices) ^ set(self.matrices)) or ["the same in another order"]
            raise MappingError(
                f"ranges of network {network!r} were found for {len(self.matrices)} matrices, and this plan has "
                f"{len(matrices)}; they differ in {', '.join(strange[:5])}: calibrate again",
                expected=self.matrices, found=tuple(matrices),
            )  # fmt: skip
        wanted = np.asarray(block_matrix, np.int64)
        if self.per == "block":
            if not np.array_equal(wanted, self.block_matrix):
                raise MappingError(
                    f"ranges of network {network!r} were found per block for {len(self.block_matrix)} blocks, and this "
                    f"plan has {len(wanted)} or cuts them otherwise: calibrate with this plan, or per='matrix'",
                    expected=len(self.block_matrix), found=len(wanted),
                )  # fmt: skip
            return self.lo, self.step
        first = np.full(len(self.matrices), -1, np.int64)
        first[self.block_matrix[::-1]] = np.arange(len(self.block_matrix))[::-1]
        missing = [self.matrices[m] for m in np.unique(wanted) if first[m] < 0]
        if missing:
            raise MappingError(f"ranges of network {network!r} know no block of {', '.join(missing)}: calibrate again")
        return self.lo[first[wanted]], self.step[first[wanted]]

    def save(self, path: str | PathLike[str]) -> None:
        """Write them as JSON, every number to its last bit."""
        data: dict[str, Any] = {"format": FORMAT}
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            data[name] = value.tolist() if isinstance(value, np.ndarray) else value
        Path(path).write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")

    @staticmethod
    def load(path: str | PathLike[str]) -> Ranges:
        """Read what :meth:`save` wrote.

        Raises
        ------
        MappingError
            If the file holds something else.
        """
        try:
            data = json.loads(Path(path).read_text(encoding="utf-8"))
        except (UnicodeDecodeError, json.JSONDecodeError) as error:
            raise MappingError(f"{path} holds no ranges of converters: {error}") from None
        if not isinstance(data, dict) or data.pop("format", None) != FORMAT:
            raise MappingError(f"{path} holds no ranges of converters: it lacks the format {FORMAT!r}")
        blocks = len(data["block_matrix"])
        for name in _BY_BLOCK:
            data[name] = np.asarray(data[name], np.float64).reshape(blocks, -1)
        data["block_matrix"] = np.asarray(data["block_matrix"], np.int64)
        data["input_scale"] = np.asarray(data["input_scale"], np.float64)
        data["matrices"] = tuple(data["matrices"])
        return Ranges(**data)
