"""Populations, projections and networks as descriptions: names, errors, pictures, text."""

from __future__ import annotations

import pickle
import xml.dom.minidom
from copy import copy, deepcopy
from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from neuromorph.errors import NetworkError, UnitError
from neuromorph.language import Event, Param, Port, State, neuron
from neuromorph.language.seal import RESERVED_PORTS
from neuromorph.network import (
    AllToAll,
    Dense,
    EventSource,
    FixedInDegree,
    FixedOutDegree,
    FixedProbability,
    FixedTotal,
    Integers,
    Network,
    Normal,
    OneToOne,
    Population,
    PortRef,
    Sparse,
    Uniform,
    build,
)
from neuromorph.network.text import describe
from neuromorph.units import Mohm, mm, ms, mV, nA


@neuron
class LIF:
    """One port with a unit."""

    i_in = Port(unit=nA)
    tau, r = Param(20 * ms), Param(10 * Mohm)
    v = State(0 * mV)
    v.jump = r * i_in
    v.dot = -v / tau
    power = v * v
    spike = Event(when=v > 15 * mV)


@neuron
class EGRU:
    """Several ports."""

    a_u, a_r, a_x, a_y = Port(), Port(), Port(), Port()
    c = State(0.0)
    c.jump = a_u + a_r + a_x + a_y
    y = Event(when=c > 1, value=c)


@neuron
class Whole:
    """An int port."""

    n = Port(dtype=int)
    v = State(0, dtype=int)
    v.next = v + n
    spike = Event(when=v > 9)


@neuron
class Silent:
    """No port."""

    v = State(0.0)
    v.next = v + 1
    spike = Event(when=v > 9)


@neuron
class Mute:
    """No event."""

    v = State(0.0)
    v.next = v + 1


def pair(post: Any, n_pre: int = 3, n_post: int = 4) -> tuple[Network, Population, Population]:
    """A network of ``input`` and ``hidden``."""
    net = Network()
    return net, net.population(EventSource(n_pre), name="input"), net.population(post, n_post, name="hidden")


def test_names_are_found() -> None:
    net = Network()
    names = [net.population(LIF, 2).name for _ in range(3)]
    assert names == ["LIF", "LIF_2", "LIF_3"]
    a, b = net.populations[:2]
    e = net.population(EGRU, 2)
    assert net.project(a, b, OneToOne(), weight=1 * nA).name == "LIF -> LIF_2"
    assert net.project(a, b, OneToOne(), weight=1 * nA).name == "LIF -> LIF_2 (2)"
    assert net.project(a, e.a_x, OneToOne()).name == "LIF -> EGRU.a_x"
    assert net.project(a, e.a_x, OneToOne(), name="fast").name == "fast"
    assert net["LIF_2"] is b


def test_ids_shapes_and_ports() -> None:
    net, first, hidden = pair(EGRU)
    grid = net.population(LIF, (2, 3, 4))
    assert (first.first_id, hidden.first_id, grid.first_id, net.size) == (0, 3, 7, 31)
    assert (grid.size, len(grid), grid.shape) == (24, 24, (2, 3, 4))
    assert hidden.a_x == PortRef(hidden, "a_x")
    assert net.project(first, hidden.a_y, AllToAll()).port_index == 3
    assert {"a_u", "a_r", "a_x", "a_y"} <= set(dir(hidden))
    whole = net.population(Whole, 2)
    assert whole.port("n") == PortRef(whole, "n")
    assert net.project(first, whole, AllToAll()).port == "n"


def test_no_port_hides_behind_an_attribute() -> None:
    own = {name for name in dir(Population) if not name.startswith("_")} | set(Population.__dataclass_fields__)
    assert own <= RESERVED_PORTS


def test_population_is_frozen_and_network_appends() -> None:
    net, first, hidden = pair(LIF)
    before = net.populations
    net.population(LIF)
    assert len(before) == 2
    with pytest.raises(FrozenInstanceError):
        hidden.name = "other"  # type: ignore[misc]
    assert copy(first).name == "input"
    assert deepcopy(net).text() == net.text()


def test_missing_port_lists_what_there_is() -> None:
    net, first, hidden = pair(EGRU)
    expected = "EGRU has no port 'a_z'; it has a_u, a_r, a_x, a_y"
    with pytest.raises(NetworkError, match=rf"^population hidden: {expected}$"):
        _ = hidden.a_z
    with pytest.raises(AttributeError, match=expected):
        _ = hidden.a_z
    with pytest.raises(NetworkError, match=rf"^projection input -> hidden: {expected}$"):
        net.project(first, PortRef(hidden, "a_z"), AllToAll())
    assert not hasattr(hidden, "a_z")
    with pytest.raises(
        NetworkError, match=r"EGRU has 4 ports; say which, as in hidden\.a_u: it has a_u, a_r, a_x, a_y"
    ):
        net.project(first, hidden, AllToAll())
    with pytest.raises(NetworkError, match="EventSource has no ports: nothing can be projected onto it"):
        net.project(hidden, first, AllToAll())
    with pytest.raises(NetworkError, match="Silent has no port 'x'; it has no ports"):
        _ = net.population(Silent).x


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"neuron": 3}, "expected a neuron or a source of events, got 3; decorate a class body with @neuron"),
        ({"neuron": LIF, "size": 0}, "population LIF: size 0; give an int of at least 1"),
        ({"neuron": LIF, "size": 2.0}, "population LIF: size 2.0; give an int"),
        ({"neuron": LIF, "size": (2, -1)}, r"population LIF: size \(2, -1\); give"),
        ({"neuron": LIF, "size": ()}, r"population LIF: size \(\); give"),
        ({"neuron": LIF, "size": 2**33}, "the most is 2\\*\\*32"),
        ({"neuron": LIF, "name": "hidden"}, "population hidden: the network has a population of this name"),
        ({"neuron": LIF, "name": "a/b"}, "population: name 'a/b'; give a string without '/'"),
        ({"neuron": LIF, "name": ""}, "population: name ''"),
        ({"neuron": LIF(tau=[1, 2, 3] * ms), "size": 2}, r"population LIF: tau has shape \(3,\).*each of 2 neurons"),
        (
            {"neuron": LIF, "size": 2, "positions": [[1, 2, 3, 4]] * 2},
            r"positions have shape \(2, 4\), expected \(2, 1 to 3",
        ),
        ({"neuron": LIF, "size": 2, "positions": [1.0]}, r"positions have shape \(1,\)"),
        ({"neuron": LIF, "size": 1, "positions": [1.0] * mV}, "positions are voltage"),
        ({"neuron": LIF, "size": 1, "positions": [np.nan]}, "a position is not finite"),
    ],
)
def test_populations_are_checked(arguments: Any, message: str) -> None:
    net, _, _ = pair(LIF)
    with pytest.raises(NetworkError, match=message):
        net.population(**arguments)
    assert len(net.populations) == 2, "nothing was added"


def test_per_neuron_values_take_size_or_shape() -> None:
    net = Network()
    assert net.population(LIF(tau=[[1, 2, 3], [4, 5, 6]] * ms), (2, 3)).size == 6
    assert net.population(LIF(tau=[1, 2, 3, 4, 5, 6] * ms, v=Uniform(0 * mV, 1 * mV)), (2, 3)).size == 6


@pytest.mark.parametrize(
    ("post", "rule", "values", "error", "message"),
    [
        (LIF, OneToOne(), {"weight": 1 * nA}, NetworkError, "OneToOne needs populations of one size; input has 3, hid"),
        (LIF, AllToAll(), {}, NetworkError, r"port 'i_in' takes current \(A\); give weight=, as in weight=1 \* nA"),
        (LIF, AllToAll(), {"weight": 1.0}, UnitError, r"weights are dimensionless; write them as in 1 \* nA"),
        (LIF, AllToAll(), {"weight": 1 * mV}, UnitError, r"takes current \(A\), weights are voltage"),
        (LIF, AllToAll(), {"weight": Normal(1 * mV, 1 * mV)}, UnitError, r"takes current \(A\), weights are voltage"),
        (LIF, Dense(np.ones((3, 4))), {}, UnitError, r"takes current \(A\), weights are dimensionless"),
        (LIF, Dense(np.ones((3, 4)) * mV), {}, UnitError, r"takes current \(A\), weights are voltage"),
        (EGRU, AllToAll(), {"weight": 1 * nA}, UnitError, "weights are current .A.; divide them by a unit"),
        (EGRU, AllToAll(), {"weight": np.nan}, NetworkError, "a weight is not finite"),
        (EGRU, AllToAll(), {"weight": [1, 2, 3]}, NetworkError, r"weight has shape \(3,\); give one number, \(4,\)"),
        (EGRU, AllToAll(), {"weight": "1"}, NetworkError, "weight"),
        (EGRU, Dense(np.ones((3, 4))), {"weight": Normal(0, 1)}, NetworkError, "the rule brings its own weights"),
        (EGRU, Dense(np.ones((3, 4))), {"weight": [1, 2, 3, 4]}, NetworkError, "the rule brings its own weights"),
        (EGRU, Dense(np.full((3, 4), np.inf)), {}, NetworkError, "a weight is not finite"),
        (EGRU, Dense(np.ones((4, 3))), {}, NetworkError, r"\(4, 3\), expected .* \(3, 4\); transpose it"),
        (EGRU, Dense(np.ones((4, 4))), {}, NetworkError, r"Dense has shape \(4, 4\), expected .* \(3, 4\)$"),
        (EGRU, Sparse(sparse.eye_array(4)), {}, NetworkError, r"Sparse has shape \(4, 4\)"),
        (EGRU, Sparse(([0], [4])), {}, NetworkError, "Sparse names target 4; hidden has neurons 0 to 3"),
        (EGRU, Sparse(([-1], [0])), {}, NetworkError, "Sparse names source -1; input has neurons 0 to 2"),
        (EGRU, FixedInDegree(4), {}, NetworkError, "asks for 4 different neurons of input, which offers 3"),
        (EGRU, FixedOutDegree(5), {}, NetworkError, "offers 4; use at most 4 or multapses=True"),
        (EGRU, FixedProbability, {}, NetworkError, "is not a rule; use one such as"),
        (EGRU, AllToAll(), {"delay": 0}, NetworkError, "delay 0 is too short; an event arrives 1 step later or more"),
        (EGRU, AllToAll(), {"delay": -1 * ms}, NetworkError, "delay -1 ms is too short"),
        (EGRU, AllToAll(), {"delay": np.nan * ms}, NetworkError, "a delay is not finite"),
        (EGRU, AllToAll(), {"delay": "2 ms"}, NetworkError, "delay: .* got str '2 ms'; give steps"),
        (EGRU, AllToAll(), {"delay": np.ones((3, 4))}, NetworkError, r"delay array of shape \(3, 4\) has no unit"),
        (EGRU, AllToAll(), {"delay": 1.5}, NetworkError, "delay 1.5 has no unit; give steps"),
        (EGRU, AllToAll(), {"delay": 1 * nA}, UnitError, "delay is current"),
        (EGRU, AllToAll(), {"delay": 70_000}, NetworkError, "delay 70000 steps; the longest is 65535"),
        (EGRU, AllToAll(), {"delay": Integers(0, 3)}, NetworkError, "goes below 1 step"),
        (EGRU, AllToAll(), {"delay": Uniform(1, 3)}, NetworkError, "has no unit"),
        (EGRU, AllToAll(), {"delay": [1, 2, 3]}, NetworkError, r"delay has shape \(3,\)"),
        (EGRU, Sparse(([0], [0], [1.0], [2])), {"delay": 2}, NetworkError, "the rule brings its own delays"),
        (Whole, AllToAll(), {"weight": 0.5}, NetworkError, "port 'n' takes ints, weights are float64; round them"),
        (Whole, Dense(np.ones((3, 4))), {}, NetworkError, "takes ints, weights are float64"),
        (Whole, AllToAll(), {"weight": Uniform(0, 9)}, NetworkError, r"gives floats; use Integers\(low, high\)"),
        (Whole, AllToAll(), {"weight": Integers(0, 2**31)}, NetworkError, "takes 32-bit ints"),
        (Whole, AllToAll(), {"weight": 2**31}, NetworkError, "takes 32-bit ints, weights go to"),
    ],
)  # fmt: skip
def test_projections_are_checked(post: Any, rule: Any, values: Any, error: type[Exception], message: str) -> None:
    net, first, hidden = pair(post)
    with pytest.raises(error, match=rf"^projection input -> hidden: .*{message}"):
        net.project(first, PortRef(hidden, post.ports[0].name), rule, **values)
    assert net.projections == (), "nothing was added"


def test_ends_are_checked() -> None:
    net, first, hidden = pair(EGRU)
    with pytest.raises(NetworkError, match="population LIF belongs to another network"):
        net.project(Network().population(LIF), hidden.a_x, AllToAll())
    with pytest.raises(NetworkError, match="expected a population or a port of one, got 'hidden'"):
        net.project(first, "hidden", AllToAll())  # type: ignore[arg-type]
    with pytest.raises(NetworkError, match=r"expected a population, got hidden\.a_x"):
        net.project(hidden.a_x, hidden.a_x, AllToAll())  # type: ignore[arg-type]
    mute = net.population(Mute, 3, name="mute")
    with pytest.raises(NetworkError, match="mute -> hidden: Mute has no Event, so it sends nothing; give it one"):
        net.project(mute, hidden.a_x, AllToAll())
    net.project(first, hidden.a_x, AllToAll(), name="p")
    with pytest.raises(NetworkError, match="projection p: the network has a projection of this name"):
        net.project(first, hidden.a_x, AllToAll(), name="p")


def test_within_one_population_self_counts() -> None:
    net = Network()
    p = net.population(EGRU, 3)
    with pytest.raises(NetworkError, match="which offers 2"):
        net.project(p, p.a_x, FixedInDegree(3, allow_self=False))
    single = net.population(EGRU, 1, name="one")
    with pytest.raises(NetworkError, match=r"which offers 0; use at most 0$"):
        net.project(single, single.a_x, FixedTotal(1, allow_self=False))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FixedProbability(1.5), "p is 1.5; a probability lies between 0 and 1"),
        (lambda: FixedProbability("half"), "p is 'half'; a probability"),  # type: ignore[arg-type]
        (lambda: FixedInDegree(-1), "FixedInDegree: -1 is not a number of synapses"),
        (lambda: FixedOutDegree(1.5), "FixedOutDegree: 1.5 is not a number"),  # type: ignore[arg-type]
        (lambda: FixedTotal(True), "FixedTotal: True is not a number"),
        (lambda: Dense([1.0, 2.0]), r"shape \(2,\); give a matrix \(n_pre, n_post\)"),
        (lambda: Sparse(3), "cannot read a int; give a SciPy sparse matrix"),
        (lambda: Sparse(([1],)), "1 columns; give pre, post"),
        (lambda: Sparse(([1, 2], [1])), r"columns have different lengths \[1, 2\]"),
        (lambda: Sparse(([1], [1], [1.0, 2.0])), r"columns have different lengths \[1, 2\]"),
        (lambda: Sparse(([0.5], [1])), "pre has type float64 .*; give a list of ints"),
        (lambda: Sparse([(1, 2), (1, 2, 3)]), r"rows have different lengths \[2, 3\]"),
        (lambda: Network(seed=-1), "seed -1; give an int from 0"),
        (lambda: Network(name=""), "network: name ''"),
        (lambda: Network(name="a\0b"), "unprintable characters"),
    ],
)
def test_parameters_are_checked(make: Any, message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        make()


def test_delays_are_checked_against_the_step() -> None:
    net, first, hidden = pair(EGRU)
    net.project(first, hidden.a_x, AllToAll(), delay=0.2 * ms)
    with pytest.raises(NetworkError, match=r"delay 0\.2 ms is less than half a step of 1 ms; use a shorter step"):
        build(net, 1 * ms)
    assert build(net, 0.1 * ms)[0].delays == 2
    with pytest.raises(NetworkError, match=r"delay of 200000 steps of 1e-06 ms; the longest is 65535"):
        build(net, 1e-9)
    for dt in (0, -1 * ms, np.inf):
        with pytest.raises(NetworkError, match="give a time above 0"):
            build(net, dt)  # type: ignore[arg-type]
    with pytest.raises(UnitError):
        build(net, 1 * mV)


def test_recordings() -> None:
    net, first, hidden = pair(LIF)
    net.record(hidden, "v", "power", every=2)
    net.record(hidden, "v")
    assert set(net.recorded(hidden)) == {("power", 2), ("v", 1)}
    assert net.recorded(first) == ()
    with pytest.raises(NetworkError, match="recording of hidden: LIF has no state or value 'w'; it has v, power"):
        net.record(hidden, "w")
    with pytest.raises(NetworkError, match="EventSource has no state or value 'v'; it has no states"):
        net.record(first, "v")
    with pytest.raises(NetworkError, match="expected a population or a projection, got 'hidden'"):
        net.record("hidden", "v")  # type: ignore[arg-type]
    with pytest.raises(NetworkError, match="every=0; give a number of steps"):
        net.record(hidden, "v", every=0)


def example() -> Network:
    """A network with a little of everything."""
    net, first, hidden = pair(LIF)
    grid = net.population(LIF(tau=Uniform(10 * ms, 20 * ms)), (2, 3), positions=np.arange(6) * mm, record=False)
    net.project(first, hidden, AllToAll(), weight=1 * nA, delay=[1, 2, 3, 4])
    net.project(hidden, grid, Dense(np.ones((4, 6)) * nA))
    net.project(grid, hidden, Sparse(sparse.eye_array(6, 4)), weight=1 * nA, delay=Uniform(1 * ms, 2 * ms))
    net.project(grid, grid, FixedProbability(0.5), weight=Normal(1 * nA, 0.1 * nA))
    net.record(hidden, "v")
    return net


def test_text_and_hash_are_those_of_the_content() -> None:
    a, b = example(), example()
    assert a.text() == b.text()
    assert a.hash == b.hash == pickle.loads(pickle.dumps(a)).hash
    assert len(a.hash) == 64
    changes: list[Any] = [
        lambda net: net.population(LIF),
        lambda net: net.record(net["hidden"], "power"),
        lambda net: net.project(net["input"], net["hidden"], AllToAll(), weight=2 * nA),
    ]
    for change in changes:
        changed = example()
        change(changed)
        assert changed.hash != a.hash
    assert Network(seed=1).hash != Network(seed=2).hash


def test_text_sees_every_weight_and_event() -> None:
    def text(rule: Any, source: EventSource) -> str:
        net = Network()
        net.project(net.population(source), net.population(EGRU, 2).a_x, rule)
        return net.text()

    rules = [Dense([[0.0, 1.0]]), Dense([[1.0, 0.0]]), Sparse(([0], [1])), Sparse(([0], [0])), FixedProbability(0.1)]
    texts = {text(rule, EventSource(1)) for rule in rules}
    texts |= {text(rules[0], EventSource(1, steps=[k], indices=[0])) for k in (1, 2)}
    assert len(texts) == 7


def test_text_of_a_function_is_what_it_does() -> None:
    def profile(scale: float) -> Any:
        return lambda d: np.exp(-d / scale)

    a, b, c = (describe(profile(s)) for s in (1.0, 1.0, 2.0))
    assert a == b
    assert a != c
    assert describe(np.cos) != describe(np.sin)
    assert describe(lambda d: d) != describe(lambda d: -d)


def test_graph() -> None:
    graph = example().graph()
    assert sorted(graph.nodes) == ["LIF", "hidden", "input"]
    assert graph.nodes["LIF"] == {"neuron": "LIF", "size": 6, "shape": (2, 3), "index": 2}
    assert graph.number_of_edges() == 4
    assert graph["LIF"]["LIF"]["LIF -> LIF"]["synapses"] == 18


def test_pictures_are_bounded_and_well_formed() -> None:
    net = example()
    page = net._repr_html_()
    xml.dom.minidom.parseString(page)
    assert "<svg" in page
    for thing in (*net.populations, *net.projections, net.forecast(1 * ms)):
        xml.dom.minidom.parseString(thing._repr_html_())
    large = Network(name="<large>")
    for k in range(500):
        p = large.population(EGRU, 1000, name=f"<{k}>")
        large.project(p, p.a_x, Dense(np.zeros((1000, 1000), np.float32)))
    page = large._repr_html_()
    xml.dom.minidom.parseString(page)
    assert "<svg" not in page
    assert "and 480 more" in page
    assert len(page) < 10_000
    assert len(large.projections[0]._repr_html_()) < 2_000


def test_repr() -> None:
    net = example()
    assert repr(net) == "<Network network: 3 populations, 13 neurons, 4 projections>"
    assert repr(net["LIF"]) == "<Population LIF: 2 x 3 = 6 LIF>"
    assert repr(net["LIF"].i_in) == "LIF.i_in"
    assert repr(net.projections[1]) == "<Projection hidden -> LIF: hidden -> LIF.i_in, Dense>"
    with pytest.raises(NetworkError, match="network network: no population 'x'; it has input, hidden, LIF"):
        _ = net["x"]
