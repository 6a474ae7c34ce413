"""Nengo's synapses as filters behind the ports of a neuron, and the neurons that only filter: relays and read-outs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.language import Event, Expr, Neuron, Param, Port, State, make_neuron, step, where
from neuromorph.language.expr import const

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Filter:
    """A discrete linear filter, x <- a x + b u and y = c x, or y = d u if it has no state.

    Attributes
    ----------
    name : str
    a : tuple of tuple of float
    b, c : tuple of float
    d : float
    """

    name: str
    a: tuple[tuple[float, ...], ...] = ()
    b: tuple[float, ...] = ()
    c: tuple[float, ...] = ()
    d: float = 1.0


DIRECT = Filter("direct")
"""No filter: what arrives counts in the step of its arrival."""


class Inputs:
    """Ports with filters behind them.

    Parameters
    ----------
    filters : sequence of Filter
        Each becomes a port of its name.
    constants : mapping of Filter to array
        Constant input to filters, one number for each neuron.
    first : array or None
        What the direct port gets in the first step, when nothing can have arrived yet.
    prefix : str
        Of the names of ports and states.

    Attributes
    ----------
    arriving : Expr
        Sum of the filters' outputs while the states advance.
    present : Expr
        The same sum once they have advanced.
    """

    def __init__(
        self, filters: Sequence[Filter], constants: Mapping[Filter, Array], first: Array | None, prefix: str = ""
    ) -> None:
        self._prefix = prefix
        self.symbols: dict[str, Any] = {}
        self.values: dict[str, Array] = {}
        arriving: list[Expr] = []
        present: list[Expr] = []
        for item in dict.fromkeys([*filters, *constants, *([DIRECT] if first is not None else [])]):
            u = self._input(item, item in filters, constants.get(item), first if item is DIRECT else None)
            xs = [self._own(f"{item.name}_x{k or ''}", State(0.0)) for k in range(len(item.b))]
            for x, row, b in zip(xs, item.a, item.b, strict=True):
                x.next = total([a * y for a, y in zip(row, xs, strict=True) if a] + [b * u])
            arriving.append(total([c * x.next for c, x in zip(item.c, xs, strict=True)]) if xs else item.d * u)
            present.append(total([c * x for c, x in zip(item.c, xs, strict=True)]) if xs else item.d * u)
        self.arriving, self.present = total(arriving), total(present)

    def plus(self, other: Inputs) -> Inputs:
        """Both together; names must differ."""
        both = copy(self)
        both.symbols, both.values = {**self.symbols, **other.symbols}, {**self.values, **other.values}
        both.arriving, both.present = self.arriving + other.arriving, self.present + other.present
        return both

    def times(self, name: str) -> Inputs:
        """Multiplied by a parameter of this name."""
        scaled, factor = copy(self), Param(1.0)
        scaled.symbols = {name: factor, **self.symbols}
        scaled.arriving, scaled.present = factor * self.arriving, factor * self.present
        return scaled

    def _input(self, item: Filter, port: bool, constant: Array | None, first: Array | None) -> Expr:
        terms: list[Expr] = [self._own(item.name, Port())] if port else []
        if constant is not None:
            value = self._param(f"{item.name}_constant", constant)
            terms.append(value if item == DIRECT else where(step > 0, value, 0.0))  # a synapse is a step late
        if first is not None:
            terms.append(where(step > 0, 0.0, self._param(f"{item.name}_first", first)))
        return total(terms)

    def _own(self, name: str, symbol: Any) -> Any:
        self.symbols[self._prefix + name] = symbol
        return symbol

    def _param(self, name: str, values: Array) -> Expr:
        self.values[self._prefix + name] = values
        return self._own(name, Param(0.0))  # type: ignore[no-any-return]


def total(terms: Sequence[Expr]) -> Expr:
    """The sum of terms, from the first on; 0 of none."""
    if not terms:
        return const(0.0)
    summed = terms[0]
    for term in terms[1:]:
        summed = summed + term
    return summed


def watched(inputs: Mapping[str, Inputs]) -> tuple[dict[str, Any], dict[str, Array]]:
    """States that hold what arrives at ports of their own, for plastic synapses to look at: symbols and values."""
    symbols: dict[str, Any] = {}
    values: dict[str, Array] = {}
    for name, seen in inputs.items():
        state = State(0.0)
        state.next = seen.arriving
        symbols |= {**seen.symbols, name: state}
        values |= seen.values
    return symbols, values


def readout(inputs: Inputs) -> Neuron:
    """A probe: holds the filtered sum of what arrives as state ``value``."""
    value = State(0.0)
    value.next = inputs.arriving
    made = make_neuron("Probe", {**inputs.symbols, "value": value}, doc="Decoded value, from Nengo.")
    return made(**inputs.values)


def relay(inputs: Inputs, seen: Mapping[str, Inputs] | None = None) -> Neuron:
    """Sends the filtered sum of what arrives on, as the value of an event in each step where it is not 0.

    Parameters
    ----------
    inputs : Inputs
    seen : mapping of str to Inputs, optional
        States that hold what arrives at other ports.
    """
    value = State(0.0)
    value.next = inputs.arriving
    looked, values = watched(seen or {})
    symbols = {**inputs.symbols, **looked, "value": value, "sent": Event(when=value != 0.0, value=value)}
    return make_neuron("Relay", symbols, doc="Decoded value, sent on.")(**inputs.values, **values)
