"""What a spike does to a membrane, for which NIR has one rule and its importers have several.

- ``"zero"``: NIR's own, v = v_reset;
- ``"subtract"``: v = v - (v_threshold - v_reset);
- ``"snntorch"``: the same, and while v is still above the threshold after that, the next test is made on v less
  v_threshold - v_reset once more. So does snnTorch where its reset has no delay (``reset_delay=False``);
- ``"snntorch_delay"``: v_threshold - v_reset is taken off in the step after the spike, when v has already decayed from
  where it was: snnTorch's default (``reset_delay=True``, ``reset_mechanism="subtract"``);
- ``"snntorch_delay_zero"``: v is v_reset throughout the step after the spike, whatever arrives in it: its
  ``reset_mechanism="zero"`` with delay in ``Synaptic``, ``RLeaky`` and ``RSynaptic`` (in ``Leaky`` that is ``"zero"``);
  ``RSynaptic`` of snnTorch 1.0.0 resets with delay whatever it is told;
- ``"multiple"``: as many spikes in one step as v holds thresholds, sent as one event of that value, and
  v_threshold - v_reset is taken off for each; v may also equal the threshold. So do Rockpool, and sinabs where it
  generates multiple spikes.
"""

from __future__ import annotations

from typing import Any

from neuromorph.language import Event, floor, maximum, where

RESETS = ("zero", "subtract", "snntorch", "snntorch_delay", "snntorch_delay_zero", "multiple")

#: Rules that act in the step after a spike; how they mix with the step itself is defined for forward Euler alone.
DELAYED = ("snntorch_delay", "snntorch_delay_zero")


def fired(reset: str, tested: Any, v_threshold: Any, v_reset: Any, runs: Any) -> Any:
    """The event of a neuron whose membrane, or what is tested instead, is ``tested``."""
    if reset == "multiple":
        return Event(when=runs & (tested >= v_threshold), value=_count(tested, v_threshold, v_reset))
    return Event(when=runs & (tested > v_threshold))


def after(reset: str, v: Any, v_threshold: Any, v_reset: Any) -> Any:
    """The membrane after a spike, for rules that are not :data:`DELAYED`."""
    if reset == "zero":
        return v_reset
    jump = v_threshold - v_reset
    return v - (_count(v, v_threshold, v_reset) * jump if reset == "multiple" else jump)


def delayed(reset: str, v: Any, made: Any, v_threshold: Any, v_reset: Any, runs: Any) -> Any:
    """The membrane after a step that would make ``made`` of it, for rules that are :data:`DELAYED`."""
    late = runs & (v > v_threshold)
    if reset == "snntorch_delay":
        return made - where(late, v_threshold - v_reset, 0.0)
    return where(late, v_reset, made)


def _count(v: Any, v_threshold: Any, v_reset: Any) -> Any:
    return maximum(floor(v / (v_threshold - v_reset)), 1.0)
