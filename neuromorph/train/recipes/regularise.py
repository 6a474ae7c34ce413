"""Regularisers of activity and states: functions of a module's outputs, to be added to a loss.

Tensors are (steps, batch, n): ``fired`` is 0 or 1 with a surrogate gradient (output ``"pop.fired"``), ``state`` a state
or named intermediate (``"pop.c"``).
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor


def activity(fired: Tensor) -> Tensor:
    """Fraction of neuron-steps with an event, a scalar; one minus this is the activity sparsity."""
    return fired.mean()


def activity_target(fired: Tensor, target: float, per: Literal["population", "neuron"] = "population") -> Tensor:
    """``(activity - target)**2``: of the whole population, or the mean over its neurons of each one's own.

    For the whole population with a target of 0.05 and a factor of 0.01 this is the first term that EvNN adds for
    gestures.
    """
    found = fired.mean() if per == "population" else fired.mean((0, 1))
    return (found - target).square().mean()


def state_below_threshold(state: Tensor, theta: Tensor | float, margin: float) -> Tensor:
    """``mean(state - (theta - margin))``: falls as states stay below threshold; EvNN's second term for gestures."""
    return (state - (theta - margin)).mean()


def event_penalty(
    state: Tensor, fired: Tensor, *, level: float = 0.0, change: float = 0.0, events: float = 0.0
) -> Tensor:
    """EvNN's regulariser of language models.

    ``level * mean(c) + change * mean(dc**2 * fired) + events * mean(fired)``, where ``dc`` is the change of the state
    since the step before, which counts where the neuron fired in the later of the two.
    """
    total = level * state.mean() + events * fired.mean()
    if change and len(state) > 1:
        total = total + change * ((state[1:] - state[:-1]).square() * fired[1:]).mean()
    return total
