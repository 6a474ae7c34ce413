"""Which of NIR's neurons a neuron of ours is, by its equations.

NIR gives each neuron one input, a linear equation of one or two states that starts at 0, a threshold that must be
exceeded and a value to reset to. Neurons that are this, whatever their names and units, are found here; of the others
the obstacle is told.

- A state that starts elsewhere is counted from there: threshold, reset and leak are moved by as much.
- Several ports are one input if they act on the same state; what differs becomes part of their weights.
- Several currents are nodes of their own (:mod:`neuromorph.interchange.nir.currents`).
- An event that moves a state at once (``v.jump``) is an input that lasts one step, as in NIR's discrete readings: the
  coefficients contain dt, and are chosen so that a reader that integrates by the neuron's method makes the same step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from neuromorph.errors import NetworkError
from neuromorph.interchange.nir.cells import Cell, split
from neuromorph.interchange.nir.currents import with_currents
from neuromorph.interchange.nir.firing import RESETS
from neuromorph.interchange.nir.forms import Form, Values, form, settled
from neuromorph.interchange.nir.neurons import PARAMETERS, Input, Sum, model
from neuromorph.language.expr import Expr, Type
from neuromorph.language.infix import infix
from neuromorph.language.neuron import Neuron
from neuromorph.lowering.statics import Statics
from neuromorph.lowering.values import initial_states, parameter_values
from neuromorph.network import Population

Forms = Mapping[str, Form]


def cell(population: Population, seed: int, dt: float) -> Cell:
    """The population as NIR has it.

    Parameters
    ----------
    population : Population
        Of neurons, not of a source.
    seed : int
        Of the network: parameters that are distributions are drawn.
    dt : float
        Seconds.

    Raises
    ------
    NetworkError
        If NIR has no such neuron: the first obstacle.
    """
    neuron = population.neuron
    if not isinstance(neuron, Neuron):
        raise NetworkError(f"{neuron.name} is a source of events, not a neuron")
    params = parameter_values(neuron, population.size, seed, population.index)
    found = _own(neuron, params) or _by_equations(neuron, Statics(params, dt), dt)
    if found.membrane:
        found = _moved(found, initial_states(neuron, params, population.size, dt, seed, population.index))
    return found.spread(population.size)


def _moved(found: Cell, initial: Mapping[str, Values]) -> Cell:
    """States counted from where they start."""
    others = [name for name, value in initial.items() if name != found.membrane and np.any(value)]
    start = initial[found.membrane]
    if others:
        raise NetworkError(f"{others[0]} does not start at 0, as the states of NIR's neurons do")
    if not np.any(start):
        return found
    if found.reset is None:
        raise NetworkError(
            f"{found.membrane} does not start at 0, as the states of NIR's neurons do, and it is what is sent"
        )
    moved = {name: found.values[name] - start for name in ("v_threshold", "v_reset", "v_leak") if name in found.values}
    return replace(found, values={**found.values, **moved})


def without_bias(found: Cell) -> Cell:
    """The same with its bias in the leak or the threshold, for neurons onto which nothing can bring it.

    Raises
    ------
    NetworkError
        If they have neither.
    """
    moved = dict(found.values)
    if found.kind in ("LI", "LIF"):
        moved["v_leak"] = moved["v_leak"] + moved["r"] * found.bias
    elif found.kind == "Threshold":
        moved["threshold"] = moved["threshold"] - found.bias
    else:
        raise NetworkError("no projection onto it can bring its bias; in NIR that belongs to a matrix or a convolution")
    return replace(found, values=moved, bias=np.zeros_like(found.bias))


# --- neurons that from_nir made ---------------------------------------------------------------------------------------
def _own(neuron: Neuron, params: Mapping[str, Values]) -> Cell | None:
    """Exactly what was read, if :func:`from_nir` made the neuron."""
    bare = replace(neuron, values=())
    start = int(np.max(params.get("start", 0)))
    if np.any(params.get("start", start) != start):
        raise NetworkError("its neurons start in different steps, which NIR cannot say")
    if bare == Input:
        return Cell("Input")
    port = {spec.name: np.ones(()) for spec in neuron.ports}
    if bare == Sum:
        return Cell("Sum", bias=params["bias"], gains=port, start=start)
    if neuron.name not in PARAMETERS or "start" not in params:
        return None
    for reset, method in product(RESETS, (neuron.method, "rockpool")):
        if bare == model(neuron.name, reset, method):
            values = {name.rstrip("?"): params[name.rstrip("?")] for name in PARAMETERS[neuron.name]}
            fires = reset if "v_threshold" in values else None
            if neuron.name == "Threshold":
                return Cell("Threshold", values, params["bias"], port, start=start)
            return Cell(neuron.name, values, params["bias"], port, fires, method, start, "v")
    return None


# --- any neuron -------------------------------------------------------------------------------------------------------
def _by_equations(neuron: Neuron, statics: Statics, dt: float) -> Cell:
    types = {port.name: port.type for port in neuron.ports} | {state.name: state.type for state in neuron.states}
    whole = [name for name, kind in types.items() if kind is Type.INT]
    if neuron.event is not None and neuron.event.when.op == "ne" and len(whole) == 1 and neuron.states:
        flag, zero = neuron.event.when.args
        if flag.op == "state" and flag.payload == whole[0] and zero.op in ("const", "float"):
            raise NetworkError(
                f"it is reset a step after its spike ({flag.payload}), when more has arrived, as in Brian 2 if events "
                "act on the state that is reset; NIR's neurons are reset first: let events act on a current"
            )
    if whole:
        raise NetworkError(f"{', '.join(whole)} counts in whole numbers, and NIR's neurons in real ones")
    ways = {"dot" if s.dot is not None else "next" for s in neuron.states if s.dot is not None or s.next is not None}
    unmoved = [s for s in neuron.states if s.dot is None and s.next is None and s.jump is None]
    if unmoved or len(ways) > 1:
        raise NetworkError(
            f"its states are {', '.join(s.name for s in neuron.states)}; NIR's neurons have a membrane and synaptic "
            "currents, all with a differential equation"
        )
    starts: list[int] = []

    def read(expr: Expr | None, what: str) -> Form | None:
        return None if expr is None else form(settled(expr, statics, starts), statics, what)

    event = neuron.event
    refractory = None if event is None else event.refractory
    if refractory is not None and np.any(statics.require(refractory).value):
        raise NetworkError("it has a refractory time, and NIR's neurons have none")
    dots = {s.name: f for s in neuron.states if (f := read(s.dot, f"d{s.name}/dt")) is not None}
    nexts = {s.name: f for s in neuron.states if (f := read(s.next, f"next {s.name}")) is not None}
    jumps = {s.name: f for s in neuron.states if (f := read(s.jump, f"jump of {s.name}")) is not None}
    for name, jump in jumps.items():
        if jump.states or np.any(jump.constant):
            raise NetworkError(f"the jump of {name} is not made of inputs alone")
        if nexts:
            nexts.setdefault(name, Form({name: np.ones(())}))
        else:
            dots.setdefault(name, Form())
    test = _test(neuron, statics, starts)
    watched = test.form.states if test.form is not None else {}
    also = [s.name for s in neuron.states if s.reset is not None and s.name not in watched]
    if also:
        raise NetworkError(f"an event resets {', '.join(also)}, on which it does not depend; in NIR the membrane alone")
    if not dots and all(not f.states for f in nexts.values()):
        found = _stateless(neuron, test, nexts)
    else:
        found = _dynamic(neuron, test, dots or _rates(nexts, jumps, dt), jumps if dots else {}, dt)
        found = _with_threshold(found, neuron, test, read)
    return replace(found, start=max(starts, default=0))


@dataclass(frozen=True)
class _Test:
    """When an event is sent: where ``form`` is above 0, or in every step (None); and the state that is sent."""

    form: Form | None
    sends: str | None


def _test(neuron: Neuron, statics: Statics, starts: list[int]) -> _Test:
    event = neuron.event
    if event is None:
        return _Test(None, None)
    sent = None if event.value is None else settled(event.value, statics, starts)
    if sent is not None and sent.op == "const" and sent.payload == 1:
        sent = None
    when = settled(event.when, statics, starts)
    always = when.op == "const" and bool(when.payload)
    if sent is not None:
        if sent.op != "state" or not (always or _not_zero(when, sent)):
            raise NetworkError(
                f"it sends graded events, {infix(sent, limit=60)} where {infix(when, limit=60)}; NIR's neurons send "
                "spikes, or their voltage in every step"
            )
        return _Test(None, str(sent.payload))
    if always or when.op not in ("gt", "lt"):
        reason = "in every step" if always else f"where {infix(when, limit=60)}"
        raise NetworkError(
            f"it fires {reason}; NIR's neurons fire where the membrane is above the threshold (>): write it so if it "
            "makes no difference"
        )
    left, right = when.args if when.op == "gt" else when.args[::-1]
    return _Test(form(Expr("sub", (left, right), left.dim), statics, "its condition"), None)


def _not_zero(when: Expr, sent: Expr) -> bool:
    """Whether the condition is that ``sent`` is not 0, spelt ``(x > 0) | (x < 0)`` or ``x != 0``."""
    if when.op == "or":
        return {a.op for a in when.args} == {"gt", "lt"} and all(_not_zero(a, sent) for a in when.args)
    if when.op not in ("gt", "lt", "ne"):
        return False
    x, zero = when.args
    same = x.op == "state" and x.payload == sent.payload
    return same and zero.op == "const" and not zero.payload


def _stateless(neuron: Neuron, test: _Test, nexts: Forms) -> Cell:
    """A threshold of what arrives in a step, or the sum itself."""
    if len(nexts) > 1 or any(s.reset is not None for s in neuron.states):
        raise NetworkError("it has states without a memory; NIR has nothing like it")
    if test.sends is not None:
        return Cell("Sum", bias=nexts[test.sends].constant, gains=dict(nexts[test.sends].ports))
    if test.form is None:
        raise NetworkError("it keeps nothing and sends nothing; NIR has nothing like it")
    arriving, threshold = test.form, -test.form.constant
    if test.form.states:
        (name,) = nexts
        factor = test.form.state(name)
        if test.form.ports or np.any(factor <= 0):
            raise NetworkError("it fires below a threshold, and NIR's neurons above")
        arriving, threshold = nexts[name], threshold / factor - nexts[name].constant
    return Cell("Threshold", {"threshold": threshold}, gains=dict(arriving.ports))


def _rates(nexts: Forms, jumps: Forms, dt: float) -> dict[str, Form]:
    """Differential equations of which forward Euler, currents before the membrane, makes these steps."""
    merged = {name: _after_jumps(later, jumps) for name, later in nexts.items()}
    rates = {}
    for name, later in merged.items():
        made, shares = later, {}
        for other in set(later.states) - {name}:  # the membrane sees the current of the same step
            decay = merged[other].state(other)
            if np.any(decay == 0) or merged[other].state(name).any():
                raise NetworkError(f"next {name} is not a membrane's that a decaying current moves")
            shares[other] = later.state(other) / decay
        if shares:
            ports = {p: _beside(later.port(p), p, shares, merged) for p in later.ports}
            seen = {p for other in shares for p in merged[other].ports}
            if any(np.any(ports.get(p, 1)) for p in seen):
                raise NetworkError(
                    f"next {name} does not see {', '.join(sorted(shares))} as in the same step, which is how NIR's "
                    "neurons are read step by step"
                )
            constant = later.constant - sum(share * merged[other].constant for other, share in shares.items())
            made = Form({name: later.state(name), **shares}, {p: c for p, c in ports.items() if np.any(c)}, constant)
        states = {state: c / dt for state, c in made.states.items() if state != name}
        own = (made.state(name) - 1) / dt
        states |= {name: own} if np.any(own) else {}
        rates[name] = Form(states, {port: c / dt for port, c in made.ports.items()}, made.constant / dt)
    return rates


def _beside(strength: Values, port: str, shares: Mapping[str, Values], currents: Forms) -> Values:
    """What a port adds to the membrane beside what it adds through currents."""
    through = [share * currents[other].port(port) for other, share in shares.items()]
    left = strength - sum(through)
    return np.where(np.abs(left) <= 1e-9 * (np.abs(strength) + sum(map(np.abs, through))), 0.0, left)


def _after_jumps(later: Form, jumps: Forms) -> Form:
    ports = dict(later.ports)
    for state, coefficient in later.states.items():
        for port, size in jumps[state].ports.items() if state in jumps else ():
            ports[port] = ports.get(port, np.zeros(())) + coefficient * size
    return replace(later, ports=ports)


def _dynamic(neuron: Neuron, test: _Test, rates: Forms, jumps: Forms, dt: float) -> Cell:
    """The membrane and its current."""
    membrane = _membrane(test, rates)
    currents = [name for name in rates if name != membrane]
    v = rates[membrane]
    method = "euler" if any(s.next is not None for s in neuron.states) else neuron.method
    if not currents:
        return _one_state(membrane, v, jumps.get(membrane, Form()), method, dt)
    if len(currents) > 1 or v.ports or membrane in jumps:
        alone = _one_state(membrane, v, jumps.get(membrane, Form()), method, dt)
        return with_currents(alone, rates, jumps, any(s.next is not None for s in neuron.states), dt)
    (current,) = currents
    i = rates[current]
    if membrane in i.states:
        raise NetworkError(f"{current} depends on {membrane}, and the current of NIR's neurons does not")
    if np.any(v.state(membrane) >= 0) or np.any(i.state(current) >= 0) or current not in v.states:
        raise NetworkError(f"{membrane} and {current} are not a leaky membrane that a decaying current moves")
    tau_syn, tau_mem = -1 / i.state(current), -1 / v.state(membrane)
    jump = jumps.get(current, Form())
    strengths = {p: (i.port(p) + jump.port(p) / dt) * tau_syn for p in {**i.ports, **jump.ports}}
    w_in, gains = split(strengths)
    values = {
        "tau_syn": tau_syn,
        "tau_mem": tau_mem,
        "r": v.state(current) * tau_mem,
        "v_leak": v.constant * tau_mem,
        "w_in": w_in,
    }
    return Cell("CubaLI", values, i.constant * tau_syn / w_in, gains, None, method, 0, membrane)


def _membrane(test: _Test, rates: Forms) -> str:
    if test.sends is not None:
        return test.sends
    if test.form is not None:
        if len(test.form.states) != 1 or test.form.ports:
            raise NetworkError("its condition is not that one state is above a threshold")
        return next(iter(test.form.states))
    moved = [name for name, rate in rates.items() if set(rate.states) - {name}] or list(rates)
    return moved[0]


def _one_state(name: str, v: Form, jump: Form, method: str, dt: float) -> Cell:
    own = v.state(name)
    ports = {**v.ports, **jump.ports}
    if not np.any(own):
        r, gains = split({p: v.port(p) + jump.port(p) / dt for p in ports})
        return Cell("I", {"r": r}, v.constant / r, gains, None, method, 0, name)
    if np.any(own >= 0):
        raise NetworkError(f"{name} does not decay in every neuron; NIR's neurons leak, or integrate, all alike")
    tau = -1 / own
    # A jump decays within its step; what an input of one step leaves at the end of it must be the same.
    lasting = tau / dt - 1 if method == "euler" else 1 / np.expm1(dt / tau)
    r, gains = split({p: v.port(p) * tau + jump.port(p) * lasting for p in ports})
    return Cell("LI", {"tau": tau, "r": r, "v_leak": v.constant * tau}, np.zeros(1), gains, None, method, 0, name)


def _with_threshold(found: Cell, neuron: Neuron, test: _Test, read: Any) -> Cell:
    """The same with threshold and reset, if it fires."""
    resets = {s.name: f for s in neuron.states if (f := read(s.reset, f"reset of {s.name}")) is not None}
    if test.form is None:
        return found
    (membrane,) = test.form.states
    factor = test.form.state(membrane)
    if np.any(factor <= 0):
        raise NetworkError("it fires below a threshold, and NIR's neurons above")
    threshold = -test.form.constant / factor
    if membrane not in resets:
        raise NetworkError(f"a spike does not reset {membrane}, and those of NIR's neurons do")
    after = resets[membrane]
    if not after.only(membrane):
        raise NetworkError(f"the reset of {membrane} depends on more than {membrane}")
    keeps = after.state(membrane)
    if not np.any(keeps):
        return _fires(found, threshold, after.constant, "zero")
    if np.all(keeps == 1):
        return _fires(found, threshold, threshold + after.constant, "subtract")
    raise NetworkError(f"a spike resets {membrane} to a part of itself; NIR's neurons are reset to a value")


def _fires(found: Cell, threshold: Values, reset: Values, rule: str) -> Cell:
    kind = {"I": "IF", "LI": "LIF", "CubaLI": "CubaLIF"}[found.kind]
    return replace(found, kind=kind, values={**found.values, "v_threshold": threshold, "v_reset": reset}, reset=rule)
