"""What a component is while it runs: populations, sums, products and tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from neuromorph.train.modules.noise import NoiseSource
from neuromorph.train.modules.step import PopulationStep
from neuromorph.train.printing.printer import Printed


@dataclass(frozen=True)
class Product:
    """``columns [start, stop) += events @ weight``.

    Attributes
    ----------
    source : int
        Of which input (products before the loop) or member (in the loop).
    start, stop : int
    delay : int
        Steps; 0 before the loop, where inputs are shifted already.
    """

    source: int
    start: int
    stop: int
    delay: int = 0


@dataclass(frozen=True)
class Member:
    """A population of a component.

    Attributes
    ----------
    step : PopulationStep
    size : int
    ports : tuple of (start, stop)
        Columns of each port, among those of floats or of ints.
    offsets : tuple of (start, stop, slot or number)
        Columns that begin at a parameter (an int) or a number (a float) instead of 0.
    """

    step: PopulationStep
    size: int
    ports: tuple[tuple[int, int], ...]
    offsets: tuple[tuple[int, int, int | float], ...]


@dataclass(frozen=True)
class Loop:
    """A component ready to run.

    Attributes
    ----------
    members : tuple of Member
    columns, whole_columns : int
        Width of the sums of float and of int ports.
    inputs, lines : tuple of Product
        From outside, and among the members.
    whole_inputs, whole_lines : tuple of Product
        The same for int ports.
    additions : tuple of (start, stop)
        Columns of sums that were made outside.
    first : int
        Step of the engine of the first row.
    steps, batch : int
    indicators : tuple of bool
        For each member: whether its condition is an output of its own.
    recorded : tuple of tuple of int
        For each member: states to give for every step.
    noise : tuple of NoiseSource or None
        For each member.
    """

    members: tuple[Member, ...]
    columns: int
    whole_columns: int
    inputs: tuple[Product, ...]
    lines: tuple[Product, ...]
    whole_inputs: tuple[Product, ...]
    whole_lines: tuple[Product, ...]
    additions: tuple[tuple[int, int], ...]
    first: int
    steps: int
    batch: int
    indicators: tuple[bool, ...]
    recorded: tuple[tuple[int, ...], ...]
    noise: tuple[NoiseSource | None, ...]
    dtype: torch.dtype
    device: torch.device

    def zeros(self, *shape: int) -> Tensor:
        """Zeros of the loop's type, where the loop is."""
        return torch.zeros(shape, dtype=self.dtype, device=self.device)

    def empty(self, *shape: int) -> Tensor:
        """The same, not written yet."""
        return torch.empty(shape, dtype=self.dtype, device=self.device)


@dataclass
class Given:
    """Tensors of a loop.

    Attributes
    ----------
    inputs : list of (steps, batch, n) Tensor
        One for each of ``Loop.inputs``, then one for each of ``Loop.whole_inputs``.
    additions : list of (steps, batch, width) Tensor
        Sums that were made outside.
    input_weights, line_weights : list of (n_pre, width) Tensor
        Float ones, then int ones.
    history : list of (rows, batch, size) Tensor
        Of each member: its last events before the first step.
    params : list of list of Tensor
    states : list of list of (batch, size) Tensor
    """

    inputs: list[Tensor]
    additions: list[Tensor]
    input_weights: list[Tensor]
    line_weights: list[Tensor]
    history: list[Tensor]
    params: list[list[Tensor]]
    states: list[list[Tensor]]

    def flat(self) -> list[Tensor]:
        """All tensors."""
        parts = [self.inputs, self.additions, self.input_weights, self.line_weights, self.history]
        return [t for part in (*parts, *self.params, *self.states) for t in part]

    def like(self, tensors: Sequence[Any]) -> Given:
        """The same lists of other tensors."""
        rest = list(tensors)

        def take(part: list[Tensor]) -> list[Tensor]:
            return [rest.pop(0) for _ in part]

        return Given(
            take(self.inputs),
            take(self.additions),
            take(self.input_weights),
            take(self.line_weights),
            take(self.history),
            [take(p) for p in self.params],
            [take(p) for p in self.states],
        )


@dataclass
class Result:
    """What a loop gives for each member.

    Attributes
    ----------
    events : list of (steps, batch, size) Tensor
    fired : list of (steps, batch, size) Tensor or None
    recorded, observed : list of list of (steps, batch, size) Tensor
    states : list of list of (batch, size) Tensor
        After the last step.
    """

    events: list[Tensor]
    fired: list[Tensor | None]
    recorded: list[list[Tensor]]
    observed: list[list[Tensor]]
    states: list[list[Tensor]]

    def flat(self) -> list[Tensor]:
        """All tensors."""
        parts = [self.events, [f for f in self.fired if f is not None], *self.recorded, *self.observed, *self.states]
        return [t for part in parts for t in part]

    def like(self, tensors: Sequence[Any]) -> Result:
        """The same lists of other tensors."""
        rest = list(tensors)

        def take(part: Sequence[Any]) -> list[Any]:
            return [None if p is None else rest.pop(0) for p in part]

        return Result(
            take(self.events),
            take(self.fired),
            [take(p) for p in self.recorded],
            [take(p) for p in self.observed],
            [take(p) for p in self.states],
        )


@dataclass(frozen=True)
class Span:
    """Steps of a population that were done at once, with what the way back needs.

    Attributes
    ----------
    begin, end : int
        Rows.
    variant : Printed
    hosts : tuple
        Numbers that the variant takes.
    saved : tuple
        Values; with an axis of steps in front if there are several.
    """

    begin: int
    end: int
    variant: Printed
    hosts: tuple[Any, ...]
    saved: tuple[Any, ...]
