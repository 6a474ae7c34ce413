"""Checkpoints: a program that is restored goes on as the one that never stopped, bit for bit."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from busy_network import busy, content
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from strategies import DT, Delta, Noisy, networks

from neuromorph import (
    CPU,
    CheckpointError,
    Network,
    OneToOne,
    Reference,
    TargetError,
    Trace,
    TraceError,
    Uniform,
    ms,
    mV,
    us,
)
from neuromorph.engine import Checkpoint, Target
from neuromorph.engine.cpu import CPUProgram
from neuromorph.engine.memory import Memory
from neuromorph.engine.memory_state import DERIVED, KEPT
from neuromorph.engine.plastic import saved as plastic_saved
from neuromorph.engine.plastic.memory import PlasticMemory
from neuromorph.engine.restoring import network_key
from neuromorph.mapping.spinnaker2 import SpiNNaker2
from neuromorph.trace import joined, journal

QUICK = settings(
    max_examples=7,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
TARGETS: list[Target] = [CPU(threads=1), CPU(threads=3), Reference("float32"), SpiNNaker2()]


def future(program: Any, steps: int = 25) -> dict[str, bytes]:
    return content(program.run(steps, progress=False))


@given(net=networks(lookup=True), first=st.integers(0, 35))
@QUICK
def test_any_target_goes_on_from_any_other_as_if_it_had_not_stopped(net: Network, first: int) -> None:
    saved, expected = {}, None
    for target in TARGETS:
        program = target.compile(net, dt=DT)
        program.run(first, progress=False)
        saved[repr(target)] = program.state()
        after = future(program)
        assert expected in (None, after)
        expected = after
    for source, target in zip(saved, TARGETS[1:] + TARGETS[:1], strict=True):
        program = target.compile(net, dt=DT)
        program.restore(saved[source])
        assert program.step == first
        assert future(program) == expected, f"{target} from a checkpoint of {source}"


@given(net=networks(), first=st.integers(0, 35))
@settings(QUICK, max_examples=5)
def test_double_precision_goes_on_alike(net: Network, first: int) -> None:
    reference, cpu = (target.compile(net, dt=DT) for target in (Reference("float64"), CPU("float64", threads=2)))
    reference.run(first, progress=False)
    cpu.restore(reference.state())
    assert future(cpu) == future(reference)


CHILD = """
import sys
sys.path.insert(0, sys.argv[3])
from busy_network import busy, content
from neuromorph import *
program = CPU(threads=3).compile(busy(), dt=1 * ms)
program.restore(sys.argv[1])
program.run(25, progress=False).save(sys.argv[2])
"""


def test_a_fresh_process_goes_on_with_other_threads(tmp_path: Path) -> None:
    program = CPU(threads=1).compile(busy(), dt=DT)
    program.run(25, progress=False)
    program.checkpoint(tmp_path / "state.h5")
    expected = future(program)
    tests = str(Path(__file__).parents[1])
    command = [sys.executable, "-c", CHILD, str(tmp_path / "state.h5"), str(tmp_path / "trace.h5"), tests]
    subprocess.run(command, check=True)
    with Trace(tmp_path / "trace.h5") as trace:
        assert trace.meta.first_step == 25
        assert content(trace) == expected


def test_every_buffer_of_a_run_is_kept_or_known_to_be_derived() -> None:
    names = {field.name for field in fields(Memory)}
    assert names == set(KEPT) | set(DERIVED), "say in memory_state.py what a checkpoint does with the new field"
    assert not set(KEPT) & set(DERIVED)


def test_every_buffer_of_plastic_synapses_is_kept_or_known_to_be_derived() -> None:
    names = {field.name for field in fields(PlasticMemory)}
    known = set(plastic_saved.KEPT) | set(plastic_saved.DERIVED)
    assert names == known, "say in plastic/saved.py what a checkpoint does with the new field"
    assert not set(plastic_saved.KEPT) & set(plastic_saved.DERIVED)


@pytest.mark.parametrize("threads", [1, 2])
def test_nothing_is_left_of_what_the_program_did_before(threads: int) -> None:
    program = CPU(threads=threads).compile(busy(), dt=DT)
    program.run(20, progress=False)
    saved, expected = program.state(), future(program)
    rng = np.random.default_rng(0)
    for memory in program._instance.memories:
        for name in [*KEPT, "mask", "fired", "values"]:
            array = getattr(memory, name)
            if array is not None:
                array.view(np.uint8)[...] = rng.integers(0, 255, array.view(np.uint8).shape)
        memory.counts[...] = 3
    program.restore(saved)
    assert future(program) == expected


def test_a_checkpoint_is_not_changed_by_what_runs_later() -> None:
    for target in (CPU(threads=1), Reference("float32")):
        program = target.compile(busy(100), dt=DT)
        program.run(10, progress=False)
        saved = program.state()
        expected = future(program)
        for _ in range(2):
            program.restore(saved)
            assert future(program) == expected


@pytest.mark.parametrize("target", [CPU(threads=1), Reference("float32"), SpiNNaker2()], ids=repr)
def test_values_that_were_set_come_back_and_forks_may_change_them(target: Target, tmp_path: Path) -> None:
    def compiled() -> Any:
        return target.compile(busy(100), dt=DT)

    program = compiled()
    program.run(5, progress=False)
    program.set("noisy", chance=0.3)
    program.set("delta", tau=np.linspace(10, 30, 100) * ms, v=1 * mV)
    program.run(15, progress=False)
    program.checkpoint(tmp_path / "state.h5")
    fork, same = compiled(), compiled()
    fork.restore(tmp_path / "state.h5")
    same.restore(tmp_path / "state.h5")
    for each in (program, fork):
        each.set("delta", theta=Uniform(2 * mV, 4 * mV))
    one, two = future(program), future(fork)
    assert one == two
    assert future(same) != one
    one, two = content(program.run(10, progress=False, reset=True)), content(fork.run(10, progress=False, reset=True))
    assert one == two  # initial states and parameters, too
    fresh = compiled()
    fork.restore(fresh.state())
    assert content(fork.run(10, progress=False)) == content(fresh.run(10, progress=False))


def test_late_cores_stay_late() -> None:
    machine = SpiNNaker2(clock="tick", tick=15 * us, neurons_per_pe=50, dvfs="high")
    net = busy(150)
    program = machine.compile(net, dt=DT)
    program.run(20, progress=False)
    saved = program.state()
    assert saved.extra["late"].any(), "the network must be too much for its PEs"
    again = machine.compile(net, dt=DT)
    again.restore(saved)
    assert future(again, 40) == future(program, 40)
    np.testing.assert_array_equal(again.series["time"], program.series["time"][20:])
    other = SpiNNaker2(clock="tick", tick=15 * us, neurons_per_pe=30).compile(net, dt=DT)
    with pytest.raises(CheckpointError, match="partitioned in another way"):
        other.restore(saved)


# --- Files.


@pytest.fixture(scope="module")
def program() -> CPUProgram:
    program = CPU(threads=1).compile(busy(100), dt=DT)
    program.run(10, progress=False)
    return program


def test_a_file_holds_all_of_it(program: CPUProgram, tmp_path: Path) -> None:
    program.checkpoint(tmp_path / "state.h5")
    read, saved = Checkpoint.load(tmp_path / "state.h5"), program.state()
    assert read._digest() == saved._digest()
    assert read.about == saved.about
    assert read.step == 10
    assert "busy" in repr(read)
    assert read.nbytes == saved.nbytes > 0
    assert [p.name for p in tmp_path.iterdir()] == ["state.h5"]


def test_a_failed_write_leaves_the_old_file(
    program: CPUProgram, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state.h5"
    program.checkpoint(path)
    before = path.read_bytes()

    def full(*arguments: Any) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    for name in ("pwrite", "fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(journal.os, name, full)
            with pytest.raises(CheckpointError, match="No space left"):
                program.checkpoint(path)
        assert path.read_bytes() == before
        assert [p.name for p in tmp_path.iterdir()] == ["state.h5"]


def test_a_process_that_dies_while_writing_leaves_the_old_file(
    program: CPUProgram, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state.h5"
    program.checkpoint(path)
    before, looks = path.read_bytes(), 0
    pwrite = os.pwrite

    def watched(fd: int, data: bytes, offset: int) -> int:
        nonlocal looks
        looks += 1
        assert path.read_bytes() == before
        return pwrite(fd, data, offset)

    monkeypatch.setattr(journal.os, "pwrite", watched)
    program.checkpoint(path)
    assert looks > 3


def test_what_is_no_checkpoint_is_refused(program: CPUProgram, tmp_path: Path) -> None:
    path = tmp_path / "state.h5"
    with pytest.raises(CheckpointError, match="no such file"):
        program.restore(path)
    with pytest.raises(CheckpointError, match="is a folder"):
        program.restore(tmp_path)
    Reference("float32").compile(busy(50), dt=DT).run(3, out=path, progress=False)
    with pytest.raises(CheckpointError, match="is a trace"):
        program.restore(path)
    with pytest.raises(CheckpointError, match="not overwritten"):
        program.checkpoint(path)
    path.unlink()
    program.checkpoint(path)
    whole = path.read_bytes()
    for size in (0, 40, len(whole) // 2, len(whole) - 100):
        path.write_bytes(whole[:size])
        with pytest.raises(CheckpointError, match=r"damaged|not a checkpoint"):
            program.restore(path)
    path.write_bytes(whole)
    with h5py.File(path, "r+") as h5:
        h5["populations/1/states/v"][3] += 1
    with pytest.raises(CheckpointError, match="damaged: its digest"):
        program.restore(path)
    with h5py.File(path, "r+") as h5:
        h5.attrs["format_version"] = 99
    with pytest.raises(CheckpointError, match="format 99"):
        program.restore(path)


def test_another_network_or_arithmetic_is_refused(program: CPUProgram) -> None:
    saved = program.state()
    net = busy(100)
    for target, other, dt, message in (
        (CPU(), busy(101), 1 * ms, "another network"),
        (CPU(), net, 0.5 * ms, "dt"),
        (CPU("float64"), net, 1 * ms, "dtype"),
        (Reference(), net, 1 * ms, "dtype"),
        (CPU(weights="int8"), net, 1 * ms, "weights"),
    ):
        compiled = target.compile(other, dt=dt)
        before = future(compiled, 3)
        with pytest.raises(CheckpointError, match=message):
            compiled.restore(saved)
        assert content(compiled.run(3, progress=False, reset=True)) == before
    old = replace(saved, about={**saved.about, "versions": "another"})
    with pytest.warns(RuntimeWarning, match="other versions"):
        program.restore(old)


def test_what_is_recorded_may_change() -> None:
    net, other = busy(50), busy(50)
    other.record(other["delta"], "v", every=7)
    other.name = "another name"
    assert network_key(net.text()) == network_key(other.text())
    assert network_key(net.text()) != network_key(busy(51).text())
    first, second = (CPU().compile(each, dt=DT) for each in (net, other))
    first.run(10, progress=False)
    second.restore(first.state())
    for name in ("noisy ids", "delta ids"):
        assert future(second)[name] == future(first)[name]
        second.restore(first.state())


# --- Long runs.


@pytest.mark.parametrize("target", [CPU(threads=1), CPU(threads=2), Reference("float32"), SpiNNaker2()], ids=repr)
def test_a_run_writes_checkpoints_and_its_traces_join(target: Target, tmp_path: Path) -> None:
    path = tmp_path / "state.h5"
    steps: list[int] = []
    program = target.compile(busy(100), dt=DT)
    save = type(program).checkpoint

    class Watched(type(program)):  # type: ignore[misc]
        def checkpoint(self, path: Any) -> None:
            save(self, path)
            steps.append(Checkpoint.load(path).step)

    program.__class__ = Watched
    whole = target.compile(busy(100), dt=DT).run(50, progress=False)
    program.run(20, out=tmp_path / "first.h5", checkpoint=path, every=8 * ms, progress=False)
    assert steps == [8, 16, 20]
    again = target.compile(busy(100), dt=DT)
    program.run(5, out=tmp_path / "lost.h5", progress=False)  # what was done after the last checkpoint
    again.restore(path)
    second = again.run(30, progress=False)
    assert second.meta.first_step == 20
    with Trace(tmp_path / "first.h5") as first, Trace(tmp_path / "lost.h5") as lost:
        everything = joined(second, lost, first)
        assert content(everything) == content(whole)
        assert (everything.meta.first_step, everything.meta.steps) == (0, 50)
        everything.save(tmp_path / "all.h5")
        with pytest.raises(TraceError, match=r"steps between|step 25"):
            joined(first, again.run(1, progress=False))
        with pytest.raises(TraceError, match="network"):
            joined(first, target.compile(busy(99), dt=DT).run(1, progress=False))
    with Trace(tmp_path / "all.h5") as trace:
        assert content(trace) == content(whole)


def test_every_needs_a_place(program: CPUProgram) -> None:
    with pytest.raises(TargetError, match="nowhere to write"):
        program.run(3, every=1, progress=False)
    with pytest.raises(TargetError, match="at least one step"):
        program.run(3, checkpoint="x.h5", every=0, progress=False)


def test_sources_have_no_state(tmp_path: Path) -> None:
    from neuromorph import EventSource

    net = Network()
    source = net.population(EventSource(3, steps=[1, 5, 9], indices=[0, 1, 2]), name="source")
    out = net.population(Delta, 3, name="out")
    net.project(source, out, OneToOne(), weight=12 * mV, delay=4)
    noisy = net.population(Noisy, 3, name="noisy")
    net.project(out, noisy, OneToOne())
    program = CPU().compile(net, dt=DT)
    program.run(7, progress=False)
    program.checkpoint(tmp_path / "state.h5")
    fresh = CPU().compile(net, dt=DT)
    fresh.restore(tmp_path / "state.h5")
    expected = future(program)
    assert future(fresh) == expected
    assert len(np.frombuffer(expected["out ids"], np.int64)) == 2
