"""Synapses of Brian 2 taken in: the same spikes in the same steps, and the same variables of every synapse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from neuromorph import CPU, CheckError, Reference, from_brian2, ms
from neuromorph.interchange.brian2.schedule import DEFAULT, Schedule
from neuromorph.interchange.brian2.synapses.monitors import seen_by_monitor
from neuromorph.interchange.brian2.synapses.projections import order_in

b = pytest.importorskip("brian2")


@pytest.fixture(autouse=True)
def numpy_code() -> None:
    b.prefs.codegen.target = "numpy"
    b.start_scope()
    b.defaultclock.dt = 0.1 * b.ms
    b.seed(7)
    b.BrianLogger.suppress_hierarchy("brian2")


def compare(
    objects: list[Any],
    duration: float,
    variables: Sequence[tuple[Any, str]] = (),
    names: dict[str, Any] | None = None,
    target: Any = Reference,
) -> int:
    """Run the same objects here and in Brian 2 for so many ms; the number of spikes, which are the same.

    Parameters
    ----------
    variables : sequence of (Synapses, name)
        What has to be the same in the end.
    """
    theirs = b.Network(*objects)
    ours = from_brian2(theirs, namespace=names or {})
    program = target(dtype="float64").compile(ours, dt=b.defaultclock.dt, progress=False)
    trace = program.run(duration * ms, progress=False)
    theirs.run(duration * b.ms, namespace=names or {})
    total = 0
    for monitor in (o for o in objects if isinstance(o, b.SpikeMonitor)):
        steps = np.rint(monitor.t_ / float(b.defaultclock.dt)).astype(int).tolist()
        expected = sorted(zip(steps, np.asarray(monitor.i).tolist(), strict=True))
        events = trace.events(monitor.source.name)
        found = sorted(zip(np.asarray(events.steps).tolist(), np.asarray(events.ids).tolist(), strict=True))
        assert found == expected
        total += len(expected)
    for synapses, name in variables:
        value = program.synapses(synapses.name)[name]
        found = np.asarray(getattr(value, "value", value))
        expected = np.asarray(synapses.variables[name].get_value(), float)[order_in(synapses)]
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-15, err_msg=name)
    return total


def source(rate: float, size: int = 20, duration: float = 100, seed: int = 3) -> Any:
    """Neurons with given spikes."""
    steps, ids = np.nonzero(np.random.default_rng(seed).random((int(duration * 10), size)) < rate)
    return b.SpikeGeneratorGroup(size, ids, steps * 0.1 * b.ms)


def cells(size: int = 12, equations: str = "", **options: Any) -> Any:
    """Leaky neurons with a current that decays."""
    given = {"threshold": "v > 1", "reset": "v = 0", "method": "exact", **options}
    return b.NeuronGroup(
        size, f"dv/dt = (g - v)/(10*ms) : 1 {given.pop('held', '')}\ndg/dt = -g/(4*ms) : 1\n{equations}", **given
    )


STDP = {
    "model": """w : 1
    dapre/dt = -apre/(20*ms) : 1 ({flag})
    dapost/dt = -apost/(15*ms) : 1 ({flag})""",
    "on_pre": "g += w; apre += 0.02; w = clip(w + apost, 0, 1)",
    "on_post": "apost -= 0.021; w = clip(w + apre, 0, 1)",
}


@pytest.mark.parametrize("flag", ["event-driven", "clock-driven"])
def test_spike_timing_dependence(flag: str) -> None:
    pre, post = source(0.02), cells()
    synapses = b.Synapses(pre, post, **{**STDP, "model": STDP["model"].format(flag=flag)}, method="exact")
    synapses.connect(p=0.7)
    synapses.w = "0.3 + 0.3*rand()"
    spikes = b.SpikeMonitor(post)
    assert compare([pre, post, synapses, spikes], 40, [(synapses, n) for n in ("w", "apre", "apost")]) > 3


@pytest.mark.parametrize("target", [Reference, CPU])
def test_recurrent_plasticity_with_delays_of_each_synapse_on_several_pathways(target: Any) -> None:
    group = cells(20, "drive : 1", held="(unless refractory)", refractory=1.5 * b.ms)
    group.drive = "1"
    kicks = source(0.03, 20)
    drive = b.Synapses(kicks, group, on_pre="v += 0.4")
    drive.connect(j="i")
    synapses = b.Synapses(
        group,
        group,
        "w : 1\nx : 1\nn : integer\nhigh : boolean",
        on_pre={"transmit": "g += w*(1 + x)", "learn": "w = clip(w + 0.01*x, 0, 1); n += 1"},
        on_post={"back": "x = 0.9*x + 0.1; high = w > 0.1", "far": "w *= 0.99"},
    )
    synapses.connect(p=0.3)
    synapses.w = "0.05 + 0.2*rand()"
    synapses.transmit.delay = "rand()*2*ms"
    synapses.learn.delay = "rand()*3*ms"
    synapses.far.delay = "rand()*ms"
    synapses.back.delay = 0.4 * b.ms
    spikes = b.SpikeMonitor(group)
    known = [(synapses, n) for n in ("w", "x", "n", "high")]
    assert compare([group, kicks, drive, synapses, spikes], 16, known, {}, target) > 3


def test_pathways_act_in_the_order_that_they_are_given() -> None:
    pre, post = source(0.03, 10), cells(10)
    synapses = b.Synapses(
        pre,
        post,
        "w : 1",
        on_pre={"first": "w = 0.5*w + 0.1", "second": "g += 9*w", "third": "w += 0.05"},
        on_post="w = 0.3",
    )
    synapses.connect(j="i")
    synapses.w = "0.2*i"
    synapses.first.order, synapses.second.order, synapses.post.order = 5, 2, -3
    assert compare([pre, post, synapses, b.SpikeMonitor(post)], 40, [(synapses, "w")]) > 3


def test_short_term_plasticity() -> None:
    pre, post = source(0.05, 10), cells(6)
    synapses = b.Synapses(
        pre,
        post,
        """w : 1 (constant)
        du/dt = (U - u)/(50*ms) : 1 (event-driven)
        dx/dt = (1 - x)/tau_d : 1 (event-driven)
        tau_d : second (constant)
        U : 1 (shared, constant)""",
        on_pre="u += U*(1 - u); r = u*x; x -= r; g_post += w*r",
    )
    synapses.connect(p=0.6)
    synapses.U, synapses.x, synapses.w, synapses.u = 0.2, 1, "0.5 + rand()", "0.2"
    synapses.tau_d = "(50 + 5*i)*ms"
    assert compare([pre, post, synapses, b.SpikeMonitor(post)], 40, [(synapses, "u"), (synapses, "x")]) > 3


def test_reward_and_reads_of_neurons() -> None:
    reward = b.NeuronGroup(1, "dd/dt = (r - d)/(10*ms) : 1\ndr/dt = -r/(10*ms) : 1", method="exact")
    give = source(0.01, 3)
    release = b.Synapses(give, reward, on_pre="r += 1")
    release.connect()
    pre, post = cells(8, "scale : 1"), cells(8, "d : 1\ngain : 1 (constant)")
    post.gain, pre.scale = "1 + 0.1*i", "0.5 + 0.01*i"
    kicks = source(0.05, 8, seed=5)
    drive = b.Synapses(kicks, pre, on_pre="g += 4")
    drive.connect(j="i")
    tell = b.Synapses(reward, post, "d_post = d_pre : 1 (summed)")
    tell.connect()
    synapses = b.Synapses(
        pre,
        post,
        "w : 1\ndc/dt = -c/(40*ms) + 0.001*v_post/ms : 1 (clock-driven)",
        on_pre="g += w*gain_post*scale_pre; c += 0.1*v_post*int(v_pre > 1); w += 0.05*c*d_post",
        on_post="c += 0.05*v_pre; w = clip(w + 0.02*c*d_post, 0, 2)",
        method="euler",
    )
    synapses.connect(p=0.8)
    synapses.w = "0.5 + 0.5*rand()"
    objects = [
        reward,
        give,
        release,
        pre,
        post,
        kicks,
        drive,
        tell,
        synapses,
        b.SpikeMonitor(post),
        b.SpikeMonitor(pre),
    ]
    assert compare(objects, 25, [(synapses, "w"), (synapses, "c")]) > 3


def test_gap_junctions_and_conductances_of_synapses_summed_up() -> None:
    group = b.NeuronGroup(
        10,
        """dv/dt = (v0 - v + gap + s_tot)/(10*ms) : 1
        v0 : 1
        gap : 1
        s_tot : 1""",
        threshold="v > 1",
        reset="v = 0",
        method="euler",
    )
    group.v0, group.v = "1.05 + 0.02*i", "rand()"
    junctions = b.Synapses(group, group, "w : 1\ngap_post = w*(v_pre - v_post) : 1 (summed)")
    junctions.connect(condition="i != j", p=0.5)
    junctions.w = "0.02 + 0.01*rand()"
    slow = b.Synapses(
        group,
        group,
        """ds/dt = -s/(20*ms) + 0.5*x*(1 - s)/ms : 1 (clock-driven)
        dx/dt = -x/(2*ms) : 1 (clock-driven)
        s_tot_post = 0.1*s : 1 (summed)""",
        on_pre="x += 1",
        method="euler",
    )
    slow.connect(p=0.3)
    slow.delay = "0.5*ms + rand()*ms"
    objects = [group, junctions, slow, b.SpikeMonitor(group)]
    assert compare(objects, 40, [(slow, "s"), (slow, "x")]) > 3


def test_sums_over_the_synapses_of_each_source() -> None:
    group = b.NeuronGroup(
        6, "dv/dt = (load - v)/(5*ms) : 1\nload : 1", threshold="v > 1", reset="v = 0", method="euler"
    )
    other = b.NeuronGroup(9, "dx/dt = (1 + 0.1*i - x)/(20*ms) : 1", method="exact")
    synapses = b.Synapses(group, other, "w : 1\nload_pre = w*x_post : 1 (summed)")
    synapses.connect(p=0.7)
    synapses.w = "0.3 + 0.1*rand()"
    assert compare([group, other, synapses, b.SpikeMonitor(group)], 40) > 3


def test_sums_onto_a_part_of_a_group_leave_the_others_alone() -> None:
    group = b.NeuronGroup(
        5, "dv/dt = (load - v)/(5*ms) : 1\nload : 1", threshold="v > 1", reset="v = 0", method="euler"
    )
    group.load = 3
    source = b.NeuronGroup(2, "x : 1")
    source.x = [1.5, 0.5]
    first = b.Synapses(source, group[1:2], "load_post = x_pre : 1 (summed)", name="first")
    rest = b.Synapses(source, group[3:], "load_post = 2*x_pre : 1 (summed)", name="rest")
    first.connect()
    rest.connect()
    monitor = b.StateMonitor(group, "load", record=True)
    assert compare([group, source, first, rest, b.SpikeMonitor(group), monitor], 20) > 5
    assert monitor.load[:, -1].tolist() == [3, 2, 3, 4, 4]


def test_sources_and_targets_are_changed_by_either_end() -> None:
    left, right = cells(10, "n : 1"), cells(10, "m : 1\nlast : second")
    kicks = source(0.04, 10)
    drive = b.Synapses(kicks, left, on_pre="v += 0.5")
    drive.connect(j="i")
    synapses = b.Synapses(
        left,
        right,
        "w : 1",
        on_pre="v_post += w; g_pre += 0.1*w; n_pre += 1; last_post = t",
        on_post="g_pre -= 0.2; m += 1; w *= 0.95",
        delay=0.3 * b.ms,
    )
    synapses.connect(j="i")
    synapses.w = 0.4
    with pytest.raises(CheckError, match="it adds to g_pre what changes in time"):
        from_brian2([left, right, kicks, drive, synapses], namespace={})
    synapses = b.Synapses(
        left,
        right,
        "w : 1",
        on_pre="v_post += w; g_pre += 0.1; n_pre += 1; last_post = t",
        on_post="g_pre -= 0.2; m += 1; w *= 0.95",
        delay=0.3 * b.ms,
    )
    synapses.connect(j="i")
    synapses.w = 0.4
    looks = [b.StateMonitor(left, "n", record=True), b.StateMonitor(right, ["m", "last"], record=True)]
    objects = [left, right, kicks, drive, synapses, b.SpikeMonitor(left), b.SpikeMonitor(right), *looks]
    assert compare(objects, 40, [(synapses, "w")]) > 3


def test_several_synapses_of_a_pair_and_of_a_neuron_with_itself() -> None:
    pre, post = source(0.02, 6), cells(6)
    synapses = b.Synapses(pre, post, "w : 1", on_pre="g += w; w *= 0.98", multisynaptic_index="k")
    synapses.connect(j="i", n=3)
    synapses.w, synapses.delay = "0.2*(k + 1)", "k*0.7*ms"
    own = b.Synapses(post, post, "a : 1", on_pre="g -= a; a += 0.01*k", multisynaptic_index="k")
    own.connect(j="i", n=2)
    assert compare([pre, post, synapses, own, b.SpikeMonitor(post)], 40, [(synapses, "w"), (own, "a")]) > 3


def test_variables_that_are_set() -> None:
    pre, post = source(0.03, 10), cells(10, "x : 1\non : boolean", reset="v = 0; x += 1")
    force = b.Synapses(pre, post, on_pre="v_post = 1.2")
    force.connect(p=0.3)
    scale = b.Synapses(pre, post, "w : 1", on_pre="g_post = 0.5*g_post + w; on_post = not on_post")
    scale.connect(j="i")
    scale.w = "0.3*i"
    scale.delay = 0.5 * b.ms
    assert compare([pre, post, force, scale, b.SpikeMonitor(post)], 40) > 3


def test_parts_of_groups_and_what_a_neuron_waits_for() -> None:
    group = cells(
        20,
        "th : 1",
        threshold="v > th",
        reset="v = 0; th += 0.02",
        refractory="2*ms + th*ms",
        held="(unless refractory)",
    )
    group.th = "0.5 + 0.01*i"
    pre = b.NeuronGroup(10, "dp/dt = (1 + 0.1*i)/(2*ms) : 1", threshold="p > 1", reset="p = 0", method="euler")
    synapses = b.Synapses(
        pre[2:8],
        group[5:15],
        "w : 1",
        on_pre="v_post += w*int(not_refractory_post); w += 0.001*(i + j)*int(t - lastspike_post > 3*ms)",
        on_post="w -= 0.01*th_post",
    )
    synapses.connect(j="i")
    synapses.w = 0.5
    assert compare([pre, group, synapses, b.SpikeMonitor(group)], 25, [(synapses, "w")]) > 3


def test_synapses_that_fail_at_random() -> None:
    pre = source(0.1, 40, 100)
    post = b.NeuronGroup(40, "n : 1\nm : 1")
    synapses = b.Synapses(pre, post, "c : 1\nz : 1", on_pre="r = rand(); n_post += int(r < 0.3); c += r; z += randn()")
    synapses.connect(p=0.5)
    network = from_brian2([pre, post, synapses], namespace={}, seed=5)
    found = []
    for target in (Reference(dtype="float64"), CPU(dtype="float64")):
        program = target.compile(network, dt=b.defaultclock.dt, progress=False)
        program.run(100 * ms, progress=False)
        values = program.synapses(synapses.name)
        found.append((np.asarray(values["c"]), np.asarray(values["z"])))
    np.testing.assert_array_equal(found[0], found[1])
    c, z = found[0]
    events = 0.1 * 1000
    assert abs(c.mean() - events / 2) < 0.02 * events
    assert abs(z.mean()) < 0.1 * np.sqrt(events)
    assert abs(z.std() - np.sqrt(events)) < 0.1 * np.sqrt(events)


def test_what_monitors_see_of_synapses() -> None:
    pre, post = source(0.02), cells()
    synapses = b.Synapses(pre, post, "w : 1", on_pre="g += w; w *= 0.9", on_post="w += 0.01")
    synapses.connect(p=0.5)
    synapses.w = "rand()"
    monitor = b.StateMonitor(synapses, "w", record=[0, 3, 17])
    network = b.Network(pre, post, synapses, monitor)
    trace = Reference().compile(from_brian2(network, namespace={}), dt=b.defaultclock.dt).run(50 * ms, progress=False)
    network.run(50 * b.ms)
    state = trace.state(synapses.name, "w")
    numbers = order_in(synapses)[np.asarray(state.ids)].tolist()
    expected = np.asarray(monitor.w)[[[0, 3, 17].index(n) for n in numbers]]
    np.testing.assert_allclose(np.asarray(state.data)[:-1], expected.T[1:], rtol=1e-6)


@pytest.mark.parametrize("first", [True, False])
def test_what_synapses_do_in_every_step_before_events(first: bool) -> None:
    pre, post = source(0.03), cells(8, "x : 1")
    post.run_regularly("x += 0.01", when="before_groups", name="mover")
    synapses = b.Synapses(
        pre,
        post,
        """w : 1
        u : 1
        y = 0.5*w*(1 + v_post) : 1 (constant over dt)
        z = w + 0.1*y : 1
        dq/dt = (v_post + y - q)/(3*ms) : 1 (clock-driven)""",
        on_pre="g += 0.5*y + 0.1*z; w *= 0.95",
        on_post="w += 0.02",
        method="euler",
        name="a_synapses" if first else "z_synapses",  # before the neurons' own integration, or after it
    )
    synapses.connect(p=0.5)
    synapses.w, synapses.q = "rand()", "rand()"
    synapses.run_regularly("w = clip(w + 0.001*i, 0, 1); u += v_post", dt=0.5 * b.ms, name="regular")
    synapses.run_regularly("u = 0.9*u + x_post", when="after_groups", name="twice")
    early = b.StateMonitor(synapses, ["w", "y", "z", "q", "u"], record=[0, 3, 17], name="early")
    later = b.StateMonitor(synapses, ["w", "z", "q", "u"], record=[0, 3, 17], when="before_synapses", name="later")
    network = b.Network(pre, post, synapses, early, later, b.SpikeMonitor(post))
    trace = Reference().compile(from_brian2(network, namespace={}), dt=b.defaultclock.dt).run(300, progress=False)
    network.run(30 * b.ms)
    for monitor in (early, later):
        for name in monitor.record_variables:
            look = seen_by_monitor(synapses, monitor, name, Schedule(DEFAULT, 1e-4))
            state = trace.state(synapses.name, name if look is None else look.name)
            numbers = order_in(synapses)[np.asarray(state.ids)].tolist()
            expected = np.asarray(getattr(monitor, name))[[[0, 3, 17].index(n) for n in numbers]].T
            ours = np.asarray(state.data)
            shown = (ours[:-1], expected[1:]) if look is None else (ours, expected)
            np.testing.assert_allclose(*shown, rtol=1e-9, atol=1e-14, err_msg=f"{monitor.name} {name}")
    assert trace.count(post.name) > 20


def test_sums_read_what_is_constant_over_a_step_and_what_code_has_set() -> None:
    pre = source(0.03, 10)
    post = b.NeuronGroup(
        6,
        "dv/dt = (g + total - v)/(10*ms) : 1\ndg/dt = -g/(4*ms) : 1\ntotal : 1",
        threshold="v > 1",
        reset="v = 0",
        method="euler",
    )
    synapses = b.Synapses(
        pre,
        post,
        "w : 1\nu : 1\ny = w*(1 + v_post) : 1 (constant over dt)\ntotal_post = 0.1*y + 0.01*u : 1 (summed)",
        on_pre="g += w; w *= 0.99",
    )
    synapses.connect(p=0.6)
    synapses.w = "0.2*rand()"
    synapses.run_regularly("u = 0.5*u + i + w", dt=0.3 * b.ms)
    assert compare([pre, post, synapses, b.SpikeMonitor(post)], 40, [(synapses, n) for n in "wuy"]) > 10


def test_what_cannot_be_taken_is_named() -> None:
    group = cells(4, "x : 1")
    pre = source(0.01, 4)
    made = {
        "late": b.Synapses(pre, group, "w : 1", on_pre="g += w", name="late"),
        "kept": b.Synapses(pre, group, "y = rand() : 1 (constant over dt)\nx_post = y : 1 (summed)", name="kept"),
        "order": b.Synapses(pre, group, "w : 1", on_pre="x += 0.1*x_post", name="order"),
        "shared": b.Synapses(pre, group, "w : 1 (shared)", on_pre="w += 1", name="shared"),
        "strange": b.Synapses(pre, group, "w : 1", on_pre="g += w*nothing", name="strange"),
        "last": b.Synapses(pre, group, "w : 1", on_pre="v_post = 0.1*i", name="last"),
        "more": b.Synapses(pre, group, "w : 1", on_pre="w += v_post", on_post="w += x_post", name="more"),
    }
    for synapses in made.values():
        synapses.connect()
    made["late"].run_regularly("w = 1", when="end")
    with pytest.raises(CheckError) as caught:
        from_brian2([group, pre, *made.values()], namespace={})
    text = "\n".join(caught.value.problems)
    for expected in (
        "late: late_run_regularly acts after the events of a step",
        "kept: x_post (summed): it reads what is drawn at random before it in the same step",
        "order: on_pre 'x += 0.1*x_post': it reads x of",
        "shared: on_pre 'w += 1': w is shared by all synapses",
        "strange: on_pre 'g += w*nothing': the name nothing cannot be resolved",
        "last: on_pre 'v_post = 0.1*i': it sets v_post",
    ):
        assert expected in text, text
