"""A membrane that several currents move, or currents and inputs of its own: in NIR, each an ``LI`` before a ``LIF``.

A reader computes an ``LI`` first and holds its value for the step of the neuron behind it. The strengths are chosen so
that this is the step of the neuron itself, when both nodes are integrated by its method:

- events that move a current at once (``jump``) make it what the membrane sees in this step;
- inputs that flow into it (``dot``) are seen by the membrane one step later, by a method that takes all from the old
  values, so their connection is told with one step more; a current in a recurrence (``next``) is seen at once;
- exact integration follows the current's decay through the step, which is the same as holding its value with another
  strength; of an input that flows in meanwhile it is not, so that is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from neuromorph.errors import NetworkError
from neuromorph.interchange.nir.cells import Cell, split
from neuromorph.interchange.nir.forms import Form, Values

#: Methods that integrate linear equations exactly.
EXACT = ("exact", "auto")


def with_currents(found: Cell, rates: Mapping[str, Form], jumps: Mapping[str, Form], in_turn: bool, dt: float) -> Cell:
    """A membrane with the currents that move it, each as a cell of its own.

    Parameters
    ----------
    found : Cell
        The membrane alone, ``I`` or ``LI``.
    rates, jumps : dict of str to Form
        By state, the membrane among them: differential equations, and what events do at once.
    in_turn : bool
        Whether the membrane sees the new currents of a step.
    dt : float
        Seconds.

    Raises
    ------
    NetworkError
        If a current is not one that decays by itself, or not one that a node of its own can stand for.
    """
    made: dict[str, Cell] = {}
    later: set[tuple[str, str]] = set()
    v, method = rates[found.membrane], str(found.method)
    currents = {name: rate for name, rate in rates.items() if name != found.membrane}
    for name, rate in currents.items():
        if others := sorted(set(rate.states) - {name}):
            raise NetworkError(f"{name} depends on {', '.join(others)}, and a current of NIR's on its inputs alone")
    for name, rate in currents.items():
        if np.any(rate.state(name) >= 0) or name not in v.states:
            raise NetworkError(f"{name} is not a decaying current that moves {found.membrane}")
        if np.any(rate.constant):
            raise NetworkError(f"a constant flows into {name}, beside other inputs of {found.membrane}; move it there")
        jump = jumps.get(name, Form())
        if rate.ports and method in EXACT:
            raise NetworkError(
                f"inputs flow into {name} during a step, beside other inputs of {found.membrane}, and are integrated "
                f"exactly; NIR has no node for that: let them act at once ({name}.jump), or use forward Euler"
            )
        if both := sorted(set(rate.ports) & set(jump.ports)):
            raise NetworkError(f"{', '.join(both)} moves {name} at once and flows into it, too")
        tau = -1 / rate.state(name)
        lost = dt / tau if method == "euler" else -np.expm1(-dt / tau)
        held = _held(v.state(name), tau, found, dt) / found.values["r"]
        strengths = {p: held * c * tau for p, c in rate.ports.items()}
        strengths |= {p: held * c / lost for p, c in jump.ports.items()}
        r, gains = split(strengths)
        made[name] = Cell("LI", {"tau": tau, "r": r, "v_leak": np.zeros(())}, gains=gains, method=found.method)
        later |= set() if in_turn else {(name, port) for port in rate.ports}
    return replace(found, currents=made, later=frozenset(later))


def _held(strength: Values, tau: Values, found: Cell, dt: float) -> Values:
    """What the membrane's input is multiplied by if it is held for a step, instead of decaying with ``tau``."""
    leaky = found.kind == "LI"
    own = found.values["tau"] if leaky else np.zeros(())
    if found.method not in EXACT:
        return strength * own if leaky else strength
    if not leaky:
        return np.asarray(strength * -np.expm1(-dt / tau) * tau / dt)
    # The integral of exp(-(dt - s) / own) exp(-s / tau) over the step, by the step's own 1 - exp(-dt / own).
    apart = dt / tau - dt / own
    same = np.abs(apart) < 1e-12
    mean = np.where(same, 1.0, -np.expm1(-apart) / np.where(same, 1.0, apart))
    return np.asarray(strength * dt * np.exp(-dt / own) * mean / -np.expm1(-dt / own))
