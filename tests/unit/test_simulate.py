"""One neuron alone: inputs in every form, what comes back, and the picture."""

from __future__ import annotations

import numpy as np
import pytest

from neuromorph.errors import LanguageError, NetworkError, TargetError, UnitError
from neuromorph.language import Event, Param, Port, State, neuron
from neuromorph.simulate import Simulation, simulate
from neuromorph.units import Quantity, ms, mV, nA, second


@neuron
class Cell:
    """Leaky membrane with a current and a count."""

    i = Port(unit=nA)
    n = Port(dtype=int)
    tau, theta = Param(10 * ms), Param(15 * mV)
    r = Param(10 * mV / nA)
    v = State(0 * mV)
    seen = State(0, dtype=int)
    drive = r * i
    v.dot = (drive - v) / tau
    seen.jump = n
    fire = Event(when=v > theta, value=v / mV)
    v.reset = 0 * mV


def test_what_comes_back():
    run = Cell.simulate(50 * ms, dt=0.5 * ms, inputs={"i": 2 * nA})
    assert isinstance(run, Simulation)
    assert isinstance(run.times, Quantity)
    assert run.times.to(ms) == pytest.approx(0.5 * np.arange(100))
    assert set(run.states) == {"v", "seen"}
    assert run.states["v"].unit is mV
    assert run.states["v"].shape == (100,)
    assert run["v"].to(mV)[0] == pytest.approx(20 * (1 - np.exp(-0.05)))
    assert run.states["seen"].dtype == np.int32
    assert run.inputs["i"].to(nA) == pytest.approx(np.full(100, 2.0))
    assert run.events.times == pytest.approx(run.events.steps * 0.5)
    assert len(run.events) == 3  # every 10 ln 4 = 13.9 ms, in whole steps
    assert np.all(run.events.values > 15)
    with pytest.raises(NetworkError, match="there are v, seen"):
        run["w"]


def test_inputs_in_every_form_agree():
    steps = 40
    constant = simulate(Cell, steps, inputs={"i": 1 * nA, "n": 3})
    array = simulate(Cell, steps, inputs={"i": np.ones(steps) * nA, "n": np.full(steps, 3)})
    function = simulate(Cell, steps, inputs={"i": lambda t: 1 * nA, "n": lambda t: 3})
    several = simulate(Cell, steps, inputs={"i": np.ones((steps, 2)) * nA, "n": 3}, n=2)
    for other in (array, function):
        assert np.array_equal(constant["v"].value, other["v"].value)
        assert np.array_equal(constant["seen"], other["seen"])
    assert several["v"].shape == (steps, 2)
    assert np.array_equal(several["v"].value[:, 1], constant["v"].value)
    assert constant["seen"][-1] == 3 * steps


def test_functions_get_the_time_of_the_step():
    run = simulate(Cell, 10, dt=1 * ms, inputs={"i": lambda t: 1 * nA if t >= 4 * ms else 0 * nA})
    assert list(run.inputs["i"].to(nA)) == [0] * 4 + [1] * 6
    run = simulate(Cell, 2, dt=1 * ms, n=2, inputs={"i": lambda t: np.array([1.0, 2.0]) * nA})
    assert run.inputs["i"].to(nA).tolist() == [[1, 2], [1, 2]]


def test_named_values_can_be_recorded():
    run = simulate(Cell, 3, inputs={"i": 2 * nA}, record=["drive"])
    assert run["drive"].to(mV) == pytest.approx(np.full(3, 20.0))


def test_methods_and_widths_can_be_chosen():
    exact = simulate(Cell, 5, dt=1 * ms, inputs={"i": 1 * nA})
    euler = simulate(Cell, 5, dt=1 * ms, inputs={"i": 1 * nA}, method="euler")
    assert euler["v"].to(mV)[0] == pytest.approx(1.0, rel=1e-14)
    assert exact["v"].to(mV)[0] == pytest.approx(10 * (1 - np.exp(-0.1)), rel=1e-14)
    narrow = simulate(Cell, 5, dt=1 * ms, inputs={"i": 1 * nA}, dtype="float32")
    assert narrow["v"].to(mV) == pytest.approx(exact["v"].to(mV), rel=1e-6)
    assert not np.array_equal(narrow["v"].value, exact["v"].value)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"inputs": {"j": 1 * nA}}, NetworkError, "Cell has no port 'j'; it has i, n"),
        ({"inputs": {"i": 1.0}}, UnitError, "input to Cell.i: expected current"),
        ({"inputs": {"i": np.ones(3) * nA}}, NetworkError, r"shape \(3, 1\) for 10 steps of 1 neurons"),
        ({"inputs": {"n": 0.5}}, NetworkError, "whole numbers"),
        ({"record": ["u"]}, NetworkError, "no state or value 'u'; it has v, seen, drive"),
        ({"method": "magic"}, LanguageError, "unknown method 'magic'"),
        ({"dt": 0 * ms}, TargetError, "longer than 0"),
        ({"inputs": {"i": float("nan") * nA}}, NetworkError, "input to Cell.i: a value is not finite"),
        ({"inputs": 1 * nA}, NetworkError, "inputs is 1 nA; give an input for each port by name: {'i': ..., 'n': ...}"),
        ({"n": 0}, NetworkError, "n is 0"),
        ({"n": 1.5}, NetworkError, "n is 1.5"),
        ({"seed": -1}, NetworkError, "seed -1"),
        ({"dtype": "float16"}, NetworkError, "dtype 'float16'"),
    ],
)
def test_mistakes_are_named(options, error, message):
    with pytest.raises(error, match=message):
        simulate(Cell, 10, **options)


def test_values_are_checked_as_in_a_network():
    for values, message in (
        ({"tau": float("inf") * ms}, "tau is not finite"),
        ({"tau": [1, 2] * ms}, "2 values for 1"),
    ):
        with pytest.raises(LanguageError, match=message):
            Cell(**values).simulate(10)

    @neuron
    class Rest:
        t_ref = Param(2 * ms)
        v = State(0.0)
        v.next = v + 1
        fire = Event(when=v > 1, refractory=t_ref)

    for t_ref, message in ((-1 * ms, "negative"), (0.01 * ms, "shorter than half a step"), (1e9 * second, "longest")):
        with pytest.raises(LanguageError, match=message):
            Rest(t_ref=t_ref).simulate(10)


def test_durations():
    assert len(simulate(Cell, 0.01 * second, dt=1 * ms).times.value) == 10
    empty = simulate(Cell, 0)
    assert empty["v"].shape == (0,)
    assert len(empty.events) == 0


def test_noise_follows_the_seed():
    from neuromorph.language import normal

    @neuron
    class Noise:
        x = State(0.0)
        x.next = normal()

    first, again, other = (simulate(Noise, 5, n=3, seed=seed)["x"] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.any(first == other)


def test_plot_draws_events_states_and_inputs():
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure = Cell.simulate(50 * ms, inputs={"i": 2 * nA}).plot()
    labels = [ax.get_ylabel() for ax in figure.axes]
    assert labels == ["fire", "v\n(mV)", "seen", "i\n(nA)"]
    voltage = figure.axes[1].lines[0].get_ydata()
    assert voltage.max() == pytest.approx(15, abs=0.2)
    pyplot.close(figure)
    several = Cell(tau=np.linspace(5, 20, 8) * ms).simulate(20 * ms, n=8, inputs={"i": 2 * nA}).plot(neurons=3)
    assert len(several.axes[1].lines) == 3
    assert [t.get_text() for t in several.axes[1].get_legend().get_texts()] == ["v[0]", "v[1]", "v[2]"]
    pyplot.close(several)
    for n in (1, 3):
        pyplot.close(Cell.simulate(0, n=n).plot())
