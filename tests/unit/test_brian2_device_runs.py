"""Several runs of one script on Brian 2's device: what is compiled again, and what is drawn again."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import brian2 as b2
import numpy as np
import pytest
from brian2_device import REFERENCE, Counting, both, clean, on  # noqa: F401  clean acts by itself

from neuromorph import Reference
from neuromorph.errors import CheckError
from neuromorph.mapping.spinnaker2 import SpiNNaker2


def plain(inputs: float = 12.0) -> Any:
    """Ten neurons with synapses, a parameter and a table."""
    equations = """
    dv/dt = (ge - v + drive + table(t)) / (10*ms) : volt (unless refractory)
    dge/dt = -ge / (5*ms) : volt
    drive : volt
    shared_drive : volt (shared)
    """
    table = b2.TimedArray([0, 3, 0, 1] * b2.mV, dt=3 * b2.ms)
    group = b2.NeuronGroup(
        10, equations, threshold="v > 10*mV", reset="v = 0*mV", refractory=1 * b2.ms, method="euler",
        namespace={"table": table}, name="cells",
    )  # fmt: skip
    group.v = "i*mV"
    group.drive = inputs * b2.mV
    synapses = b2.Synapses(group, group, "w : volt", on_pre="ge += w", delay=0.5 * b2.ms, name="synapses")
    synapses.connect("i != j", p=0.5)
    synapses.w = 0.4 * b2.mV
    spikes, states = b2.SpikeMonitor(group), b2.StateMonitor(group, "v", record=True)
    return b2.Network(group, synapses, spikes, states), group, synapses, spikes, states


def seen(spikes: Any, states: Any) -> tuple[Any, ...]:
    return spikes.t_[:].copy(), spikes.i[:].copy(), states.t_[:].copy(), np.array(states.v_)


def equal(one: tuple[Any, ...], other: tuple[Any, ...], exact: bool = False) -> None:
    assert len(one[0]) > 3
    assert all(np.array_equal(a, b) for a, b in zip(one[:-1], other[:-1], strict=True))
    assert np.allclose(one[-1], other[-1], rtol=0, atol=0 if exact else 1e-14)


def test_a_loop_over_values_compiles_once_and_is_brian2s_loop() -> None:
    def loop() -> Any:
        net, group, _, spikes, states = plain()
        net.store()
        found = []
        for drive in (12, 15, 20):
            net.restore()
            group.drive = drive * b2.mV
            group.v = "2*i*mV"
            net.run(8 * b2.ms)
            net.run(3 * b2.ms)
            found.append(seen(spikes, states))
        return found

    target = Counting()
    theirs, ours = on("runtime", loop), on("neuromorph", loop, target=target)
    assert len(target.compiled) == 1
    for one, other in zip(theirs, ours, strict=True):
        equal(one, other)


def test_a_program_that_is_used_again_gives_what_a_new_one_gives() -> None:
    def changing() -> Any:
        net, group, _, spikes, states = plain()
        net.run(4 * b2.ms)
        group.v = "i*0.5*mV"
        net.run(4 * b2.ms)
        group.drive = "(11 + i)*mV"  # from one value to one for each neuron
        net.run(4 * b2.ms)
        return seen(spikes, states)

    target = Counting()
    ours = on("neuromorph", changing, target=target)
    assert len(target.compiled) == 2
    equal(on("runtime", changing), ours)


def test_what_changes_the_program_compiles_it_again() -> None:
    def script() -> Any:
        net, group, synapses, spikes, states = plain()
        net.run(2 * b2.ms)
        synapses.w["i > 4"] = 1 * b2.mV
        net.run(2 * b2.ms)
        synapses.delay = 1.5 * b2.ms
        net.run(2 * b2.ms)
        group.namespace["table"] = b2.TimedArray([5] * b2.mV, dt=3 * b2.ms)
        net.run(2 * b2.ms)
        net.add(b2.StateMonitor(group, "ge", record=True))
        net.run(4 * b2.ms)
        b2.defaultclock.dt = 0.05 * b2.ms
        net.run(4 * b2.ms)
        return seen(spikes, states)

    target = Counting()
    ours = on("neuromorph", script, target=target)
    assert len(target.compiled) == 6
    equal(on("runtime", script), ours)


def learning() -> tuple[Any, ...]:
    """Synapses that learn, and are scaled between five runs; spikes, weights and traces."""
    equations = """
    w : 1
    dapre/dt = -apre/(20*ms) : 1 (event-driven)
    dapost/dt = -apost/(20*ms) : 1 (event-driven)
    """
    source = b2.SpikeGeneratorGroup(5, np.arange(20) % 5, np.arange(20) * 0.7 * b2.ms)
    group = b2.NeuronGroup(3, "dv/dt = -v/(10*ms) : 1", threshold="v > 0.7", reset="v = 0", method="euler")
    synapses = b2.Synapses(
        source, group, equations, on_pre="v_post += w; apre += 0.1; w += apost", on_post="apost -= 0.1; w += apre"
    )
    synapses.connect()
    synapses.w, synapses.pre.delay = "0.2 + 0.02*i + 0.1*j", "0.3*ms + 0.2*ms*j"
    spikes, states = b2.SpikeMonitor(group), b2.StateMonitor(synapses, ["apre", "w"], record=True)
    net = b2.Network(source, group, synapses, spikes, states)
    for _ in range(5):
        net.run(3 * b2.ms)
        synapses.w_[:] *= 3 / np.sum(synapses.w_[:])
    return spikes.t_[:].copy(), np.array(states.w_), np.array(synapses.apre_)


def test_synapses_that_change_go_on_with_the_values_that_a_script_gives_them() -> None:
    target = Counting()
    theirs, ours = on("runtime", learning), on("neuromorph", learning, target=target)
    assert len(theirs[0]) > 5
    assert len(target.compiled) <= 2  # once more when what all synapses shared differs between them
    assert all(np.allclose(a, b, rtol=0, atol=1e-13) for a, b in zip(theirs, ours, strict=True))


def test_given_spikes_on_both_ends_of_synapses() -> None:
    equations = """
    w : 1
    dapre/dt = -apre/(20*ms) : 1 (event-driven)
    dapost/dt = -apost/(20*ms) : 1 (event-driven)
    """

    def script() -> Any:
        before = b2.SpikeGeneratorGroup(2, [0, 1, 0, 1], [0, 3, 9, 9.5] * b2.ms)
        after = b2.SpikeGeneratorGroup(2, [0, 1, 0, 1, 1], [2, 0, 8, 8.5, 12] * b2.ms, name="after")
        synapses = b2.Synapses(
            before, after, equations, on_pre="apre += 0.1; w += apost", on_post="apost -= 0.1; w += apre"
        )
        synapses.connect()
        states = b2.StateMonitor(synapses, "w", record=True)
        net = b2.Network(before, after, synapses, states)
        net.run(5 * b2.ms)
        net.run(9 * b2.ms)
        after.set_spikes([0] * 65, 20 * b2.ms + np.arange(65) * b2.ms)
        return net, np.array(states.w_)

    (_, theirs), (net, ours) = both(script)
    assert np.ptp(theirs) > 0.1
    assert np.allclose(theirs, ours, rtol=0, atol=1e-14)
    with pytest.raises(CheckError, match="after: synapses end at it, and a neuron has 65 spikes"):
        net.run(1 * b2.ms)


def test_a_loop_on_chips_maps_as_often_as_it_has_to() -> None:
    target = Counting(SpiNNaker2())
    expected = on("neuromorph", learning, target=Reference("float32"))
    found = on("neuromorph", learning, target=target)
    assert len(target.compiled) <= 2
    assert all(np.array_equal(a, b) for a, b in zip(expected, found, strict=True))


def noisy() -> Any:
    group = b2.NeuronGroup(4, "dv/dt = -v/(5*ms) + 0.1*xi/sqrt(ms) : 1", method="euler")
    return b2.Network(group), group


def drawn(net: Any, group: Any) -> bytes:
    net.run(0.5 * b2.ms)
    return np.asarray(group.v_).tobytes()


def test_the_same_seed_draws_the_same_and_another_seed_something_else() -> None:
    def script() -> Any:
        net, group = noisy()
        net.store()
        found = []
        for seed in (7, 7, 8, None, None):
            b2.seed(seed)
            net.restore()
            group.v = "rand()"
            found.append((np.asarray(group.v_).tobytes(), drawn(net, group)))
        return found

    theirs, ours = both(script)
    assert [start for start, _ in theirs[:3]] == [start for start, _ in ours[:3]]  # initial values are Brian 2's own
    for found in (theirs, ours):
        assert found[0] == found[1]
        assert len(set(found)) == 4


def test_trials_after_a_restore_are_different_unless_chance_is_restored_too() -> None:
    def script() -> Any:
        net, group = noisy()
        drawn(net, group)
        net.store()
        trials = []
        for _ in range(3):
            net.restore()
            trials.append(drawn(net, group))
        other, cells = noisy()
        trials.append(drawn(other, cells))  # another network of the same kind
        net.restore(restore_random_state=True)
        repeated = [drawn(net, group)]
        net.restore(restore_random_state=True)
        return trials, [*repeated, drawn(net, group)]

    for trials, repeated in both(script):
        assert len(set(trials)) == 4
        assert repeated[0] == repeated[1]


def test_numpys_seed_counts_where_brian2s_is_not_set() -> None:
    def script() -> Any:
        found = []
        for seed in (1, 1, 2):
            b2.seed()
            np.random.seed(seed)  # noqa: NPY002  what scripts do
            found.append(drawn(*noisy()))
        return found

    for found in both(script):
        assert found[0] == found[1] != found[2]


def test_a_run_in_pieces_draws_what_the_whole_run_draws() -> None:
    def pieces() -> Any:
        net, group = noisy()
        drawn(net, group)
        return drawn(net, group)

    def whole() -> Any:
        net, group = noisy()
        net.run(1 * b2.ms)
        return np.asarray(group.v_).tobytes()

    assert on("neuromorph", pieces, **REFERENCE) == on("neuromorph", whole, **REFERENCE)


@pytest.mark.parametrize("threads", [None, 1])
def test_after_ctrl_c_everything_is_as_far_as_the_run_came(threads: int | None) -> None:
    def script() -> Any:
        net, _, _, spikes, states = plain()

        def press(elapsed: Any, share: float, start: Any, duration: Any) -> None:
            if share > 0:
                os.kill(os.getpid(), signal.SIGINT)

        net.run(2 * b2.ms)
        with pytest.raises(KeyboardInterrupt):
            net.run(1 * b2.second, report=press, report_period=0 * b2.second)
        reached = float(net.t)
        assert 0.002 < reached < 1
        assert states.t_[-1] == pytest.approx(reached - 1e-4)
        assert spikes.t_[-1] < reached
        net.run(5 * b2.ms)
        return seen(spikes, states)

    ours = on("neuromorph", script, **(REFERENCE if threads is None else {"threads": threads}))

    def whole() -> Any:
        net, _, _, spikes, states = plain()
        net.run((ours[2][-1] + 1e-4) * b2.second)
        return seen(spikes, states)

    equal(on("runtime", whole), ours)


def test_synapses_that_join_synapses_are_refused() -> None:
    def script() -> None:
        net, _, synapses, *_ = plain()
        above = b2.Synapses(synapses, synapses, "w_post = 2*w_pre : volt (summed)", name="above")
        above.connect()
        net.add(above)
        with pytest.raises(CheckError, match="above: it joins synapses, which are synapses"):
            net.run(1 * b2.ms)

    on("neuromorph", script, **REFERENCE)


def test_refractory_times_of_old_versions_are_refused() -> None:
    def script() -> None:
        net, *_ = plain()
        b2.prefs["legacy.refractory_timing"] = True
        try:
            with pytest.raises(CheckError, match=r"cells: the preference legacy\.refractory_timing"):
                net.run(1 * b2.ms)
        finally:
            b2.prefs["legacy.refractory_timing"] = False

    on("neuromorph", script, **REFERENCE)


def test_delays_that_become_shorter_than_what_is_on_its_way_are_refused() -> None:
    def script() -> None:
        source = b2.SpikeGeneratorGroup(1, [0], [0.1] * b2.ms)
        group = b2.NeuronGroup(1, "v : 1")
        synapses = b2.Synapses(source, group, on_pre="v += 1", delay=1 * b2.ms)
        synapses.connect()
        net = b2.Network(source, group, synapses)
        net.run(0.3 * b2.ms)
        synapses.delay = 0.1 * b2.ms
        with pytest.raises(CheckError, match="run on until the events have arrived"):
            net.run(1 * b2.ms)
        synapses.delay = 1 * b2.ms
        net.run(1 * b2.ms)
        assert group.v_[0] == 1

    on("neuromorph", script, **REFERENCE)


@pytest.mark.parametrize("in_file", [False, True])
def test_weights_and_delays_that_change_while_events_are_on_their_way(in_file: bool, tmp_path: Path) -> None:
    """Brian 2 reads a weight when the event arrives, and a delay when it leaves."""
    path = str(tmp_path / "state") if in_file else None

    def script() -> Any:
        source = b2.SpikeGeneratorGroup(2, [0, 1, 0], [0.1, 0.2, 0.5] * b2.ms)
        group = b2.NeuronGroup(3, "v : 1", threshold="v > 1e9", reset="v = 0")
        synapses = b2.Synapses(source, group, "w : 1", on_pre="v += w")
        synapses.connect()
        synapses.w, synapses.delay = "(1 + i + 10*j)*int(j < 2)", "(3 + 4*i + j)*0.1*ms"
        other = b2.Synapses(source, group, on_pre="v += 100", delay=0.7 * b2.ms)
        other.connect(i=0, j=1)
        states = b2.StateMonitor(group, "v", record=True)
        net = b2.Network(source, group, synapses, other, states)
        net.run(0.4 * b2.ms)
        net.store("here", path)
        net.restore("here", path)
        if not in_file:
            synapses.w = "-3 - 3*i - 30*j"
            synapses.delay = "(9 - j)*0.1*ms"
        net.run(0.3 * b2.ms)
        other.active = in_file
        net.run(2 * b2.ms)
        return np.array(states.v_)

    theirs, ours = both(script)
    assert np.array_equal(theirs, ours)
    assert np.ptp(theirs) > 30
