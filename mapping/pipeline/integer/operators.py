"""Operators that treat values one by one, and products: tables with a power-of-two index, matrices, residuals."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuromorph.errors import MappingError

from .words import Integers, Width, indices, storage, table_of


@dataclass(frozen=True, eq=False)
class Requant:
    """``y = table[clamp((x + offset) >> shift, 0, len(table) - 1)]``: rescales an accumulator to a few bits.

    Attributes
    ----------
    offset, shift : int
    table : ndarray of int32
    input, output : Width
    name : str
        For messages.
    """

    offset: int
    shift: int
    table: NDArray[np.int32]
    input: Width
    output: Width
    name: str = "requant"

    def __post_init__(self) -> None:
        object.__setattr__(self, "table", table_of(self.table, self.name))
        _check_shift(self.shift, self.name)
        self.output.check(self.table, self.name, "table")

    def apply(self, values: Integers) -> Integers:
        """Same shape as ``values``.

        Raises
        ------
        FormatError
            A value that the input's word cannot hold.
        """
        self.input.check(values, self.name, "input")
        return self.table[indices(values, self.offset, self.shift, len(self.table))]


class GeluRequant(Requant):
    """GeLU and the rescaling of its result in one table; the rule is :class:`Requant`'s."""


@dataclass(frozen=True, eq=False)
class Residual:
    """``y = main + ((carried * multiplier + 2^(shift - 1)) >> shift)``: adds at the scale of ``main``.

    Attributes
    ----------
    multiplier, shift : int
    carried, main, output : Width
        Of the value that went round the operators, of theirs, of the sum.
    name : str
    """

    multiplier: int
    shift: int
    carried: Width
    main: Width
    output: Width
    name: str = "residual"

    def __post_init__(self) -> None:
        _check_shift(self.shift, self.name, least=1)
        Width(62).check(self.carried.magnitude * abs(self.multiplier) + (1 << self.shift), self.name, "product")

    def apply(self, carried: Integers, main: Integers) -> Integers:
        """Two arrays of one shape give a third."""
        self.carried.check(carried, self.name, "carried value")
        self.main.check(main, self.name, "main value")
        scaled = carried.astype(np.int64)
        scaled *= self.multiplier
        scaled += 1 << (self.shift - 1)
        scaled >>= self.shift
        scaled += main
        self.output.check(scaled, self.name, "sum")
        return scaled.astype(storage(self.output.magnitude), copy=False)


@dataclass(frozen=True, eq=False)
class Matmul:
    """``y = x @ weight.T + bias``.

    The check is of the finished sum: in two's complement, partial sums may leave the accumulator and come back.

    Attributes
    ----------
    weight : ndarray of int, shape (outputs, inputs)
    bias : ndarray of int, shape (outputs,)
    input, kept, output : Width
        Of an input, a weight and the accumulator.
    name : str
    """

    weight: NDArray[Any]
    bias: NDArray[Any]
    input: Width
    kept: Width
    output: Width
    name: str = "matmul"

    def __post_init__(self) -> None:
        weight, bias = np.array(self.weight, np.int64), np.array(self.bias, np.int64)
        if weight.ndim != 2 or bias.shape != weight.shape[:1]:
            raise MappingError(
                f"{self.name}: weight has shape {weight.shape}, bias {bias.shape}; expected (outputs, inputs) and "
                "(outputs,)",
                name=self.name,
            )
        for each, value in (("weight", weight), ("bias", bias)):
            value.flags.writeable = False
            object.__setattr__(self, each, value)
        self.kept.check(self.weight, self.name, "weight")
        self.output.check(self.bias, self.name, "bias")

    @property
    def largest(self) -> int:
        """Absolute value that no sum, partial or whole, can exceed."""
        sums = np.abs(self.weight).sum(1) * self.input.magnitude + np.abs(self.bias)
        return int(sums.max(initial=0))

    @cached_property
    def _factors(self) -> tuple[NDArray[Any], NDArray[Any]]:
        # Sums of whole numbers are exact in floating point as long as none exceeds the mantissa; BLAS is then the
        # fastest integer product there is.
        kind = exact(self.largest, self.name)
        return np.ascontiguousarray(self.weight.T, kind), self.bias.astype(kind)

    def apply(self, values: Integers) -> Integers:
        """(..., inputs) gives (..., outputs)."""
        if values.shape[-1] != self.weight.shape[1]:
            raise MappingError(
                f"{self.name}: rows of {values.shape[-1]} values, expected {self.weight.shape[1]}", name=self.name
            )
        self.input.check(values, self.name, "input")
        weight, bias = self._factors
        product = values.reshape(-1, values.shape[-1]).astype(weight.dtype) @ weight
        product += bias
        sums: Integers = product.astype(storage(self.largest)).reshape(*values.shape[:-1], len(bias))
        self.output.check(sums, self.name, "accumulator")
        return sums


@dataclass(frozen=True, eq=False)
class DynamicMatmul:
    """``y = left @ right.T`` of two operands that both stream in.

    Attributes
    ----------
    inputs : int
        Values that a sum goes over.
    left, right, output : Width
    name : str
    """

    inputs: int
    left: Width
    right: Width
    output: Width
    name: str = "dynamic_matmul"

    @property
    def largest(self) -> int:
        """Absolute value that no sum can exceed."""
        return self.inputs * self.left.magnitude * self.right.magnitude

    def apply(self, left: Integers, right: Integers) -> Integers:
        """(..., rows, inputs) and (..., outputs, inputs) give (..., rows, outputs)."""
        if left.shape[-1] != self.inputs or right.shape[-1] != self.inputs:
            raise MappingError(
                f"{self.name}: operands of {left.shape[-1]} and {right.shape[-1]} values, expected {self.inputs}",
                name=self.name,
            )
        self.left.check(left, self.name, "left operand")
        self.right.check(right, self.name, "right operand")
        kind = exact(self.largest, self.name)
        product = np.matmul(left.astype(kind), right.astype(kind).swapaxes(-1, -2))
        sums: Integers = product.astype(storage(self.largest))
        self.output.check(sums, self.name, "accumulator")
        return sums


@dataclass(frozen=True, eq=False)
class PatchEmbedding:
    """Patches to tokens: ``y = (patch @ weight.T + bias + 2^(shift - 1)) >> shift``, with a class token in row 0.

    Attributes
    ----------
    matmul : Matmul
        Its bias is 0: it differs from token to token.
    bias : ndarray of int64, shape (tokens, channels)
        With the positions; row 0 is not used.
    class_token : ndarray of int64, shape (channels,)
        Before the shift, with its position.
    shift : int
    output : Width
    extra : bool
        The class token comes before the patches; else it takes the place of patch 0.
    name : str
    """

    matmul: Matmul
    bias: NDArray[Any]
    class_token: NDArray[Any]
    shift: int
    output: Width
    extra: bool = False
    name: str = "patch_embed.project"

    def __post_init__(self) -> None:
        bias, token = np.array(self.bias, np.int64), np.array(self.class_token, np.int64)
        channels = len(self.matmul.bias)
        if bias.ndim != 2 or bias.shape[1] != channels or token.shape != (channels,):
            raise MappingError(
                f"{self.name}: bias has shape {bias.shape} and the class token {token.shape}; expected (tokens, "
                f"{channels}) and ({channels},)",
                name=self.name,
            )
        bias[0] = token
        for each, value in (("bias", bias), ("class_token", token)):
            value.flags.writeable = False
            object.__setattr__(self, each, value)
        _check_shift(self.shift, self.name, least=1)
        self.matmul.output.check(bias, self.name, "bias or class token")

    @property
    def patches(self) -> int:
        """Rows that an image gives."""
        return len(self.bias) - self.extra

    def require(self, patches: Integers) -> None:
        """Refuse patches of another shape, or that the input's word cannot hold; row 0 only where it is used.

        Raises
        ------
        MappingError, FormatError
        """
        if patches.shape[-2] != self.patches or patches.shape[-1] != self.matmul.weight.shape[1]:
            raise MappingError(
                f"{self.name}: images of {patches.shape[-2]} patches of {patches.shape[-1]} values, expected "
                f"{self.patches} of {self.matmul.weight.shape[1]}",
                name=self.name,
            )
        self.matmul.input.check(patches if self.extra else patches[..., 1:, :], self.name, "input")

    def apply(self, patches: Integers) -> Integers:
        """(..., patches, inputs) gives (..., tokens, channels)."""
        self.require(patches)
        found = self.matmul.apply(patches if self.extra else patches[..., 1:, :])
        sums = np.empty((*patches.shape[:-2], *self.bias.shape), np.int64)
        sums[..., :1, :] = 0
        sums[..., 1:, :] = found
        sums += self.bias
        self.matmul.output.check(sums, self.name, "accumulator")
        sums += 1 << (self.shift - 1)
        sums >>= self.shift
        self.output.check(sums, self.name, "output")
        return sums.astype(storage(self.output.magnitude), copy=False)


def exact(largest: int, owner: str) -> type[np.float32] | type[np.float64]:
    """The floating-point type in which sums up to ``largest`` are exact whole numbers."""
    if largest >= 1 << 53:
        raise MappingError(f"{owner}: sums reach {largest}; beyond 2^53 they are not exact", owner=owner)
    return np.float32 if largest < 1 << 24 else np.float64


def _check_shift(shift: int, owner: str, least: int = 0) -> None:
    if not least <= shift <= 62:
        raise MappingError(f"{owner}: shift {shift}; it is {least} to 62", owner=owner)
