"""Nengo's neuron types as neurons of the language."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from neuromorph.interchange.nengo.filters import Inputs
from neuromorph.language import (
    Event,
    Expr,
    Neuron,
    Param,
    State,
    dt,
    exp,
    floor,
    log,
    make_neuron,
    maximum,
    minimum,
    where,
)
from neuromorph.units import TIME, Quantity, ms, second

Array = npt.NDArray[np.float64]
Made: TypeAlias = tuple[dict[str, Any], dict[str, Any]]
"""Symbols of a neuron, and initial values."""


def ensemble(name: str, kind: Any, bias: Array, initial: Mapping[str, Array], inputs: Inputs) -> Neuron:
    """The neurons of an ensemble, their update step by step as in Nengo.

    Parameters
    ----------
    name : str
    kind : nengo.LIF, nengo.SpikingRectifiedLinear, nengo.LIFRate or nengo.RectifiedLinear
    bias : array (n,)
        Constant current.
    initial : mapping of str to array (n,)
        Nengo's initial states.
    inputs : Inputs
    """
    b = Param(0.0)
    update = UPDATES[type(kind).__name__]
    symbols, values = update(kind, initial, inputs.arriving + b, inputs.present + b)
    made = make_neuron(name, {"bias": b, **inputs.symbols, **symbols}, doc=f"{type(kind).__name__}, from Nengo.")
    return made(bias=bias, **values, **inputs.values)


def _lif(kind: Any, initial: Mapping[str, Array], arriving: Expr, present: Expr) -> Made:
    """A neuron whose refractory time ends within a step integrates for the rest of it.

    The refractory time starts at the moment at which the voltage crossed 1 (T. Bekolay et al., Front. Neuroinform.
    7:48, 2014). exp(x) - 1 and log(1 + x) stand for Nengo's expm1 and log1p.
    """
    tau_rc, tau_ref = Param(_time(kind.tau_rc)), Param(_time(kind.tau_ref))
    v, wait = State(0.0), State(0 * ms)
    wait.next = maximum(wait - dt, 0 * ms)
    left = maximum(dt - wait.next, 0 * ms)
    moved = v + (arriving - v) * (1.0 - exp(-minimum(left, dt) / tau_rc))
    v.next = moved if np.isinf(kind.min_voltage) else maximum(moved, kind.min_voltage)
    wait.reset = tau_ref + dt + tau_rc * log(1.0 - (v - 1.0) / (present - 1.0))
    v.reset = 0.0
    symbols = {"tau_rc": tau_rc, "tau_ref": tau_ref, "voltage": v, "refractory_time": wait, "current": present}
    values = {"voltage": initial["voltage"], "refractory_time": _time(initial["refractory_time"])}
    return {**symbols, "spike": Event(when=v > 1.0)}, values


def _integrate_and_fire(kind: Any, initial: Mapping[str, Array], arriving: Expr, present: Expr) -> Made:
    v = State(0.0)
    v.next = v + maximum(arriving, 0.0) * (dt / second)
    v.reset = v - floor(v)
    spike = Event(when=v >= 1.0, value=floor(v))
    return {"voltage": v, "current": present, "spike": spike}, {"voltage": initial["voltage"]}


def _rectified(kind: Any, initial: Mapping[str, Array], arriving: Expr, present: Expr) -> Made:
    rate = State(0.0)
    rate.next = kind.amplitude * maximum(arriving, 0.0)
    return {"rate": rate, "current": present, "sent": Event(when=rate > 0.0, value=rate)}, {}


def _lif_rate(kind: Any, initial: Mapping[str, Array], arriving: Expr, present: Expr) -> Made:
    tau_rc, tau_ref, rate = Param(kind.tau_rc), Param(kind.tau_ref), State(0.0)
    above = arriving - 1.0
    fires = above > 0.0
    rate.next = where(fires, kind.amplitude / (tau_ref + tau_rc * log(1.0 + 1.0 / where(fires, above, 1.0))), 0.0)
    symbols = {"tau_rc": tau_rc, "tau_ref": tau_ref, "rate": rate, "current": present}
    return {**symbols, "sent": Event(when=rate > 0.0, value=rate)}, {}


UPDATES: Mapping[str, Callable[[Any, Mapping[str, Array], Expr, Expr], Made]] = {
    "LIF": _lif,
    "SpikingRectifiedLinear": _integrate_and_fire,
    "LIFRate": _lif_rate,
    "RectifiedLinear": _rectified,
}
"""Nengo's neuron types that can be taken, by name."""


def event_unit(kind: Any, step_length: float) -> float:
    """Nengo's output for an event of value 1: a spike is high for one step; a rate is its own value."""
    return float(kind.amplitude) / step_length if kind.spiking else 1.0


def _time(seconds: Any) -> Quantity:
    """Seconds, to be shown in ms."""
    return Quantity(seconds, TIME, ms)
