"""NEST's stdp_synapse: pairs of spikes, all to all, by a power law of the weight.

In NEST the whole delay d lies on the target's side: a spike of the target at t is seen by the synapse at t + d, one of
the source at once, and what it sends arrives d later. Here the source's spikes are seen when they arrive. So everything
is d later, and the target's spikes are seen 2 d after they were sent: the order of events, the weights that are
delivered and when they arrive are the same; a weight changes d later than NEST says.

Of two spikes that a synapse sees at one time each finds what the other's trace was before: the source's trace without
the spike that arrives, the target's without the one that is seen. Paths of the source come first in a step, so the
target's spikes act a step early, on the trace as it will have decayed, and count in theirs two steps later.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from math import isfinite
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.language import Expr, Param, State, dt, exp, maximum, minimum
from neuromorph.language.make import make_synapse
from neuromorph.language.synapse import Synapse
from neuromorph.language.synapse_symbols import Output
from neuromorph.units import Unit, as_quantity, ms

STDP = ("stdp_synapse", "nest:stdp_synapse")

DEFAULTS: Mapping[str, float] = {
    "tau_plus": 20.0,
    "lambda": 0.01,
    "alpha": 1.0,
    "mu_plus": 1.0,
    "mu_minus": 1.0,
    "Wmax": 100.0,
}
"""Of ``dynamics_params``; times in ms, Wmax in the unit of the weights."""

TAU_MINUS = 20.0
"""In ms; NEST has it among the target's parameters, where no template here has another."""


def stdp(given: Mapping[str, Any], port: str, unit: Any, weights: npt.NDArray[np.float64]) -> Synapse:
    """The synapse for ``dynamics_params`` of edges, which end at a port.

    Parameters
    ----------
    given : mapping
        Names of :data:`DEFAULTS`; others are left out.
    port : str
    unit : Unit or number
        What a weight of 1 is.
    weights : float64 (edges,)
        In SI units of the port.
    """
    said = {name: float(given.get(name, value)) for name, value in DEFAULTS.items()}
    one = as_quantity(unit)
    made = _synapse(said["mu_plus"], said["mu_minus"], port, one.unit)
    w: Any = weights if one.unit.dim.is_none else weights / one.unit.scale * one.unit
    return made(
        tau_plus=said["tau_plus"] * ms,
        rate=said["lambda"],
        alpha=said["alpha"],
        w_max=said["Wmax"] * unit,
        w=w,
    )


def stdp_problems(subject: str, given: Mapping[str, Any]) -> list[str]:
    """What cannot be in ``dynamics_params`` of such edges."""
    problems = []
    for name, value in given.items():
        if name not in (*DEFAULTS, "receptor_type", "sign"):
            have = ", ".join(DEFAULTS)
            problems.append(f"{subject}: stdp_synapse has no parameter {name!r}; it has {have}")
        elif name in DEFAULTS and (
            isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value)
        ):
            problems.append(f"{subject}: {name} is {value!r}; a number is expected")
        elif name in ("tau_plus", "Wmax") and not value > 0:
            problems.append(f"{subject}: {name} is {value}; a number above 0 is expected")
    return problems


@cache
def _synapse(mu_plus: float, mu_minus: float, port: str, unit: Unit) -> Synapse:
    tau_plus, tau_minus = Param(20 * ms), Param(TAU_MINUS * ms)
    rate, alpha, w_max = Param(0.01), Param(1.0), Param(100 * unit)
    w, x, y, seen, due = State(1 * unit), State(0.0), State(0.0), State(0.0), State(0.0)
    out = Output(port)
    fade = exp(-dt / tau_plus)
    x.next = x * fade
    y.next = (y + due) * exp(-dt / tau_minus)
    due.next, seen.next = seen, 0.0
    depressed = maximum(w / w_max - alpha * rate * _power(w / w_max, mu_minus) * y, 0) * w_max
    out.on_pre = depressed
    w.on_pre = depressed
    x.on_pre = x + 1
    w.on_post = minimum(w / w_max + rate * _power(1 - w / w_max, mu_plus) * x * fade, 1) * w_max
    seen.on_post = seen + 1
    symbols: dict[str, Any] = {"tau_plus": tau_plus, "tau_minus": tau_minus, "rate": rate, "alpha": alpha}
    symbols |= {"w_max": w_max, "w": w, "x": x, "y": y, "seen": seen, "due": due, "out": out}
    return make_synapse("StdpSynapse", symbols, doc="NEST's stdp_synapse.", late=True)


def _power(x: Expr, mu: float) -> Expr | float:
    return 1.0 if mu == 0 else x if mu == 1 else x**mu
