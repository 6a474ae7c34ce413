"""Everything of Brian 2's groups that is written out operation by operation: same spikes, same samples."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neuromorph import CPU, CheckError, Reference, first_difference, from_brian2, ms
from neuromorph.interchange.brian2.synapses.projections import order_in
from neuromorph.mapping.spinnaker2 import SpiNNaker2

b = pytest.importorskip("brian2")

from brian2_networks import compare, numpy_code  # noqa: E402, F401  numpy_code acts by itself


def watched(group: Any, *variables: str, **options: Any) -> list[Any]:
    return [group, b.SpikeMonitor(group), b.StateMonitor(group, variables, record=True, **options)]


def kicked(group: Any, code: str, count: int = 30) -> list[Any]:
    """Synapses from given spikes."""
    steps, which = np.nonzero(np.random.default_rng(5).random((300, count)) < 0.04)
    source = b.SpikeGeneratorGroup(count, which, steps * 0.1 * b.ms)
    synapses = b.Synapses(source, group, on_pre=code)
    synapses.connect(p=0.4)
    return [source, synapses]


def test_monitors_see_a_variable_where_they_look_in_the_step() -> None:
    group = b.NeuronGroup(
        5, "dv/dt = (1.2 - v)/(3*ms) : 1\nfast = v > 0.5 : boolean\ny : 1", threshold="v > 1", reset="v = 0; y += 1"
    )
    looks = [
        b.StateMonitor(group, ["v", "y"], record=True, when=when)
        for when in ("start", "after_groups", "thresholds", "after_resets", "end")
    ]
    looks.append(b.StateMonitor(group, "fast", record=[1, 3], dt=0.5 * b.ms))
    assert compare([*kicked(group, "v += 0.2"), *watched(group, "v", when="before_start"), *looks], 20) > 10


def test_the_same_in_equations() -> None:
    group = b.NeuronGroup(
        5,
        "dv/dt = (1.2 + g - v)/(3*ms) : 1\ndg/dt = -g/ms : 1\nz = v*g : 1",
        threshold="v > 1",
        reset="v = 0",
        method="exact",
    )
    looks = [b.StateMonitor(group, "v", record=True, when=when) for when in ("start", "end")]
    looks.append(b.StateMonitor(group, ["g", "z"], record=[1, 3], dt=0.5 * b.ms))
    objects = [group, *kicked(group, "g += 0.2"), *looks, b.SpikeMonitor(group)]
    assert [s.name for s in from_brian2(objects)[group.name].neuron.states if s.dot is not None] == ["v", "g"]
    assert compare(objects, 20) > 10


@pytest.mark.parametrize(
    ("refractory", "method"),
    [("2*ms*(1 + y)", "exact"), ("v > 0.3", "euler"), ("timestep(t - lastspike, dt) < 12 + i", "rk4")],
)
def test_refractory_times_and_conditions(refractory: str, method: str) -> None:
    group = b.NeuronGroup(
        6,
        "dv/dt = (1.5 + 0.1*i + u - v)/(3*ms) : 1 (unless refractory)\ndu/dt = (0.3 - u)/(8*ms) : 1\ny : 1",
        threshold="v > 1",
        reset="v -= 0.9; y = y + 0.1",
        refractory=refractory,
        method=method,
    )
    objects = [*kicked(group, "v += 0.05"), *watched(group, "v", "u", "not_refractory", "lastspike")]
    assert compare(objects, 12) > 5


@pytest.mark.parametrize("method", ["rk4", "rk2", "heun"])
def test_integrators_that_brian2_writes_out(method: str) -> None:
    group = b.NeuronGroup(
        4,
        "dv/dt = (drive - v - 0.3*v**2 + w)/(5*ms) : 1\ndw/dt = (0.4 - w*v)/(9*ms) : 1\ndrive : 1 (constant)",
        threshold="v > 0.8",
        reset="v = 0.1",
        method=method,
    )
    group.drive = "1.5 + 0.2*i"
    assert compare([*watched(group, "v", "w"), *kicked(group, "v += 0.1")], 10) > 5


def test_subexpressions_constant_over_dt_shared_variables_and_run_regularly() -> None:
    group = b.NeuronGroup(
        5,
        """dv/dt = (push*gain - v)/(4*ms) : 1
        push = 1.2 + 0.3*sin(2*pi*50*Hz*t) + 0.1*v : 1 (constant over dt)
        slow : 1 (shared)
        gain : 1 (shared)
        count : integer
        on : boolean""",
        threshold="v > 1",
        reset="v = 0; count += 1; on = not on",
        method="exact",
    )
    group.gain, group.slow = 1.1, 2
    group.run_regularly("gain = 1.1 + 0.1*slow\nslow = 0.7*slow + 0.5", dt=1 * b.ms)
    group.run_regularly("temporary = 0.01*i; v += temporary*int(on)", dt=0.5 * b.ms, when="end")
    assert compare(watched(group, "v", "push", "slow", "gain", "count", "on"), 12) > 3


def test_tables_over_time() -> None:
    names = {
        "flat": b.TimedArray([0, 1.5, 3, 0, 2], dt=5 * b.ms),
        "wide": b.TimedArray(np.linspace(0, 3, 12).reshape(4, 3) * b.mV, dt=2.5 * b.ms),
        "fine": b.TimedArray(np.sin(np.arange(900) * 0.02) + 1, dt=0.03 * b.ms),
    }
    group = b.NeuronGroup(
        6,
        """dv/dt = (flat(t) + wide(t, i % 3)/mV + extra - v)/(3*ms) : 1
        extra = 0.3*fine(t - 2*ms) + 0.1*flat(t % (7*ms)) : 1""",
        threshold="v > 1",
        reset="v = 0.1*flat(t)",
        method="euler",
    )
    assert compare([*watched(group, "v", "extra"), *kicked(group, "v += 0.05*i_post")], 25, names) > 20


def test_a_poisson_group_may_have_rates_of_any_expression() -> None:
    names = {"rates_at": b.TimedArray([1e9, 0, 1e9], dt=2 * b.ms)}
    sure = b.PoissonGroup(4, rates="rates_at(t)*Hz*int(i > 1)")
    assert compare([sure, b.SpikeMonitor(sure)], 8, names) == 2 * 60


def test_spikes_that_repeat() -> None:
    source = b.SpikeGeneratorGroup(3, [0, 2, 2], [0.3, 0.5, 1.1] * b.ms, period=1.7 * b.ms)
    group = b.NeuronGroup(3, "dv/dt = -v/(3*ms) : 1", threshold="v > 1", reset="v = 0", method="exact")
    synapses = b.Synapses(source, group, on_pre="v += 0.7")
    synapses.connect(j="i")
    assert compare([source, synapses, b.SpikeMonitor(source), *watched(group, "v")], 20) > 30


def test_events_of_ones_own() -> None:
    group = b.NeuronGroup(
        4,
        "dv/dt = (1.5 - v)/(4*ms + 1*ms*i) : 1\nseen : 1",
        threshold="v > 1",
        reset="v = 0",
        events={"half": "v > 0.5 and v < 0.55"},
        method="exact",
    )
    group.run_on_event("half", "seen += 1; v += 0.01")
    assert compare([*watched(group, "v", "seen"), b.EventMonitor(group, "half")], 30) > 5


EVENTS = {"above": "v > 0.8", "half": "v > 0.5 and v < 0.6"}


def two_ways_of_firing(refractory: Any = False) -> Any:
    group = b.NeuronGroup(
        12,
        "dv/dt = (drive - v)/(5*ms) : 1\ndrive : 1",
        threshold="v > 1",
        reset="v = 0",
        events=dict(EVENTS),
        method="exact",
        refractory=refractory,
        name="cells",
    )
    group.drive = "1.05 + 0.05*i"
    group.run_on_event("half", "v += 0.01")
    return group


@pytest.mark.parametrize("refractory", [False, 1 * b.ms])
def test_synapses_that_follow_events_of_several_kinds(refractory: Any) -> None:
    group, target = (
        two_ways_of_firing(refractory),
        b.NeuronGroup(9, "dv/dt = -v/(3*ms) : 1", threshold="v > 0.5", reset="v = 0", method="exact", name="target"),
    )
    synapses = []
    for event, weight, delay in (("spike", 0.2, 0), ("above", 0.01, 0), ("half", 0.15, 0.7)):
        made = b.Synapses(group, target, on_pre=f"v += {weight}", on_event={"pre": event}, delay=delay * b.ms)
        made.connect("(i + j) % 3 == 0")
        synapses.append(made)
    back = b.Synapses(target, group, on_post="v_pre += 0.02", on_event={"post": "half"})
    back.connect("i == j")
    kinds = [b.EventMonitor(group, name) for name in EVENTS]
    objects = [*watched(group, "v"), target, *synapses, back, *kinds, b.SpikeMonitor(target)]
    network = from_brian2(b.Network(*objects))
    assert [p.name for p in network.populations] == ["cells", "target", "cells above", "cells half"]
    here, on_chips = [
        target.compile(network, dt=b.defaultclock.dt, progress=False).run(15 * ms, progress=False)
        for target in (Reference("float32"), SpiNNaker2())
    ]
    assert first_difference(here, on_chips) is None
    assert compare(objects, 30) > 400
    assert min(monitor.num_events for monitor in (*kinds, objects[-1])) > 5


def test_one_synapse_that_follows_events_of_several_kinds_at_both_ends() -> None:
    group = two_ways_of_firing()
    synapses = b.Synapses(
        group,
        group,
        "a : 1\nb : 1\nc : 1\nd : 1",
        on_pre={"first": "a += 1", "second": "b = b*0.9 + a; v_post += 0.001"},
        on_post={"third": "c += 1 + b", "fourth": "d = 0.5*d + c"},
        on_event={"first": "above", "second": "spike", "third": "spike", "fourth": "half"},
        name="synapses",
    )
    synapses.connect("i != j", p=0.5)
    synapses.second.delay, synapses.fourth.delay = "0.1*ms*(1 + (i + j) % 3)", 0.5 * b.ms
    objects = [group, synapses, b.SpikeMonitor(group), b.EventMonitor(group, "half")]
    network = b.Network(*objects)
    program = Reference().compile(from_brian2(network), dt=b.defaultclock.dt, progress=False)
    trace, order = program.run(15 * ms, progress=False), order_in(synapses)
    network.run(15 * b.ms)
    for name in "abcd":
        expected = synapses.variables[name].get_value()[order]
        np.testing.assert_allclose(program.synapses("synapses")[name], expected, rtol=1e-9, err_msg=name)
        assert expected.max() > 1
    assert trace.count("cells") == objects[2].num_spikes > 10
    assert trace.count("cells half") == objects[3].num_events > 10


def test_a_schedule_of_ones_own() -> None:
    group = b.NeuronGroup(6, "dv/dt = (1.2 + 0.1*i - v)/(5*ms) : 1", threshold="v > 1", reset="v = 0", method="exact")
    synapses = b.Synapses(group, group, on_pre="v += 0.2", delay=0.3 * b.ms)
    synapses.connect()
    network = b.Network(*watched(group, "v"), synapses)
    network.schedule = ["start", "groups", "thresholds", "resets", "synapses", "end"]
    assert compare(network, 30) > 20


def test_several_clocks() -> None:
    fast = b.NeuronGroup(4, "dv/dt = (1.4 - v)/(3*ms) : 1", threshold="v > 1", reset="v = 0", method="exact")
    slow = b.NeuronGroup(
        3,
        "dv/dt = (0.5*int(t > 3*ms) - v)/(6*ms) : 1",
        threshold="v > 1",
        reset="v -= 1",
        method="euler",
        dt=0.5 * b.ms,
    )
    up, down = b.Synapses(fast, slow, on_pre="v += 0.4"), b.Synapses(slow, fast, on_pre="v -= 0.3", delay=1 * b.ms)
    up.connect()
    down.connect()
    assert compare([*watched(fast, "v"), *watched(slow, "v"), up, down], 30) > 30


def test_functions_of_ones_own_and_of_brian2() -> None:
    @b.check_units(x=1, result=1)
    def squashed(x: Any) -> Any:
        return x / (1 + abs(x))

    group = b.NeuronGroup(
        6,
        """dv/dt = (1.5 + squashed(v) - 0.1*v)/(5*ms) : 1
        mixed = arctan(v) + expm1(0.1*v) + log1p(v**2) + clip(v, 0.2, 0.4) + (7*i) // 3 + v % 0.3 + tan(v) + 2**v : 1
        more = arcsin(v/2) + arccos(v/2) + cosh(v) - sinh(v) + ceil(v) + sign(v) + log10(1 + v) + exprel(v) : 1""",
        threshold="v > 0.9",
        reset="v = 0",
        method="euler",
    )
    assert compare(watched(group, "v", "mixed", "more"), 10, {"squashed": squashed}, rtol=1e-11) > 5


def test_what_is_shared_and_random_is_drawn_once_for_all() -> None:
    group = b.NeuronGroup(
        4,
        """dv/dt = (x - v)/(5*ms) : 1
        x = 2*rand() - 1 : 1 (shared, constant over dt)
        walk : 1 (shared)
        count : integer (shared)
        own : 1""",
        method="euler",
        name="group",
    )
    group.run_regularly("walk += 0.1*randn(); count = poisson(3.5)", dt=0.2 * b.ms)
    group.run_regularly("own = rand()")
    variables = ["v", "x", "walk", "count", "own"]
    network = from_brian2([group, b.StateMonitor(group, variables, record=True)], namespace={}, seed=3)
    trace = Reference().compile(network, dt=0.1 * ms).run(60 * ms, progress=False)
    seen = {name: np.asarray(trace.state("group", f"{name}_start").data[2:]) for name in variables}
    assert all(np.ptp(seen[name], axis=1).max() == 0 for name in ("v", "x", "walk", "count"))
    assert np.ptp(seen["own"], axis=1).min() > 0
    x, steps = seen["x"][:, 0], np.diff(seen["walk"][::2, 0])
    assert abs(x.mean()) < 0.1
    assert abs(x.std() - 3**-0.5) < 0.06
    assert len(np.unique(x)) == len(x)
    assert abs(steps.std() - 0.1) < 0.02
    assert abs(seen["count"].mean() - 3.5) < 0.45
    moved = b.NeuronGroup(3, "n : integer (shared)\nmean : 1 (shared)", name="moved")
    moved.run_regularly("mean += 0.1\nn = poisson(mean)", name="draws")
    with pytest.raises(CheckError, match="moved: draws: n is shared, and a Poisson number with a mean that changes"):
        from_brian2([moved], namespace={})


def test_linked_variables_that_do_not_change() -> None:
    source = b.NeuronGroup(3, "drive : 1 (constant)", name="source")
    source.drive = [1.1, 1.3, 1.5]
    group = b.NeuronGroup(
        6, "dv/dt = (x - v)/(5*ms) : 1\nx : 1 (linked)", threshold="v > 1", reset="v = 0", method="exact"
    )
    group.x = b.linked_var(source, "drive", index=[0, 1, 2, 0, 1, 2])
    assert compare([source, *watched(group, "v")], 30) > 5


def test_poisson_input_to_a_part_of_a_group_by_the_numbers_of_brian2() -> None:
    group = b.NeuronGroup(400, "dv/dt = -v/(10*ms) : 1\nw : 1 (constant)", name="driven", method="exact")
    group.w = 0.1
    few = b.PoissonInput(group[:200], "v", 20, 100 * b.Hz, weight="w")
    many = b.PoissonInput(group[200:], "v", 1000, 400 * b.Hz, weight=0.01)
    network = from_brian2([group, few, many, b.StateMonitor(group, "v", record=True)], namespace={})
    trace = CPU(dtype="float64").compile(network, dt=b.defaultclock.dt).run(300 * ms, progress=False)
    v = np.asarray(trace.state("driven", "v_start").data)
    assert np.all(v[0] == 0)
    assert v[1].max() > 0
    for part, n, rate, w in ((v[600:, :200], 20, 100, 0.1), (v[600:, 200:], 1000, 400, 0.01)):
        p = rate * 1e-4
        each_step = np.exp(-0.01)
        assert abs(part.mean() - n * p * w * each_step / (1 - each_step) / each_step) < 0.02 * n * p * w * 100
        spread = np.sqrt(n * p * (1 - p) * w**2 / (1 - each_step**2))
        assert abs(part.std() / spread - 1) < 0.05


def test_what_cannot_be_said_is_refused_by_name() -> None:
    group = b.NeuronGroup(
        2, "dv/dt = -v/(5*ms) : 1", threshold="v > 1", reset="v = 0", events={"low": "v < 0.1"}, name="cells"
    )
    on_low = b.Synapses(group, group, on_pre="v += 1", on_event="low", name="on_low")
    on_spike = b.Synapses(group, group, on_pre="v += 1", name="on_spike")
    group.thresholder["low"].when = "end"
    often = b.SpikeGeneratorGroup(1, np.zeros(80, int), np.arange(80) * 0.1 * b.ms, period=10 * b.ms, name="often")
    odd = b.NeuronGroup(2, "dv/dt = -odd_table(v*second)/(5*ms) : 1", name="odd", method="euler")
    for synapses in (on_low, on_spike):
        synapses.connect()
    names = {"odd_table": b.TimedArray(np.arange(5000.0), dt=1 * b.ms)}
    with pytest.raises(CheckError) as caught:
        from_brian2([group, on_low, on_spike, often, odd], namespace=names)
    text = "\n".join(caught.value.problems)
    for expected in (
        "cells: synapses follow its event low, which is tested when they have acted",
        "often: its spikes repeat",
        "odd: method: odd_table()",
    ):
        assert expected in text, text
