"""Which numbers the operands of a layer are: how often each 8-bit magnitude occurs, and in which order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuromorph.errors import MappingError

from .layers import Layer

MAGNITUDES = 256
"""Values of an 8-bit magnitude."""


@dataclass(frozen=True, eq=False)
class Codes:
    """The 8-bit magnitudes of one operand. See :mod:`.measured` and :mod:`.tails`.

    Attributes
    ----------
    share : NDArray[np.float64]
        (256,) how often each magnitude occurs; the sum is 1.
    signed : bool
        Whether the values have signs, which a format stores beside the magnitude; after a ReLU they have none.
    lines : NDArray[np.uint8], optional
        (lines, depth) real magnitudes in their order: a line is what one row or column of the array reads, one
        product a step. None: magnitudes are independent of one another.
    """

    share: NDArray[np.float64]
    signed: bool = True
    lines: NDArray[np.uint8] | None = None

    def __post_init__(self) -> None:
        share = np.asarray(self.share)
        if share.shape != (MAGNITUDES,) or not np.all(share >= 0) or not np.isclose(share.sum(), 1.0):
            raise MappingError(
                f"codes: shares have the shape {share.shape} and the sum {share.sum():g}; there must be "
                f"{MAGNITUDES} of at least 0 with the sum 1"
            )
        if self.lines is not None and (self.lines.ndim != 2 or self.lines.dtype != np.uint8 or not self.lines.size):
            raise MappingError(
                f"codes: real magnitudes are {self.lines.dtype} of the shape {self.lines.shape}; they must be uint8 "
                "of the shape (lines, depth)"
            )

    def mean(self, table: ArrayLike) -> float:
        """Mean over the magnitudes of a table of 256 numbers, such as the bits of a code."""
        return float(self.share @ np.asarray(table, np.float64))

    def draw(self, lines: int, depth: int, rng: np.random.Generator) -> NDArray[np.uint8]:
        """Magnitudes for ``lines`` rows or columns of an array and ``depth`` products each.

        Real ones are whole lines from a random one on, and again from the first one after the last; so are products
        within a line. Others are drawn independently.
        """
        if self.lines is None:
            edges = np.cumsum(self.share)
            drawn = np.searchsorted(edges / edges[-1], rng.random((lines, depth)), side="right")
            return np.minimum(drawn, MAGNITUDES - 1).astype(np.uint8)
        have, deep = self.lines.shape
        rows = (rng.integers(have) + np.arange(lines)) % have
        steps = (rng.integers(deep) + np.arange(depth)) % deep
        return np.ascontiguousarray(self.lines[np.ix_(rows, steps)])


@dataclass(frozen=True, eq=False)
class Distribution:
    """The operands of a network's layers.

    Attributes
    ----------
    name : str
    activations, weights : Codes
        Of every layer that :attr:`layers` does not name.
    source : str
        Where they come from: measured on what, or assumed and why.
    layers : mapping of str to (Codes, Codes)
        Activations and weights of single layers, by name.
    """

    name: str
    activations: Codes
    weights: Codes
    source: str
    layers: Mapping[str, tuple[Codes, Codes]] = field(default_factory=dict)

    def of(self, layer: Layer) -> tuple[Codes, Codes]:
        """Codes of a layer's first and second operand."""
        activations, weights = self.layers.get(layer.name, (self.activations, self.weights))
        return activations, weights if layer.second == "weights" else activations
