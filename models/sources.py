"""Sources of events. Replayed events need no neuron: they are :class:`neuromorph.EventSource`."""

from __future__ import annotations

from neuromorph.language import Event, Param, State, dt, neuron, poisson, uniform
from neuromorph.units import Hz


@neuron
class BernoulliSource:
    """Fires in each step with probability ``rate * dt``: at most one spike a step (``PoissonGroup`` in Brian 2)."""

    rate = Param(10 * Hz)
    chance = State(1.0)

    chance.next = uniform()
    spike = Event(when=chance < rate * dt)


@neuron
class PoissonSource:
    """Emits a Poisson-distributed number of spikes a step, as one event whose value is their number.

    It stands for many independent inputs on one connection (``poisson_generator`` in NEST).
    """

    rate = Param(1000 * Hz)
    count = State(0.0)

    count.next = poisson(rate * dt)
    spikes = Event(when=count > 0, value=count)
