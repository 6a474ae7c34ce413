"""Operators that need a whole row before its first result: LayerNorm and softmax."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from neuromorph.errors import MappingError

from .words import Integers, Width, indices, storage, table_of

Anchor = Literal["maximum", "minimum", "zero"]
"""Where the table of the exponential begins, see :class:`Exponential`."""


@dataclass(frozen=True, eq=False)
class LayerNorm:
    """Mean by multiply and shift, reciprocal root of the variance from a table, affine, shift, clamp.

    ``mean = (sum * mean_multiplier + 2^(mean_shift - 1)) >> mean_shift``, ``d = x - mean``,
    ``r = table[clamp((sum of d^2 + offset) >> shift)]``, ``y = clamp((d * r * weight + bias) >> output_shift)``.

    Attributes
    ----------
    mean_multiplier, mean_shift : int
        Together 1 / channels.
    offset, shift : int
    table : ndarray of int32
        Values at least 0.
    weight, bias : ndarray of int64, shape (channels,)
        The bias with the half that makes ``output_shift`` round.
    output_shift : int
    input, sum, product, mean, difference, variance, affine, output : Width
        Of the words, in the order in which they appear; ``variance`` is the sum of squares.
    name : str
    """

    mean_multiplier: int
    mean_shift: int
    offset: int
    shift: int
    table: NDArray[np.int32]
    weight: NDArray[Any]
    bias: NDArray[Any]
    output_shift: int
    input: Width
    sum: Width
    product: Width
    mean: Width
    difference: Width
    variance: Width
    affine: Width
    output: Width
    name: str = "layernorm"

    def __post_init__(self) -> None:
        object.__setattr__(self, "table", table_of(self.table, self.name))
        for each in ("weight", "bias"):
            value = np.array(getattr(self, each), np.int64)
            value.flags.writeable = False
            object.__setattr__(self, each, value)
        if self.weight.shape != self.bias.shape or self.weight.ndim != 1:
            raise MappingError(
                f"{self.name}: weight has shape {self.weight.shape}, bias {self.bias.shape}; expected (channels,) of "
                "both",
                name=self.name,
            )
        if self.mean_shift < 1 or min(self.shift, self.output_shift) < 0 or self.table.min() < 0:
            raise MappingError(
                f"{self.name}: shifts are at least 0, of the mean 1, and roots at least 0", name=self.name
            )
        reach = self.difference.magnitude * int(self.table.max()) * int(np.abs(self.weight).max(initial=0))
        Width(62).check(reach + int(np.abs(self.bias).max(initial=0)), self.name, "affine")
        Width(62).check(len(self.weight) * self.difference.magnitude**2, self.name, "variance")

    def apply(self, values: Integers) -> Integers:
        """(..., channels) gives the same shape."""
        return self.parts(values)[-1]

    def parts(self, values: Integers) -> tuple[Integers, Integers, Integers]:
        """Differences from the mean (..., channels), sums of their squares (...), and the result."""
        if values.shape[-1] != len(self.weight):
            raise MappingError(
                f"{self.name}: rows of {values.shape[-1]} values, expected {len(self.weight)}", name=self.name
            )
        self.input.check(values, self.name, "input")
        total = values.sum(-1, dtype=np.int64)
        self.sum.check(total, self.name, "sum")
        total = total * self.mean_multiplier + (1 << (self.mean_shift - 1))
        self.product.check(total, self.name, "product")
        total >>= self.mean_shift
        self.mean.check(total, self.name, "mean")
        difference = values.astype(np.int64)
        difference -= total[..., None]
        self.difference.check(difference, self.name, "difference")
        variance = np.einsum("...c,...c->...", difference, difference)
        self.variance.check(variance, self.name, "variance")
        root = self.table[indices(variance, self.offset, self.shift, len(self.table))]
        affine = difference * root[..., None]
        affine *= self.weight
        affine += self.bias
        self.affine.check(affine, self.name, "affine")
        affine >>= self.output_shift
        np.clip(affine, self.output.low, self.output.high, out=affine)
        return difference, variance, affine.astype(np.int32)


@dataclass(frozen=True, eq=False)
class Exponential:
    """``table[clamp((d + offset) >> shift)]``, where ``d`` is told by the anchor.

    Attributes
    ----------
    offset, shift : int
    table : ndarray of int32
        At least 0.
    anchor : {"maximum", "minimum", "zero"}
        ``"maximum"``, the inverted exponential: ``d = max - x``, entry 0 is that of the row's largest value.
        ``"minimum"``: ``d = x - max``, entry 0 is that of the smallest difference. ``"zero"``: ``d = x``, without a
        maximum.
    """

    offset: int
    shift: int
    table: NDArray[np.int32]
    anchor: Anchor = "maximum"

    def __post_init__(self) -> None:
        object.__setattr__(self, "table", table_of(self.table, "exponential"))
        if self.anchor not in ("maximum", "minimum", "zero"):
            raise MappingError(f"exponential: anchor {self.anchor!r}; it is 'maximum', 'minimum' or 'zero'")
        if self.shift < 0 or self.table.min() < 0:
            raise MappingError("exponential: the shift and all entries are at least 0")

    def distance(self, values: Integers) -> Integers:
        """``d`` of rows (..., n)."""
        if self.anchor == "zero":
            return values
        largest: Integers = values.max(-1, keepdims=True)
        return largest - values if self.anchor == "maximum" else values - largest


@dataclass(frozen=True, eq=False)
class Segment:
    """A part of the reciprocal: ``r = table[(sum + offset) >> shift]``, then ``y = (e * r + half) >> output_shift``.

    Attributes
    ----------
    offset, shift : int
    table : ndarray of int32
        At least 0.
    half, output_shift : int
    """

    offset: int
    shift: int
    table: NDArray[np.int32]
    half: int
    output_shift: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "table", table_of(self.table, "reciprocal"))
        if min(self.shift, self.output_shift) < 0 or self.table.min() < 0 or not 0 <= self.half < 1 << 31:
            raise MappingError("reciprocal: shifts, entries and half are at least 0, and the half is below 2^31")


@dataclass(frozen=True, eq=False)
class Softmax:
    """Exponentials of a row, the reciprocal of their sum, and the rescaled product, clamped.

    A sum uses the first segment whose table reaches so far, the last one in any case.

    Attributes
    ----------
    exponential : Exponential
    segments : tuple of Segment
        Of the reciprocal, by rising sum: one, or two as in HG-PIPE.
    input, difference, sum, product, output : Width
        ``product`` is that of exponential and reciprocal, before the half is added.
    name : str
    """

    exponential: Exponential
    segments: tuple[Segment, ...]
    input: Width
    difference: Width
    sum: Width
    product: Width
    output: Width
    name: str = "softmax"

    def __post_init__(self) -> None:
        if not self.segments:
            raise MappingError(f"{self.name}: the reciprocal needs a segment", name=self.name)
        if self.output.signed:
            raise MappingError(f"{self.name}: the output has no sign", name=self.name)

    def apply(self, values: Integers) -> Integers:
        """Rows (..., n) give the same shape."""
        self.input.check(values, self.name, "input")
        powers, total = self.powers(values)
        root, half, shift = self.reciprocals(total)
        reach = int(self.exponential.table.max()) * max(int(s.table.max()) for s in self.segments)
        reach += max(abs(segment.half) for segment in self.segments)
        product: Integers = powers.astype(storage(reach), copy=False) * root[..., None]
        self.product.check(product, self.name, "product")
        product += half[..., None]
        product >>= shift[..., None]
        np.clip(product, 0, self.output.high, out=product)
        return product.astype(np.int32, copy=False)

    def powers(self, values: Integers) -> tuple[Integers, Integers]:
        """Exponentials (..., n) and their sums (...)."""
        distance = self.exponential.distance(values)
        self.difference.check(distance, self.name, "difference")
        table = self.exponential.table
        powers = table[indices(distance, self.exponential.offset, self.exponential.shift, len(table))]
        kind = storage(int(table.max()) * values.shape[-1])
        total = powers.sum(-1, dtype=kind)
        self.sum.check(total, self.name, "sum")
        return powers, total

    def reciprocals(self, total: Integers) -> tuple[Integers, Integers, Integers]:
        """Reciprocal, half and shift of each sum (...)."""
        root = np.zeros(total.shape, np.int32)
        half = np.zeros(total.shape, np.int32)
        shift = np.zeros(total.shape, np.int32)
        open_ = np.ones(total.shape, np.bool_)
        for position, segment in enumerate(self.segments):
            last = position == len(self.segments) - 1
            index = (total.astype(np.int64) + segment.offset) >> segment.shift
            here = open_ & (last | (index < len(segment.table)))
            entry = segment.table[np.clip(index, 0, len(segment.table) - 1)]
            root[here], half[here], shift[here] = entry[here], segment.half, segment.output_shift
            open_ &= ~here
        return root, half, shift
