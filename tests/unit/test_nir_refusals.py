"""What NIR cannot say is refused, each by name and with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest
from nir_networks import (
    STEP,
    Counting,
    Flowing,
    Gate,
    Noisy,
    Stepped,
    driven,
)

from neuromorph import (
    CheckError,
    Event,
    EventSource,
    Network,
    NetworkError,
    Neuron,
    Port,
    State,
    from_nir,
    ms,
    mV,
    neuron,
    to_nir,
)
from neuromorph.language import to_int
from neuromorph.models.integrate_and_fire import LIF, LIFConductance, LIFDelta
from neuromorph.models.plasticity import PairSTDP
from neuromorph.models.recurrent import EGRUEvNN
from neuromorph.network import (
    AllToAll,
    EventsOf,
    OneToOne,
)

nir = pytest.importorskip("nir")
DATA = Path(__file__).parents[1] / "data"


@neuron
class AtLeast:
    a = Port()
    v = State(0.0)
    v.dot = (a - v) / (10 * ms)
    spike = Event(when=v >= 1)
    v.reset = 0.0


@neuron
class Adapting:
    a = Port()
    v, w = State(0.0), State(0.0)
    v.dot = (a - v - w) / (10 * ms)
    w.dot = -w / (50 * ms)
    spike = Event(when=v > 1)
    v.reset = 0.0
    w.reset = w + 0.1


@neuron
class Halving:
    a = Port()
    v = State(0.0)
    v.dot = (a - v) / (10 * ms)
    spike = Event(when=v > 1)
    v.reset = v / 2


@neuron
class Whole:
    a = Port(dtype=int)
    n = State(0, dtype=int)
    n.jump = a
    spike = Event(when=n > 3)
    n.reset = n - 3


@neuron
class Squared:
    a = Port()
    v = State(0.0)
    v.dot = (v * v + a) / (10 * ms)
    spike = Event(when=v > 1)
    v.reset = 0.0


@neuron
class Alpha:
    a = Port()
    x, g, v = State(0.0), State(0.0), State(0.0)
    x.jump = a
    x.dot = -x / (5 * ms)
    g.dot = (x - g) / (5 * ms)
    v.dot = (g - v) / (10 * ms)
    spike = Event(when=v > 1)
    v.reset = 0.0


@neuron
class Offset:
    a, b = Port(), Port()
    x, v = State(0.0), State(0.0)
    x.jump = a
    x.dot = (0.1 - x) / (5 * ms)
    v.jump = b
    v.dot = (x - v) / (10 * ms)
    spike = Event(when=v > 1)
    v.reset = 0.0


REFUSED: dict[str, tuple[Neuron, str]] = {
    "refractory": (LIF, "has a refractory time, and NIR's neurons have none"),
    "conductances": (LIFConductance(t_ref=0 * ms), "g_exc * (e_exc - v) is in it"),
    "a current of a current": (Alpha, "g depends on x, and a current of NIR's on its inputs alone"),
    "flowing currents": (Flowing.with_method("exact"), "inputs flow into x during a step, beside other inputs of v"),
    "a constant current": (Offset, "a constant flows into x, beside other inputs of v"),
    "gated": (EGRUEvNN, "is not a sum of constant multiples of states and inputs"),
    "random": (Noisy, "draws random numbers, which NIR has not"),
    "not strict": (AtLeast, "fires where v >= 1; NIR's neurons fire where the membrane is above the threshold"),
    "adaptation": (Adapting, "an event resets w, on which it does not depend"),
    "half": (Halving, "resets v to a part of itself"),
    "whole": (Whole, "a, n counts in whole numbers"),
    "squared": (Squared, "is not a sum of constant multiples"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_neuron_that_nir_has_not_is_refused_with_the_reason(name: str) -> None:
    ours, reason = REFUSED[name]
    net = Network()
    net.population(ours, 3, name="cells")
    with pytest.raises(CheckError) as caught:
        to_nir(net, dt=STEP)
    (problem,) = caught.value.problems
    assert problem.startswith(f"population cells ({ours.name}): ")
    assert reason in problem


def test_all_that_cannot_be_said_is_told_at_once() -> None:
    net = Network(name="mixed")
    source = net.population(EventSource(2), name="source")
    noisy, counting = net.population(Noisy, 2, name="noisy"), net.population(Counting, 2, name="counting")
    net.project(source, noisy, OneToOne())
    net.project(noisy, counting, OneToOne())
    with pytest.raises(CheckError, match="network mixed as a NIR graph") as caught:
        to_nir(net, dt=STEP, inputs=["nobody", "counting"])
    first, second_, third = caught.value.problems
    assert "no population 'nobody'; it has source, noisy, counting" in first
    assert "population noisy (Noisy): next v = 0.9 * v + a + 0.1 * normal()" in second_
    assert "projections reach population counting, so it is no input" in third


def test_neurons_that_are_integrated_by_several_methods_are_told() -> None:
    net, _ = driven(LIFDelta(t_ref=0 * ms))
    euler = net.population(LIFDelta(t_ref=0 * ms).with_method("euler"), 2, name="euler")
    net.project(net["cells"], euler, AllToAll(), weight=1 * mV)
    with pytest.warns(UserWarning, match="cells by 'auto'; euler by 'euler'; the graph says 'euler'"):
        to_nir(net, dt=STEP)


def test_resets_that_nir_has_not_must_be_asked_for() -> None:
    net, _ = driven(Counting)
    with pytest.raises(CheckError, match="what follows a spike is 'subtract'; NIR says 'zero' alone"):
        to_nir(net, dt=STEP)
    assert float(to_nir(net, dt=STEP, reset="subtract").metadata["neuromorph"]["dt"]) == 0.5e-3


def test_plastic_synapses_are_refused() -> None:
    net = Network()
    cells = net.population(Stepped, 2, name="cells")
    net.project(net.population(EventSource(2), name="in"), cells, AllToAll(), synapse=PairSTDP, name="learning")
    with pytest.raises(CheckError, match=r"projection learning: its synapses \(PairSTDP\) change"):
        to_nir(net, dt=STEP, reset="subtract")


@neuron
class Watched:
    """Two kinds of events, and a state that others read."""

    a, seen = Port(), Port()
    v, high = State(0.0), State(0, dtype=int)
    v.jump = a
    v.dot = (seen - v) / (10 * ms)
    high.next = to_int(v > 0.5)
    spike = Event(when=v > 1)
    v.reset = 0.0


def test_further_events_and_states_that_others_read_are_refused() -> None:
    net = Network()
    cells, others = net.population(Watched, 2, name="cells"), net.population(Stepped, 2, name="others")
    net.project(net.population(EventsOf(cells, "high"), name="high"), others, OneToOne())
    net.read(cells, "v", cells.seen, delay=1)
    with pytest.raises(CheckError) as caught:
        to_nir(net, dt=STEP, reset="subtract")
    text = "\n".join(caught.value.problems)
    assert "population high: further events of cells; NIR's neurons send one kind" in text
    assert "reading cells.v -> cells.seen: in NIR, what neurons send is all that others see" in text


def test_a_bias_that_nothing_can_bring_is_refused() -> None:
    net = Network()
    net.population(Counting, 2, name="alone")
    with pytest.raises(CheckError, match="population alone: no projection onto it can bring its bias"):
        to_nir(net, dt=STEP, reset="subtract")


def test_options_that_are_wrong(tmp_path: Path) -> None:
    net, _ = driven(Gate)
    with pytest.raises(NetworkError, match=r"none.x\.nir: the graph cannot be written there"):
        to_nir(net, tmp_path / "none" / "x.nir", dt=STEP)
    with pytest.raises(CheckError, match="it has no populations"):
        to_nir(Network(), dt=STEP)
    with pytest.raises(NetworkError, match="reset='soft'"):
        to_nir(net, dt=STEP, reset="soft")
    with pytest.raises(CheckError, match="outputs: the network has no population 'x'"):
        to_nir(net, dt=STEP, outputs=["x"])
    late = from_nir(DATA / "nir_lif" / "lif_norse.nir", dt=STEP)
    with pytest.raises(CheckError, match="starts at step 1, which NIR cannot say with forward='next'"):
        to_nir(late, dt=STEP, forward="next")
    ring = Network()
    a, b = ring.population(Gate, 1, name="a"), ring.population(Gate, 1, name="b")
    ring.project(a, b.a, OneToOne())
    ring.project(b, a.a, OneToOne())
    with pytest.raises(CheckError, match="every population sends to another"):
        to_nir(ring, dt=STEP)
    assert isinstance(to_nir(ring, dt=STEP, outputs=["b"]).nodes["output"], nir.Output)
