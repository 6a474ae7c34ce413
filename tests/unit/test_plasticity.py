"""Plasticity rules against closed forms, published results and plain loops over events."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neuromorph import (
    CPU,
    AllToAll,
    Dense,
    Event,
    EventSource,
    Network,
    OneToOne,
    Param,
    Port,
    PostState,
    PostView,
    PreState,
    PreView,
    Reference,
    Sparse,
    State,
    Synapse,
    Third,
    Weight,
    event_value,
    ms,
    nA,
    neuron,
    synapse,
)
from neuromorph.models.plasticity import (
    ALIF,
    TRIPLET_PARAMETERS,
    Dopamine,
    DopamineSTDP,
    EProp,
    MultiplicativeSTDP,
    PairSTDP,
    PowerLawSTDP,
    TripletSTDP,
    VanRossumSTDP,
)

TARGETS = [Reference(dtype="float64"), CPU(dtype="float64", threads=2)]


@neuron
class Relay:
    """Fires in the step in which something arrives at ``go``; sums what arrives at ``x``."""

    go, x = Port(), Port()
    u, v = State(0.0), State(0.0)
    u.next = go
    v.next = x
    spike = Event(when=u > 0)


def run(
    model: Synapse, pre: Any, post: Any, *, w: Any = 0.5, delay: int = 1, dt: Any = 1 * ms, target: Any = TARGETS[0]
) -> Any:
    """The synapse of one source, whose events arrive in steps ``pre``, onto a target that fires in steps ``post``."""
    net = Network()
    source = net.population(EventSource(1, steps=np.asarray(pre) - delay, indices=np.zeros(len(pre), int)))
    clock = net.population(EventSource(1, steps=np.asarray(post) - 1, indices=np.zeros(len(post), int)))
    relay = net.population(Relay, 1, name="relay")
    net.project(clock, relay.go, OneToOne())
    net.project(source, relay.x, OneToOne(), weight=w, delay=delay, synapse=model, name="plastic")
    program = target.compile(net, dt=dt, progress=False)
    trace = program.run(int(max([*pre, *post])) + 5, progress=False)
    assert np.asarray(trace.events("relay").steps).tolist() == sorted(post)
    return program.synapses("plastic")


@pytest.mark.parametrize("target", TARGETS, ids=repr)
@pytest.mark.parametrize("gap", [-30, -7, -1, 0, 1, 4, 25])
@pytest.mark.parametrize("delay", [1, 3])
def test_the_window_of_a_pair_is_the_closed_form(target: Any, gap: int, delay: int) -> None:
    model = PairSTDP(tau_plus=17 * ms, tau_minus=34 * ms, a_plus=0.03, a_minus=0.02)
    found = run(model, [40], [40 + gap], delay=delay, target=target)
    # An event that arrives in the step in which the target fires comes before it.
    change = 0.03 * np.exp(-gap / 17) if gap >= 0 else -0.02 * np.exp(gap / 34)
    assert found.weights[0] == pytest.approx(0.5 + change, rel=1e-12)


def test_steps_that_depend_on_the_weight() -> None:
    for w in (0.2, 0.9):
        up, down = (0.005 * np.exp(-3 / 20), 0.005 * 1.05 * np.exp(-3 / 20))
        found = run(MultiplicativeSTDP, [40], [43], w=w).weights[0], run(MultiplicativeSTDP, [43], [40], w=w).weights[0]
        assert found == (pytest.approx(w + up * (1 - w)), pytest.approx(w - down * w))
        power = PowerLawSTDP(mu=0.3)
        found = run(power, [40], [43], w=w).weights[0], run(power, [43], [40], w=w).weights[0]
        assert found == (pytest.approx(w + up * (1 - w) ** 0.3), pytest.approx(w - down * w**0.3))
        found = run(VanRossumSTDP, [40], [43], w=w).weights[0], run(VanRossumSTDP, [43], [40], w=w).weights[0]
        near = np.exp(-3 / 20)
        assert found == (pytest.approx(w + 0.007 * near), pytest.approx(w - 0.003 * w * near))


def test_bounds_hold() -> None:
    many = np.arange(10, 200, 5)
    assert run(PairSTDP(a_plus=0.4, w_max=0.8), many, many + 1).weights[0] == 0.8
    assert run(PairSTDP(a_minus=0.4, a_plus=0), many + 1, many).weights[0] == 0.0


def triplet_change(pre: np.ndarray[Any, Any], post: np.ndarray[Any, Any], values: Any) -> float:
    """Equations 3 and 4 of Pfister and Gerstner (2006), event by event; times in ms."""
    taus = {"r1": 16.8, "o1": 33.7, "r2": values.get("tau_x", 101 * ms) / ms, "o2": values["tau_y"] / ms}
    traces, last, change = dict.fromkeys(taus, 0.0), 0.0, 0.0
    for time, kind in sorted([*((t, 0) for t in pre), *((t, 1) for t in post)]):
        traces = {name: x * np.exp(-(time - last) / taus[name]) for name, x in traces.items()}
        last = time
        if kind:
            change += traces["r1"] * (values["a2_plus"] + values["a3_plus"] * traces["o2"])
        else:
            change -= traces["o1"] * (values["a2_minus"] + values["a3_minus"] * traces["r2"])
        for name in ("o1", "o2") if kind else ("r1", "r2"):
            traces[name] += 1
    return float(change)


@pytest.mark.parametrize("name", TRIPLET_PARAMETERS)
def test_triplets_are_the_published_equations(name: str) -> None:
    values: dict[str, Any] = TRIPLET_PARAMETERS[name]
    rng = np.random.default_rng(3)
    pre, post = (np.unique(rng.integers(5, 600, 40)) for _ in range(2))
    post = np.setdiff1d(post, pre)
    found = run(TripletSTDP(**values), pre, post, w=10.0).weights[0] - 10.0
    assert found == pytest.approx(triplet_change(pre, post, values), rel=1e-9)


def test_triplets_depend_on_frequency_as_in_visual_cortex() -> None:
    """60 pairs 10 ms apart, as in figure 5 of Pfister and Gerstner (2006) after Sjöström et al. (2001)."""
    model = TripletSTDP(**TRIPLET_PARAMETERS["visual cortex"])

    def change(rate: float, gap: int) -> float:
        one = 50 + np.arange(60) * round(1000 / rate)
        return float(run(model, one, one + gap, w=10.0, target=TARGETS[1]).weights[0]) - 10.0

    causal, acausal = ({rate: change(rate, gap) for rate in (0.5, 10, 20, 40, 50)} for gap in (10, -10))
    assert list(causal.values()) == sorted(causal.values())  # potentiation grows with frequency, from none at all
    assert causal[0.5] == pytest.approx(0.0, abs=0.02)
    assert 0.3 < causal[40] < causal[50] < 1.0
    assert max(acausal[rate] for rate in (0.5, 10, 20)) < -0.2  # depression at low rates turns into potentiation
    assert 0.0 < acausal[40] < acausal[50] < 1.0


@pytest.mark.parametrize("target", TARGETS, ids=repr)
@pytest.mark.parametrize("neurons", [1, 2])
def test_dopamine_turns_eligibility_into_weight(target: Any, neurons: int) -> None:
    dt, steps, delay = 1.0, 400, 2
    net = Network()
    pre = net.population(EventSource(1, steps=[50 - delay], indices=[0]))
    clock = net.population(EventSource(1, steps=[54], indices=[0]))
    reward = net.population(EventSource(1, steps=[99], indices=[0]))
    relay = net.population(Relay, 2, name="relay")
    dopamine = net.population(Dopamine, neurons, name="dopamine")
    net.project(clock, relay.go, Sparse(([0], [1])))
    net.project(reward, dopamine, AllToAll(), weight=0.5)
    net.project(
        pre, relay.x, Sparse(([0], [1])), weight=1.0, delay=delay, synapse=DopamineSTDP, third=dopamine, name="p"
    )
    program = target.compile(net, dt=dt * ms, progress=False)
    program.run(steps, progress=False)
    c, d, w, x = 0.0, 0.0, 1.0, 0.0
    seen = [0.0] * delay
    for step in range(steps):
        w = min(max(w + dt / 1000 * c * seen[-delay], 0.0), 4.0)
        c, x = c * np.exp(-dt / 1000), x * np.exp(-dt / 20)
        x += step == 50
        c += 0.1 * x * (step == 55)
        d = (d + 0.5 * (step == 100)) * np.exp(-dt / 200)
        seen.append(d)
    found = program.synapses("p")
    assert found["c"][0] == pytest.approx(c, rel=1e-12)
    assert found.weights[0] == pytest.approx(w, rel=1e-12)
    assert w > 1.001


@neuron
class Teacher:
    """A learning signal of each neuron that changes in time."""

    phase = Param(0.0)
    signal = State(0.0)
    signal.next = 0.9 * signal + 0.1 * phase


@pytest.mark.parametrize("target", TARGETS, ids=repr)
def test_e_prop_is_the_published_recursion(target: Any) -> None:
    n_in, n_out, steps = 6, 3, 120
    rng = np.random.default_rng(5)
    spikes = rng.random((steps, n_in)) < 0.15
    weights, phase = rng.uniform(0.1, 0.5, (n_in, n_out)), rng.normal(size=n_out)
    net = Network()
    when, which = np.nonzero(spikes)
    source = net.population(EventSource(n_in, steps=when, indices=which))
    cells = net.population(ALIF(beta=0.3), n_out, name="cells")
    teacher = net.population(Teacher(phase=phase), n_out)
    net.project(source, cells, Dense(weights), synapse=EProp(beta=0.3, rate=1e-3), third=teacher, name="p")
    net.record(cells, "v")
    program = target.compile(net, dt=1 * ms, progress=False)
    trace = program.run(steps, progress=False)

    alpha, rho, kappa = np.exp(-1 / 20), np.exp(-1 / 200), np.exp(-1 / 20)
    w, v, a, x = weights.copy(), np.zeros(n_out), np.zeros(n_out), np.zeros(n_in)
    slow, filtered, gradient = (np.zeros((n_in, n_out)) for _ in range(3))
    psi, signal, fired = np.zeros(n_out), np.zeros(n_out), []
    for step in range(steps):
        eligibility = psi * (x[:, None] - 0.3 * slow)
        slow = psi * x[:, None] + (rho - psi * 0.3) * slow
        filtered = kappa * filtered + eligibility
        gradient += signal * filtered
        w -= 1e-3 * signal * filtered
        arriving = spikes[step - 1] if step else np.zeros(n_in)
        x = alpha * x + arriving
        v, a = alpha * v + arriving @ w, rho * a
        level = 1 + 0.3 * a
        psi = 0.3 * np.maximum(0, 1 - np.abs(v - level))
        z = v > level
        fired += [(step, j) for j in np.flatnonzero(z)]
        v, a = v - z, a + z / rho
        signal = 0.9 * signal + 0.1 * phase
    events = trace.events("cells")
    assert list(zip(np.asarray(events.steps).tolist(), np.asarray(events.ids).tolist(), strict=True)) == fired
    assert len(fired) > 10
    found = program.synapses("p")
    np.testing.assert_allclose(found["gradient"].reshape(n_in, n_out), gradient, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.weights.reshape(n_in, n_out), w, rtol=1e-9)


@synapse
class Looking:
    """Keeps what it sees."""

    arrived, at_post, before, value = State(-1.0), State(-1.0), State(-1.0), State(-1.0)
    w = Weight()
    before.next = PostView("v")
    arrived.on_pre = PreView("v") + 1000 * PostView("v")
    value.on_pre = event_value
    at_post.on_post = PostView("v") + 1000 * Third("v")


@neuron
class Clock:
    """Counts steps from 1, and fires in those that are told."""

    x = Port()
    first = Param(0.0)
    v = State(0.0)
    v.next = v + 1 + 0 * x
    tick = Event(when=(v == first) | (v == first + 4), value=v / 8)


@pytest.mark.parametrize("target", TARGETS, ids=repr)
def test_what_views_see_and_when(target: Any) -> None:
    net = Network()
    pre = net.population(Clock(first=11), 1)
    post = net.population(Clock(first=20), 1)
    third = net.population(Clock(first=1e6), 1)
    net.project(pre, post.x, OneToOne(), delay=3, synapse=Looking, third=third, name="p")
    program = target.compile(net, dt=1 * ms, progress=False)
    program.run(16, progress=False)  # the event of step 10 (v = 11) arrives in step 13; that of step 14 has not
    seen = program.synapses("p")
    assert seen["arrived"][0] == 11 + 1000 * 13  # the source 3 steps ago, the target at the end of step 12
    assert seen["value"][0] == 11 / 8
    assert seen["before"][0] == 15  # in step 15, the end of step 14
    program.run(4, progress=False)  # the target's event of step 19 (v = 20)
    assert program.synapses("p")["at_post"][0] == 20 + 1000 * 17


@synapse
class Counting:
    """Shows the order of things within a step."""

    x = PreState(0.0)
    y = PostState(0.0)
    w = Weight()
    x.on_pre = x + 1
    y.on_post = y + 1
    w.on_pre = w + 100 * x + 10 * y
    w.on_post = w + 1000 * y


@pytest.mark.parametrize("target", TARGETS, ids=repr)
def test_delivery_is_before_the_change_and_on_pre_before_on_post(target: Any) -> None:
    net = Network()
    pre = net.population(EventSource(1, steps=[2, 4], indices=[0, 0]))
    relay = net.population(Relay, 1, name="relay")
    net.record(relay, "v")
    net.project(pre, relay.go, OneToOne())
    net.project(pre, relay.x, Sparse(([0, 0], [0, 0])), weight=1.0, synapse=Counting, name="p")
    program = target.compile(net, dt=1 * ms, progress=False)
    trace = program.run(8, progress=False)
    # step 3: x and y are 0 on arrival, then on_post with y = 0; step 5: x = 1, y = 1 on arrival, then y = 1
    assert np.asarray(trace.state("relay", "v")[:]).ravel().tolist() == [0, 0, 0, 2, 0, 2, 0, 0]
    assert program.synapses("p").weights.tolist() == [1111.0, 1111.0]
    assert program.synapses("p")["x"].tolist() == [2.0]  # once for each event of the source, not for each synapse


def test_the_weight_is_a_number_in_the_unit_of_the_port_or_a_quantity() -> None:
    @neuron
    class Cell:
        i_in = Port(unit=nA)
        v = State(0 * nA)
        v.next = i_in

    @synapse
    class Typed:
        top = Param(2 * nA)
        w = Weight(unit=nA)
        w.dot = (top - w) / (10 * ms)

    for model, expected in ((PairSTDP(w_max=0.8), 0.5), (Typed, 2 - 1.5 * np.exp(-1.0))):
        net = Network()
        pre = net.population(EventSource(1, steps=[8], indices=[0]))
        cell = net.population(Cell, 1, name="cell")
        net.record(cell, "v")
        net.project(pre, cell, OneToOne(), weight=0.5 * nA, synapse=model, name="p")
        program = Reference().compile(net, dt=1 * ms, progress=False)
        trace = program.run(10, progress=False)
        assert np.asarray(trace.state("cell", "v")[:])[9, 0] == pytest.approx(expected)
        assert program.synapses("p").weights[0] / nA == pytest.approx(expected)


def test_learned_weights_go_into_another_network() -> None:
    rng = np.random.default_rng(0)
    net = Network()
    when, which = np.nonzero(rng.random((200, 20)) < 0.1)
    source = net.population(EventSource(20, steps=when, indices=which))
    relay = net.population(Relay, 10, name="relay")
    net.project(source, relay.go, Dense((rng.random((20, 10)) < 0.1).astype(float)))
    net.project(source, relay.x, Dense(rng.random((20, 10))), delay=rng.integers(1, 5, 10), synapse=Own, name="learned")
    program = CPU().compile(net, dt=1 * ms, progress=False)
    program.run(200, progress=False)
    learned = program.synapses("learned")
    assert len(learned) == 200
    after = Network()
    other = after.population(EventSource(20))
    target = after.population(Relay, 10)
    after.project(other, target.x, learned.sparse(), name="fixed")
    fixed = CPU().compile(after, dt=1 * ms, progress=False).synapses("fixed")
    order = np.lexsort((learned.post, learned.pre))
    again = np.lexsort((fixed.post, fixed.pre))
    for name in ("pre", "post", "delays", "weights"):
        assert np.array_equal(getattr(learned, name)[order], getattr(fixed, name)[again])
    assert not np.array_equal(learned.weights, np.float32(1.0))


@synapse
class Own:
    """A pair rule whose synapses keep their own traces, for delays of their own."""

    x, y = State(0.0), State(0.0)
    w = Weight()
    x.dot = -x / (20 * ms)
    y.dot = -y / (20 * ms)
    x.on_pre = x + 1
    y.on_post = y + 1
    w.on_pre = w - 0.01 * y
    w.on_post = w + 0.01 * x


def test_samples_of_a_batch_begin_with_the_initial_weights() -> None:
    net = Network()
    source = net.population(EventSource(1, steps=[2, 5, 9], indices=[0, 0, 0]))
    relay = net.population(Relay(v=0.0), 1, name="relay")
    net.project(source, relay.go, OneToOne())
    net.project(source, relay.x, OneToOne(), weight=1.0, synapse=Counting, name="p")

    @neuron
    class Above:
        x = Port()
        level = Param(10.0)
        v = State(0.0)
        v.next = x
        seen = Event(when=v > level)

    above = net.population(Above, 1, name="above")
    net.project(source, above, OneToOne(), weight=1.0, synapse=Counting, name="q")
    levels = np.array([[0.5], [5.0], [0.5], [1e9]])
    counts = [
        target.compile(net, dt=1 * ms, progress=False)
        .run_batch({"above": {"level": levels}}, 15, progress=False)
        .counts["above"]
        .ravel()
        .tolist()
        for target in (Reference(), CPU(threads=1), CPU(threads=2))
    ]
    assert counts[0] == counts[1] == counts[2]
    assert counts[0][0] == counts[0][2] == 3
    assert counts[0][3] == 0
