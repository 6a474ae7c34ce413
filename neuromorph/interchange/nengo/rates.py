"""Nengo's neurons without spikes, as expressions, and its ways to make spikes of a rate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from neuromorph.language import (
    Event,
    Expr,
    Param,
    State,
    abs_,
    dt,
    floor,
    log,
    maximum,
    poisson,
    sigmoid,
    tanh,
    uniform,
)
from neuromorph.language import where as choose
from neuromorph.units import second

Array = npt.NDArray[np.float64]
Made: TypeAlias = tuple[dict[str, Any], dict[str, Any]]
"""Symbols of a neuron, and initial values."""


def rate_of(kind: Any, initial: Mapping[str, Array], arriving: Expr) -> tuple[Expr, dict[str, Any], dict[str, Any]]:
    """The rate at a current, while states advance, with the symbols and initial values that it needs.

    Parameters
    ----------
    kind : nengo.neurons.NeuronType
        Of a type in `RATES`.
    initial : mapping of str to array (n,)
    arriving : Expr
        The current.
    """
    rate, (symbols, values) = RATES[type(kind).__name__](kind, initial, arriving)
    return rate, symbols, values


def _lif_rate(kind: Any, initial: Mapping[str, Array], arriving: Expr) -> tuple[Expr, Made]:
    tau_rc, tau_ref = Param(kind.tau_rc), Param(kind.tau_ref)
    above = arriving - 1.0
    fires = above > 0.0
    slow = tau_ref + tau_rc * log(1.0 + 1.0 / choose(fires, above, 1.0))
    return choose(fires, kind.amplitude / slow, 0.0), ({"tau_rc": tau_rc, "tau_ref": tau_ref}, {})


def _adaptive_lif_rate(kind: Any, initial: Mapping[str, Array], arriving: Expr) -> tuple[Expr, Made]:
    n, tau_n, inc_n = State(0.0), Param(kind.tau_n), Param(kind.inc_n)
    rate, (symbols, _) = _lif_rate(kind, initial, arriving - n)
    n.next = n + dt / second / tau_n * (inc_n * rate - n)
    return rate, ({**symbols, "tau_n": tau_n, "inc_n": inc_n, "adaptation": n}, {"adaptation": initial["adaptation"]})


def _rectified(kind: Any, initial: Mapping[str, Array], arriving: Expr) -> tuple[Expr, Made]:
    return kind.amplitude * maximum(arriving, 0.0), ({}, {})


def _sigmoid(kind: Any, initial: Mapping[str, Array], arriving: Expr) -> tuple[Expr, Made]:
    return 1.0 / kind.tau_ref * sigmoid(arriving), ({}, {})


def _tanh(kind: Any, initial: Mapping[str, Array], arriving: Expr) -> tuple[Expr, Made]:
    return 1.0 / kind.tau_ref * tanh(arriving), ({}, {})


RATES: Mapping[str, Callable[[Any, Mapping[str, Array], Expr], tuple[Expr, Made]]] = {
    "LIFRate": _lif_rate,
    "AdaptiveLIFRate": _adaptive_lif_rate,
    "RectifiedLinear": _rectified,
    "Sigmoid": _sigmoid,
    "Tanh": _tanh,
}
"""Nengo's neuron types without spikes, by name."""


def spiking_from_rate(kind: Any, initial: Mapping[str, Array], rate: Expr) -> Made:
    """The spikes that a rate makes: regular, by chance, or Poisson. Chance is drawn from the network's seed.

    Parameters
    ----------
    kind : nengo.RegularSpiking, nengo.StochasticSpiking or nengo.PoissonSpiking
    initial : mapping of str to array (n,)
    rate : Expr
        Of the base type.
    """
    out, h = State(0.0), dt / second
    out.next = rate
    count = State(0.0)
    symbols = {"rate_out": out, "count": count, "spike": Event(when=count != 0.0, value=count)}
    if "voltage" in kind.state:
        v = State(0.0)
        count.next = floor(v + h * rate)
        v.next = v + h * rate - floor(v + h * rate)
        return {**symbols, "voltage": v}, {"voltage": initial["voltage"]}
    mean = h * (abs_(rate) if kind.negative else rate)
    drawn = _poisson(mean) if type(kind).__name__ == "PoissonSpiking" else _rounded(mean)
    count.next = choose(rate < 0.0, -drawn, drawn) if kind.negative else drawn
    return symbols, {}


def _poisson(mean: Expr) -> Expr:
    return 1.0 * poisson(mean)


def _rounded(mean: Expr) -> Expr:
    """The whole number below, or the one above, with the probability that makes the mean right."""
    whole = floor(mean)
    return whole + choose(uniform() < mean - whole, 1.0, 0.0)
