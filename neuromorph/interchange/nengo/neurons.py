"""Nengo's neuron types as neurons of the language."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from neuromorph.interchange.nengo.filters import Inputs, watched
from neuromorph.interchange.nengo.rates import RATES, Made, rate_of, spiking_from_rate
from neuromorph.language import Event, Expr, Neuron, Param, State, dt, exp, floor, log, make_neuron, maximum, minimum
from neuromorph.language import where as choose
from neuromorph.units import second

Array = npt.NDArray[np.float64]
Update: TypeAlias = Callable[[Any, Mapping[str, Array], Expr, Expr], Made]
"""Symbols and initial values of a neuron, from Nengo's type, its built states and the current before and after."""


def ensemble(
    name: str,
    kind: Any,
    bias: Array,
    initial: Mapping[str, Array],
    inputs: Inputs,
    *,
    direct: Inputs | None = None,
    gain: Array | None = None,
    seen: Mapping[str, Inputs] | None = None,
) -> Neuron:
    """The neurons of an ensemble, their update step by step as in Nengo.

    Parameters
    ----------
    name : str
    kind : nengo.neurons.NeuronType
        Of a type in `UPDATES`.
    bias : array (n,)
        Constant current.
    initial : mapping of str to array (n,)
        Nengo's initial states, as `initial_states` gives them.
    inputs : Inputs
        In the unit of the current.
    direct : Inputs, optional
        What arrives at neurons as such, to be multiplied by ``gain``.
    gain : array (n,), optional
        By default 1.
    seen : mapping of str to Inputs, optional
        States that hold what arrives at other ports, for learning rules.

    Returns
    -------
    Neuron
        States have Nengo's names and numbers (times in seconds); ``current`` is what Nengo calls the input, and a
        neuron without spikes has ``rate``. Its event is worth `event_unit` of Nengo's output.
    """
    b = Param(0.0)
    arriving, present = inputs.arriving + b, inputs.present + b
    looked, given = watched(seen or {})
    ports = {**inputs.symbols, **looked}
    given |= inputs.values
    if direct is not None:
        factor = Param(1.0)
        arriving, present = arriving + factor * direct.arriving, present + factor * direct.present
        ports |= {"gain": factor, **direct.symbols}
        given |= direct.values if gain is None else {"gain": gain, **direct.values}
    symbols, values = UPDATES[type(kind).__name__](kind, initial, arriving, present)
    made = make_neuron(name, {"bias": b, **ports, **symbols}, doc=f"{type(kind).__name__}, from Nengo.")
    return made(bias=bias, **values, **given)


def initial_states(kind: Any, signals: Mapping[str, Any]) -> dict[str, Array]:
    """The states that Nengo drew for an ensemble, from ``built.sig[ensemble.neurons]``."""
    names = [*kind.state, *getattr(getattr(kind, "base_type", None), "state", ())]
    return {name: np.asarray(signals[name].initial_value, np.float64) for name in names}


def refusal(kind: Any) -> str | None:
    """Why a neuron type cannot be taken; None if it can."""
    import nengo

    name = type(kind).__name__
    if name not in UPDATES or type(kind) is not getattr(nengo, name, None):
        return f"neurons are {name}; there are {', '.join(UPDATES)}"
    base = getattr(kind, "base_type", None)
    if base is not None and (type(base).__name__ not in RATES or type(base) is not getattr(nengo, type(base).__name__)):
        return f"neurons are {name} of {type(base).__name__}; there is {name} of {', '.join(RATES)}"
    return None


def event_unit(kind: Any, step_length: float) -> float:
    """Nengo's output for an event of value 1: a spike is high for one step; a rate is its own value."""
    return float(getattr(kind, "amplitude", 1.0)) / step_length if kind.spiking else 1.0


def output_state(kind: Any) -> str | None:
    """The state that holds the value of the event in each step; None for a neuron whose events have value 1."""
    if not kind.spiking:
        return "rate"
    return None if type(kind).__name__ in ("LIF", "AdaptiveLIF", "Izhikevich") else "count"


def _lif(kind: Any, initial: Mapping[str, Array], arriving: Expr, present: Expr) -> Made:
    """A neuron whose refractory time ends within a step integrates for the rest of it.

    The refractory time starts at the moment at which the voltage crossed 1 (T. Bekolay et al., Front. Neuroinform.
    7:48, 2014), and goes on falling below 0, as Nengo's does.
    """
    symbols, values, _ = _leaky(kind, initial, arriving, present)
    return {**symbols, "current": present}, values


def _leaky(kind: Any, initial: Mapping[str, Array], arriving: Expr, present: Expr) -> tuple[Any, Any, Expr]:
    """The same, and whether the neuron fires, while states advance."""
    tau_rc, tau_ref, h = Param(kind.tau_rc), Param(kind.tau_ref), dt / second
    v, wait = State(0.0), State(0.0)
    wait.next = wait - h
    moved = v + (arriving - v) * (1.0 - exp(-minimum(maximum(h - wait.next, 0.0), h) / tau_rc))
    v.next = moved if np.isinf(kind.min_voltage) else maximum(moved, kind.min_voltage)
    wait.reset = tau_ref + (h + tau_rc * log(1.0 - (v - 1.0) / (present - 1.0)))
    v.reset = 0.0
    symbols = {"tau_rc": tau_rc, "tau_ref": tau_ref, "voltage": v, "refractory_time": wait}
    values = {name: initial[name] for name in ("voltage", "refractory_time")}
    return {**symbols, "spike": Event(when=v > 1.0)}, values, moved > 1.0


def _adaptive_lif(kind: Any, initial: Mapping[str, Array], arriving: Expr, present: Expr) -> Made:
    """Adaptation, which every spike adds to, is taken from the current."""
    tau_n, inc_n = Param(kind.tau_n), Param(kind.inc_n)
    n, driving = State(0.0), State(0.0)
    driving.next = arriving - n
    symbols, values, fires = _leaky(kind, initial, arriving - n, driving)
    h = dt / second
    n.next = n + h / tau_n * (inc_n * choose(fires, kind.amplitude / h, 0.0) - n)
    own = {"tau_n": tau_n, "inc_n": inc_n, "adaptation": n, "driving": driving, "current": present}
    return {**symbols, **own}, {**values, "adaptation": initial["adaptation"]}


def _integrate_and_fire(kind: Any, initial: Mapping[str, Array], arriving: Expr, present: Expr) -> Made:
    v, count = State(0.0), State(0.0)
    moved = v + maximum(arriving, 0.0) * (dt / second)
    count.next = floor(moved)
    v.next = moved - floor(moved)
    spike = Event(when=count > 0.0, value=count)
    return {"voltage": v, "count": count, "current": present, "spike": spike}, {"voltage": initial["voltage"]}


def _izhikevich(kind: Any, initial: Mapping[str, Array], arriving: Expr, present: Expr) -> Made:
    """Izhikevich's neuron as Nengo has it: currents from -30 up, and the recovery moves after the voltage's reset."""
    tau, coupling = Param(kind.tau_recovery), Param(kind.coupling)
    reset_voltage, reset_recovery = Param(kind.reset_voltage), Param(kind.reset_recovery)
    v, u, h = State(0.0), State(0.0), dt / second
    moved = v + (0.04 * (v * v) + 5.0 * v + 140.0 - u + maximum(-30.0, arriving)) * 1000.0 * h
    fires = moved >= 30.0
    recovered = u + tau * (coupling * choose(fires, reset_voltage, moved) - u) * 1000.0 * h
    v.next = moved
    u.next = choose(fires, recovered + reset_recovery, recovered)
    v.reset = reset_voltage
    symbols = {
        "tau_recovery": tau,
        "coupling": coupling,
        "reset_voltage": reset_voltage,
        "reset_recovery": reset_recovery,
        "voltage": v,
        "recovery": u,
        "current": present,
        "spike": Event(when=v >= 30.0),
    }
    return symbols, {name: initial[name] for name in ("voltage", "recovery")}


def _rate(kind: Any, initial: Mapping[str, Array], arriving: Expr, present: Expr) -> Made:
    """A neuron that sends its rate in every step in which it is not 0."""
    value, symbols, values = rate_of(kind, initial, arriving)
    rate = State(0.0)
    rate.next = value
    sent = Event(when=rate != 0.0 if kind.negative else rate > 0.0, value=rate)
    return {**symbols, "rate": rate, "current": present, "sent": sent}, values


def _spiking(kind: Any, initial: Mapping[str, Array], arriving: Expr, present: Expr) -> Made:
    value, symbols, values = rate_of(kind.base_type, initial, arriving)
    own, own_values = spiking_from_rate(kind, initial, value)
    return {**symbols, **own, "current": present}, {**values, **own_values}


UPDATES: Mapping[str, Update] = {
    "LIF": _lif,
    "AdaptiveLIF": _adaptive_lif,
    "SpikingRectifiedLinear": _integrate_and_fire,
    "Izhikevich": _izhikevich,
    "RegularSpiking": _spiking,
    "StochasticSpiking": _spiking,
    "PoissonSpiking": _spiking,
    **dict.fromkeys(RATES, _rate),
}
"""Nengo's neuron types that can be taken, by name."""
