"""Checking a network before any work: every problem at once, and what is only worth a warning."""

from __future__ import annotations

import numpy as np
import pytest

from neuromorph.errors import CheckError, NetworkError
from neuromorph.language import Event, Param, Port, State, neuron
from neuromorph.lowering import check, lower
from neuromorph.network import AllToAll, EventSource, FixedProbability, Network, OneToOne, Uniform
from neuromorph.units import ms, mV, second


@neuron
class Cell:
    """Leaky membrane with an input."""

    u = Port(unit=mV)
    k = Port(dtype=int)
    tau, theta, t_ref = Param(10 * ms), Param(10 * mV), Param(2 * ms)
    v = State(0 * mV)
    n = State(0, dtype=int)
    v.jump = u
    n.jump = k
    v.dot = -v / tau
    fire = Event(when=v > theta, refractory=t_ref, hold=v)
    v.reset = 0 * mV


def driven(model=Cell, size=4, **projection):
    net = Network(seed=2, name="net")
    source = net.population(EventSource(size, steps=[1], indices=[0]), name="in")
    cell = net.population(model, size, name="cells")
    net.project(source, cell.u, OneToOne(), weight=1 * mV, **projection)
    net.project(source, cell.k, OneToOne(), weight=2)
    return net


def test_a_sound_network_passes():
    assert check(driven(), 1 * ms) == ()


def test_every_problem_is_named_at_once():
    net = driven(delay=0.2 * ms)
    net.population(Cell(t_ref=0.1 * ms), 3, name="short")
    net.population(Cell(tau=0 * ms), 3, name="stiff")
    net.population(Cell(theta=np.array([1.0, np.inf, 2.0]) * mV), 3, name="wild")
    with pytest.raises(CheckError) as caught:
        check(net, 1 * ms)
    message = str(caught.value)
    assert "network net cannot run with steps of 1 ms" in message
    problems = caught.value.problems
    assert len(problems) == 4
    for start, part in (
        ("population short", "0.1 ms is shorter than half a step"),
        ("population stiff", "derivative of v"),
        ("population wild", "Cell.theta is not finite"),
        ("projection in -> cells.u", "less than half a step"),
    ):
        assert any(p.startswith(start) and part in p for p in problems), (start, problems)
    with pytest.raises(CheckError):
        lower(net, 1 * ms)
    with pytest.raises(CheckError, match="population stiff"):
        check(net, 0.1 * ms)


def test_an_empty_network_is_a_problem():
    with pytest.raises(CheckError, match="no populations"):
        check(Network(), 1 * ms)


def test_methods_that_cannot_be_are_problems():
    @neuron(method="exact")
    class Square:
        x = State(0.5)
        tau = Param(10 * ms)
        x.dot = x * x / tau

    net = Network()
    net.population(Square, 1)
    with pytest.raises(CheckError, match=r"population Square.*not linear"):
        check(net, 1 * ms)


def test_events_that_collide_in_a_step_are_a_problem():
    net = Network()
    net.population(EventSource(1, times=np.array([1.0, 1.2]) * ms, indices=[0, 0]), name="twice")
    check(net, 0.1 * ms)
    with pytest.raises(CheckError, match=r"population twice.*two events in step 1"):
        check(net, 1 * ms)


def test_unstable_euler_and_idle_ports_are_warnings():
    net = driven(Cell.with_method("euler"))
    assert check(net, 1 * ms) == ()
    net = driven(Cell(t_ref=0 * ms).with_method("euler"))
    (warning,) = check(net, 21 * ms)
    assert "forward Euler of v is unstable" in warning
    assert "10 ms" in warning
    lonely = Network()
    lonely.population(Cell, 2, name="alone")
    assert [w for w in check(lonely, 1 * ms) if "nothing drives port u" in w]
    assert len(check(lonely, 1 * ms)) == 2


@pytest.mark.parametrize("dt", [0 * ms, -1 * ms, float("nan") * second])
def test_a_step_must_be_positive(dt):
    with pytest.raises(NetworkError, match="above 0"):
        check(driven(), dt)


def test_lowered_network():
    net = driven(delay=3 * ms)
    cells = net["cells"]
    net.record(cells, "v", every=2)
    lowered = lower(net, 0.5 * ms, dtype="float64")
    assert (lowered.dt, lowered.dtype, lowered.seed, lowered.max_delay) == (5e-4, "float64", 2, 6)
    source, made = lowered.populations
    assert source.program is None
    assert source.replay is not None
    assert list(source.replay.step_ptr) == [0, 0, 1]
    assert made.program is not None
    assert (made.first_id, made.size, made.record_states) == (4, 4, (("v", 2),))
    assert made.state_init[0].shape == (4,)
    assert lowered.projections[1].weights.dtype == np.int32
    with pytest.raises(NetworkError, match="float16"):
        lower(net, 1 * ms, dtype="float16")
    with pytest.raises(NetworkError, match="int5"):
        lower(net, 1 * ms, weights="int5")


def test_populations_of_one_model_draw_their_own_values():
    net = Network(seed=9)
    model = Cell(v=Uniform(0 * mV, 5 * mV))
    a, b = net.population(model, 20), net.population(model, 20)
    net.project(a, b.u, AllToAll(), weight=1 * mV)
    net.project(b, a.u, FixedProbability(0.5), weight=1 * mV)
    first, second_ = lower(net, 1 * ms).populations
    assert not np.array_equal(first.state_init[0], second_.state_init[0])
    assert np.array_equal(first.state_init[0], lower(net, 0.1 * ms).populations[0].state_init[0])


def test_quantised_weights():
    lowered = lower(driven(), 1 * ms, weights="int8")
    assert lowered.projections[0].weights.dtype == np.int8
    assert lowered.projections[0].weight_scale is not None
