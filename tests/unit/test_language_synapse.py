"""The rules of a synapse's class body, its identity and how it prints."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from neuromorph import (
    CPU,
    CheckError,
    Conv1D,
    EventSource,
    LanguageError,
    Network,
    NetworkError,
    OneToOne,
    Reference,
    Synapse,
    Uniform,
    UnitError,
    ms,
    mV,
    nA,
)
from neuromorph.mapping.crossbar import Crossbar
from neuromorph.models import LIF, IntegerCUBA, LIFDelta
from neuromorph.models.plasticity import Dopamine, DopamineSTDP, EProp, PairSTDP, TripletSTDP

BODY = """
from neuromorph import *

@synapse
class S:
    "A synapse."
    tau = Param(20 * ms)
    x = PreState(0.0)
    y = PostState(0.0)
    z = State(0.0)
    w = Weight()
    {line}
"""


def made(line: str) -> Any:
    namespace: dict[str, Any] = {"__name__": "somewhere"}
    exec(BODY.format(line=line), namespace)
    return namespace["S"]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("x.on_post = x + 1", "a PreState has no .on_post; did you mean .on_pre?"),
        ("y.on_pre = y + 1", "a PostState has no .on_pre; did you mean .on_post?"),
        ("w.jump = 1.0", "a Weight has no .jump; it has .dot .next .on_pre .on_post"),
        ("z.jump = 1.0", ".jump of state 'z' is for neurons; a synapse's state has .on_pre or .on_post"),
        ("z.reset = 1.0", ".reset of state 'z' is for neurons; a synapse's state has .on_post"),
        ("x.on_pre = x + y", ".on_pre of PreState 'x' reads PostState 'y'"),
        ("x.dot = z / tau", ".dot of PreState 'x' reads State 'z'"),
        ("y.on_post = y + w", ".on_post of PostState 'y' reads State 'w'"),
        ("x.dot = PostView('v') / tau", "reads a PostView; make 'x' a State to see it"),
        ("x.dot = Third('d') / tau", "reads a Third"),
        ("z.on_post = event_value", ".on_post of 'z' reads event_value, which only .on_pre has"),
        ("z.dot = normal() / tau", ".dot of 'z' draws random numbers; events and .next of a State may"),
        ("z.on_pre = z + poisson(2.0)", "poisson() cannot be used here: synapses draw normal() and uniform()"),
        ("y.on_post = uniform()", ".on_post of 'y' draws random numbers"),
        ("p = Pathway('pre'); p[z] = 1.0", "synapses with pathways of their own act late; write @synapse(late=True)"),
        ("o = Output()", "Output 'o' never gives anything"),
        ("v = Weight()", "a synapse has exactly one Weight, got 'w' and 'v'; write w = Weight()"),
        ("p = Port()", "'p' is a Port, which neurons have"),
        ("e = Event(when=z > 1)", "'e' is an Event, which neurons have"),
        ("n = State(0, dtype=int)", "state 'n' is an int; a synapse's states are floats"),
        ("z.on_pre = z + 1 * mV", "cannot add z"),
        ("w.on_pre = 2 * mV", ".on_pre of w"),
        ("z.next = PostView('v') + PostView('v', mV) / mV", "is written with two units"),
        ("dt = Param(1.0)", "'dt' already has a meaning in equations"),
        ("z = z + 1", "lost it to a later binding; to change a state, assign its .dot, .next, .on_pre or .on_post"),
    ],
)
def test_a_class_body_that_breaks_a_rule(line: str, says: str) -> None:
    with pytest.raises((LanguageError, UnitError)) as caught:
        made(line)
    assert says in str(caught.value)


def test_neurons_refuse_what_is_of_synapses() -> None:
    body = "from neuromorph import *\n@neuron\nclass N:\n    v = State(0.0)\n    {}\n    e = Event(when=v > 1)\n"
    for line, says in (
        ("v.on_pre = v + 1", ".on_pre of state 'v' belongs into a class body under @synapse"),
        ("x = PreState(0.0)", "'x' is a PreState, which belongs into a class body under @synapse"),
        ("v.next = v + PostView('u')", "post.u is seen by synapses alone"),
    ):
        with pytest.raises(LanguageError) as caught:
            exec(body.format(line), {"__name__": "somewhere"})
        assert says in str(caught.value)


def test_values_and_copies() -> None:
    other = PairSTDP(w_max=0.5, x=Uniform(0, 1), y=np.zeros(3))
    assert isinstance(other, Synapse)
    assert other != PairSTDP
    assert PairSTDP(w_max=0.5) == PairSTDP(w_max=0.5)
    for name, value, says in (
        ("w", 0.3, "PairSTDP.w is the weight, which starts as the projection's weight="),
        ("a_plus", [0.1, 0.2], "parameters of synapses take one value"),
        ("a_plus", Uniform(0, 1), "parameters of synapses take one value"),
        ("a_puls", 0.1, "did you mean 'a_plus'"),
        ("tau_plus", 1 * mV, "tau_plus"),
    ):
        with pytest.raises((LanguageError, UnitError), match="PairSTDP") as caught:
            PairSTDP(**{name: value})
        assert says in str(caught.value)
    assert dict(EProp(slow=np.arange(4.0)).values)["slow"].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("model", [PairSTDP, TripletSTDP(tau_x=3 * ms), DopamineSTDP, EProp.with_method("euler")])
def test_identity_survives_pickle_and_printing_names_everything(model: Synapse) -> None:
    again = pickle.loads(pickle.dumps(model))
    assert again == model
    assert again.text() == model.text()
    assert hash(again) == hash(model)
    for text in (model.text(), model._repr_html_(), "\n".join(model.equations())):
        for state in model.states:
            assert state.name in text
    assert r"\frac{d c}{d t}" in DopamineSTDP._repr_latex_()
    assert r"d^{\mathrm{third}}" in DopamineSTDP._repr_latex_()
    assert "<Synapse PairSTDP(w_max=0.5)" in repr(PairSTDP(w_max=0.5))


def test_the_text_of_a_network_names_the_synapse() -> None:
    def network(synapse: Synapse | None) -> Network:
        net = Network()
        cells = net.population(LIFDelta, 2)
        dopamine = net.population(Dopamine)
        third = dopamine if synapse is DopamineSTDP else None
        net.project(cells, cells, OneToOne(), weight=1 * mV, synapse=synapse, third=third)
        return net

    nets = [network(s) for s in (None, PairSTDP, PairSTDP(w_max=0.5), DopamineSTDP)]
    assert len({net.hash for net in nets}) == 4
    assert "third Dopamine" in nets[3].text()
    assert "synapse PairSTDP" in nets[1].text()
    assert "PairSTDP" in nets[1]._repr_html_()
    assert "PairSTDP" in nets[1].projections[0]._repr_html_()


def test_projections_refuse_synapses_that_do_not_suit_them() -> None:
    net = Network()
    source = net.population(EventSource(4))
    cells, two = net.population(LIF, 4), net.population(Dopamine, 2)
    whole = net.population(IntegerCUBA, 4)
    other = Network().population(Dopamine)

    def refused(says: str, post: Any = cells, error: type[Exception] = NetworkError, **given: Any) -> None:
        with pytest.raises(error) as caught:
            net.project(source, post, given.pop("rule", OneToOne()), **{"weight": 1 * nA, **given})
        assert says in str(caught.value)

    refused("is not a synapse; decorate a class body", synapse=LIF)
    refused("third= is for plastic synapses", third=two)
    refused("DopamineSTDP reads Third('d'); give third=population", synapse=DopamineSTDP)
    refused("PairSTDP reads no Third; leave third= out", synapse=PairSTDP, third=two)
    refused("third factor Dopamine has 2 neurons; give a population of 1, or of 4", synapse=DopamineSTDP, third=two)
    refused("is not a population of this network", synapse=DopamineSTDP, third=other)
    refused("and LIF has no such state or value", synapse=DopamineSTDP, third=cells)
    refused("takes ints, and plastic weights are floats", post=whole.a, synapse=PairSTDP, weight=1)
    refused("PairSTDP.y has 3 values", synapse=PairSTDP(y=np.zeros(3)))
    refused("share one kernel", synapse=PairSTDP, rule=Conv1D(np.ones((1, 1, 1))), weight=1 * nA)
    typed = made("v = PostView('v')\n    z.next = v").with_method("euler")
    refused("looks at 'v' of population LIF, which is voltage", synapse=typed, error=UnitError)


def test_synapses_are_read_after_a_run() -> None:
    net = Network()
    cells = net.population(LIFDelta, 3)
    projection = net.project(cells, cells, OneToOne(), weight=1 * mV, synapse=PairSTDP)
    program = CPU().compile(net, dt=1 * ms, progress=False)
    with pytest.raises(NetworkError, match="no state 'z'; available: x, y"):
        program.synapses(projection)["z"]
    with pytest.raises(NetworkError, match="no projection 'other'"):
        program.synapses("other")


def test_targets_refuse_everything_at_once_before_they_begin() -> None:
    net = Network()
    cells = net.population(LIFDelta, 3)
    net.project(cells, cells, OneToOne(), weight=1 * mV, synapse=PairSTDP, name="first")
    delays = np.array([1, 2, 3])
    net.project(cells, cells, OneToOne(), weight=1 * mV, delay=delays, synapse=TripletSTDP, name="second")
    with pytest.raises(CheckError) as caught:
        Crossbar().compile(net, dt=1 * ms)
    assert len(caught.value.problems) == 2
    assert "projection first: its synapses change (PairSTDP), which Crossbar cannot do" in str(caught.value)
    with pytest.raises(CheckError) as caught:
        CPU(weights="int8").compile(net, dt=1 * ms)
    text = str(caught.value)
    assert "projection first: its synapses (PairSTDP) change, and int8 weights cannot" in text
    assert (
        "projection second: PreState 'r1' of TripletSTDP has no meaning where every synapse has its own delay" in text
    )


def test_a_method_that_cannot_integrate_a_synapse_is_found_by_the_check() -> None:
    net = Network()
    cells = net.population(LIFDelta, 3)
    quadratic = made("z.dot = -z * z / tau").with_method("exact")
    net.project(cells, cells, OneToOne(), weight=1 * mV, synapse=quadratic)
    with pytest.raises(CheckError, match=r'method="exact" needs linear equations'):
        Reference().compile(net, dt=1 * ms)
