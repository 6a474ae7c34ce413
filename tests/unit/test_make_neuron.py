"""Neurons made of symbols by a program."""

from __future__ import annotations

import pytest

from neuromorph import Event, LanguageError, Param, Port, State, ms, mV, neuron
from neuromorph.language import make_neuron


def test_it_is_the_neuron_that_the_class_body_gives() -> None:
    @neuron(method="euler")
    class Cell:
        """A cell."""

        kick = Port(unit=mV)
        v, theta = State(0 * mV), Param(10 * mV)
        v.jump = kick
        rate = -v / (5 * ms)
        v.dot = rate
        spike = Event(when=v > theta, refractory=1 * ms, hold=v)
        v.reset = v - theta

    kick, v, theta = Port(unit=mV), State(0 * mV), Param(10 * mV)
    v.jump = kick
    rate = -v / (5 * ms)
    v.dot = rate
    v.reset = v - theta
    symbols = {"kick": kick, "v": v, "theta": theta, "rate": rate}
    symbols["spike"] = Event(when=v > theta, refractory=1 * ms, hold=v)
    assert make_neuron("Cell", symbols, doc="A cell.", method="euler") == Cell


def test_rules_of_a_class_body_hold() -> None:
    v = State(0 * mV)
    v.dot = -v / (5 * ms)
    with pytest.raises(LanguageError, match="never read"):
        make_neuron("Cell", {"v": v, "kick": Port(unit=mV)})
    with pytest.raises(LanguageError, match="unknown method"):
        make_neuron("Cell", {"v": v}, method="magic")
