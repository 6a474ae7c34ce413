"""Neurons as NIR has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from neuromorph.interchange.nir.forms import Values


@dataclass(frozen=True)
class Cell:
    """A population as NIR has it.

    Attributes
    ----------
    kind : str
        A type of NIR's, or ``"Sum"`` (sends on what it gets) or ``"Input"``.
    values : dict of str to float64 array (n,)
        Parameters by NIR's names; SI units, rates in 1/s.
    bias : float64 array (n,)
        A constant part of the input.
    gains : dict of str to float64 array
        By port: what the weights of events onto it are multiplied by; 0 for others.
    reset : str or None
        One of ``RESETS``; None if it does not fire.
    method : str or None
        How it is integrated; None if nothing is.
    start : int
        Step at which constants begin to act.
    membrane : str
        The state that is NIR's ``v``; empty if it keeps nothing.
    currents : dict of str to Cell
        Nodes of their own before it, by state: what reaches a port with a gain there goes through that node.
    later : set of (str, str)
        Currents and ports whose events act one step later than they arrive.
    """

    kind: str
    values: Mapping[str, Values] = field(default_factory=dict)
    bias: Values = field(default_factory=lambda: np.zeros(1))
    gains: Mapping[str, Values] = field(default_factory=dict)
    reset: str | None = None
    method: str | None = None
    start: int = 0
    membrane: str = ""
    currents: Mapping[str, Cell] = field(default_factory=dict)
    later: frozenset[tuple[str, str]] = frozenset()

    def spread(self, n: int) -> Cell:
        """The same with all values for each of n neurons."""

        def each(value: Values) -> Values:
            return np.array(np.broadcast_to(value, (n,)), np.float64)

        currents = {name: current.spread(n) for name, current in self.currents.items()}
        values = {name: each(value) for name, value in self.values.items()}
        return replace(self, values=values, bias=each(self.bias), currents=currents)


def split(strengths: Mapping[str, Values]) -> tuple[Values, dict[str, Values]]:
    """The strength of the first port, and the others in terms of it; 1 where a first port is without effect."""
    first = next(iter(strengths.values()), np.ones(()))
    scale = first if np.all(first) else np.ones(())
    return scale, {name: np.asarray(strength / scale) for name, strength in strengths.items()}
