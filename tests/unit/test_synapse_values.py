"""Parameters and initial states of plastic synapses that change between runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from plastic import Cell

from neuromorph import (
    CPU,
    AllToAll,
    EventSource,
    LanguageError,
    Network,
    NetworkError,
    Param,
    PostState,
    PreState,
    Reference,
    State,
    Uniform,
    UnitError,
    Weight,
    maximum,
    minimum,
    ms,
    synapse,
)

TARGETS: list[Any] = [Reference("float32"), CPU(threads=1), CPU(threads=2)]


@synapse
class Rule:
    """All places and kinds of parameters."""

    tau, up, down, w_max = Param(12 * ms), Param(0.11), Param(0.13), Param(1.5)
    power = Param(1, dtype=int)
    x = PreState(0.25)
    y = PostState(0.0)
    c = State(0.5)
    w = Weight()

    x.dot = -x / tau
    y.dot = -y / (2 * tau)
    c.dot = -c / tau
    x.on_pre = x + 1
    y.on_post = y + power
    c.on_pre = c + y
    w.on_pre = maximum(w - down * y, 0)
    w.on_post = minimum(w + up * x * c, w_max)


def network() -> Network:
    net = Network(seed=3)
    rng = np.random.default_rng(5)
    pre = net.population(EventSource.from_dense(rng.random((80, 9)) < 0.15), name="pre")
    post = net.population(Cell, 6, name="post")
    net.project(pre, post.b, AllToAll(), weight=rng.uniform(0.2, 1.0, (9, 6)), synapse=Rule, name="learning")
    net.project(pre, post.b, AllToAll(), weight=0.05, name="static")
    return net


def compiled(target: Any) -> Any:
    return target.compile(network(), dt=1 * ms, progress=False)


def content(program: Any) -> dict[str, bytes]:
    found = program.synapses("learning")
    columns = {"w": found.weights, **found.states}
    return {name: np.asarray(values).tobytes() for name, values in columns.items()}


def story(target: Any) -> list[dict[str, bytes]]:
    """Runs with other values in between, also by way of a checkpoint."""
    program = compiled(target)
    told = []
    program.run(15, progress=False)
    told.append(content(program))
    program.set("learning", tau=5 * ms, w_max=0.9, power=2)
    told.append(content(program))  # parameters leave states as they are
    program.run(15, progress=False)
    told.append(content(program))
    program.set(program.network.projections[0], c=0.125, x=np.linspace(0, 1, 9), y=Uniform(0, 1))
    told.append(content(program))
    program.run(15, progress=False)
    told.append(content(program))
    program.run(10, progress=False, reset=True)
    told.append(content(program))
    return told


def test_every_engine_does_the_same_with_other_values() -> None:
    expected = story(TARGETS[0])
    assert expected[0] == expected[1]
    assert expected[2] != expected[3]
    assert len({tuple(each.items()) for each in expected}) == 5
    for target in TARGETS[1:]:
        assert story(target) == expected, target


@pytest.mark.parametrize("target", TARGETS, ids=repr)
def test_what_is_set_is_what_the_model_would_have_been_given(target: Any) -> None:
    values = {"tau": 4 * ms, "up": 0.3, "w_max": 0.7, "c": 0.25, "x": 0.5}
    program = compiled(target)
    program.set("learning", **values)
    program.run(40, progress=False)
    net = Network(seed=3)
    old = network()
    pre, post = (net.population(p.neuron, p.size, name=p.name) for p in old.populations)
    net.project(pre, post.b, AllToAll(), weight=old.projections[0].weight, synapse=Rule(**values), name="learning")
    net.project(pre, post.b, AllToAll(), weight=0.05, name="static")
    other = target.compile(net, dt=1 * ms, progress=False)
    other.run(40, progress=False)
    assert content(program) == content(other)
    program.run(40, progress=False, reset=True)
    assert content(program) == content(other)
    untouched = compiled(target)
    untouched.run(40, progress=False)
    assert content(untouched) != content(other)


@pytest.mark.parametrize("source", TARGETS, ids=repr)
@pytest.mark.parametrize("target", TARGETS, ids=repr)
def test_checkpoints_keep_what_was_set(source: Any, target: Any, tmp_path: Path) -> None:
    program = compiled(source)
    program.run(10, progress=False)
    program.set("learning", tau=5 * ms, w_max=0.9, power=3, c=Uniform(0, 1), y=np.arange(6) / 8)
    program.run(10, progress=False)
    program.checkpoint(tmp_path / "state.h5")
    other, fresh = compiled(target), compiled(target)
    other.set("learning", up=0.5, x=0.0)  # which is forgotten
    other.restore(tmp_path / "state.h5")
    for each in (program, other):
        each.run(20, progress=False)
    assert content(other) == content(program)
    for each in (program, other):
        each.run(20, progress=False, reset=True)
    assert content(other) == content(program)
    other.restore(fresh.state())
    for each in (other, fresh):
        each.run(20, progress=False)
    assert content(other) == content(fresh)


@pytest.mark.parametrize("target", TARGETS, ids=repr)
def test_samples_of_a_batch_have_the_values(target: Any) -> None:
    samples = np.random.default_rng(2).random((2, 40, 9)) < 0.4
    program = compiled(target)
    before = program.run_batch({"pre": samples}, 40, progress=False).counts["post"].tolist()
    program.set("learning", up=4.0, w_max=20.0)
    after = program.run_batch({"pre": samples}, 40, progress=False).counts["post"].tolist()
    expected = compiled(Reference("float32"))
    expected.set("learning", up=4.0, w_max=20.0)
    assert after == expected.run_batch({"pre": samples}, 40, progress=False).counts["post"].tolist()
    assert after != before


@pytest.mark.parametrize("target", TARGETS, ids=repr)
def test_what_cannot_be_set_is_refused_and_changes_nothing(target: Any) -> None:
    program = compiled(target)
    before = content(program)
    with pytest.raises(LanguageError, match=r"Rule\.tau_x is not a parameter or a state"):
        program.set("learning", tau_x=1 * ms)
    with pytest.raises(LanguageError, match="weight, which starts as the projection's weight="):
        program.set("learning", w=0.5)
    with pytest.raises(UnitError):
        program.set("learning", tau=3)
    with pytest.raises(NetworkError, match=r"Rule\.y has 4 values"):
        program.set("learning", y=np.zeros(4))
    with pytest.raises(LanguageError, match="take one value"):
        program.set("learning", tau=np.ones(9) * ms)
    with pytest.raises(NetworkError, match="static: its synapses do not change"):
        program.set("static", tau=1 * ms)
    with pytest.raises(NetworkError, match="no population 'other'"):
        program.set("other", tau=1 * ms)
    stranger = Network()
    cells = stranger.population(Cell, 2)
    elsewhere = stranger.project(cells, cells.b, AllToAll(), synapse=Rule, name="elsewhere")
    with pytest.raises(NetworkError, match="elsewhere"):
        program.set(elsewhere, tau=1 * ms)
    assert content(program) == before
    program.run(10, progress=False)
    same = compiled(target)
    same.run(10, progress=False)
    assert content(program) == content(same)
