"""What can be laid out as a pipeline: operators with a choice of parallelism, and the graph that a choice gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from .graph import StageGraph


@dataclass(frozen=True, slots=True)
class Parallel:
    """How much of an operator is done in one cycle.

    Attributes
    ----------
    tokens : int
        Rows of the activations (TP).
    inputs : int
        Channels in (CIP); of an operator that treats channels one by one (LayerNorm, softmax), its channels.
    outputs : int
        Channels out (COP); 1 where an operator has no second kind.
    """

    tokens: int = 1
    inputs: int = 1
    outputs: int = 1


@dataclass(frozen=True, slots=True)
class Operator:
    """A part of a network that gets multipliers, tables and memory of its own.

    Attributes
    ----------
    name : str
        Unique in its design, as "attn0.q".
    kind : str
        "matmul" (weights on chip), "dynamic_matmul" (both operands stream), "layernorm", "softmax", "requant", "gelu",
        "residual", "neurons", ...
    tokens, inputs, outputs : int
        Shape: ``tokens`` rows of ``inputs`` channels give rows of ``outputs`` channels.
    passes : int
        Times that it goes over its row: 3 of a softmax.
    copies : int
        Equal operators side by side, as heads; ``multipliers`` and costs count them all.
    input_bits, weight_bits, output_bits : int
        Of a value.
    block : str
        As "attn0".
    additions, multiplications, divisions : int
        Operations on each channel, of kinds that are described by them: "neurons". Comparisons and choices are
        additions, roots are divisions.
    """

    name: str
    kind: str
    tokens: int
    inputs: int
    outputs: int
    passes: int = 1
    copies: int = 1
    input_bits: int = 8
    weight_bits: int = 8
    output_bits: int = 8
    block: str = ""
    additions: int = 0
    multiplications: int = 0
    divisions: int = 0

    def trips(self, parallel: Parallel) -> int:
        """Cycles an item at this parallelism, if it never waits: the facts' II."""
        columns = 1 if self.kind not in PRODUCTS else self.outputs // parallel.outputs
        return self.passes * (self.tokens // parallel.tokens) * (self.inputs // parallel.inputs) * columns

    def multipliers(self, parallel: Parallel) -> int:
        """Products in one cycle over all copies; 0 of operators that are no product."""
        if self.kind not in PRODUCTS:
            return 0
        return self.copies * parallel.tokens * parallel.inputs * parallel.outputs

    @property
    def products(self) -> int:
        """Products an item over all copies; 0 of operators that are no product."""
        return self.copies * self.tokens * self.inputs * self.outputs if self.kind in PRODUCTS else 0


PRODUCTS = frozenset({"matmul", "dynamic_matmul"})
"""Kinds whose outputs are sums over all inputs."""


class Design(Protocol):
    """A network that can be laid out with any parallelism that its shapes allow."""

    @property
    def name(self) -> str: ...

    @property
    def operators(self) -> Sequence[Operator]: ...

    def choices(self, operator: Operator) -> Sequence[Parallel]:
        """All parallelisms that the operator's shape and its neighbours allow."""
        ...

    def graph(self, parallel: Mapping[str, Parallel], depths: Mapping[str, int] | None = None) -> StageGraph:
        """Stages and FIFOs for one choice an operator; ``depths`` by FIFO name instead of the design's own."""
        ...


def divisors(size: int) -> list[int]:
    """All divisors, ascending."""
    low = [n for n in range(1, int(size**0.5) + 1) if size % n == 0]
    return sorted({*low, *(size // n for n in low)})
