"""Replayed events."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from neuromorph.errors import NetworkError, UnitError
from neuromorph.network import EventSource, Lookup, Network
from neuromorph.units import ms, mV, second


def test_events_are_sorted_by_step_and_index() -> None:
    source = EventSource(5, times=[3.4, 0.0, 0.2, 3.1] * ms, indices=[1, 4, 2, 0], values=[1.0, 2.0, 3.0, 4.0])
    events = source.event_list(1e-3)
    assert events.step_ptr.tolist() == [0, 2, 2, 2, 4]
    assert events.indices.tolist() == [2, 4, 0, 1]
    assert events.values is not None
    assert events.values.tolist() == [3, 2, 4, 1]
    assert (events.step_ptr.dtype, events.indices.dtype) == (np.int64, np.uint32)


def test_steps_do_not_depend_on_dt() -> None:
    source = EventSource(5, steps=[7, 1], indices=[0, 1])
    for dt in (1e-3, 1e-4):
        events = source.event_list(dt)
        assert events.step_ptr.tolist() == [0, 0, 1, 1, 1, 1, 1, 1, 2]
        assert events.values is None


def test_more_steps_than_an_integer_counts_are_refused() -> None:
    source = EventSource(5, times=[3.4] * ms, indices=[1])
    for dt in (1e-30, 1e-320):
        with pytest.raises(NetworkError, match=r"0\.0034 s are too many steps of .* s; use a longer step"):
            source.event_list(dt)


def test_from_dense() -> None:
    spikes = np.array([[0, 1, 0], [0, 0, 0], [1, 0, 1]])
    events = EventSource.from_dense(spikes).event_list(1e-3)
    assert events.step_ptr.tolist() == [0, 1, 1, 3]
    assert events.indices.tolist() == [1, 0, 2]
    assert events.values is None
    assert EventSource.from_dense(spikes.astype(bool)).event_list(1.0).values is None
    graded = EventSource.from_dense(np.array([[0.0, -0.5]])).event_list(1e-3)
    assert graded.values is not None
    assert graded.values.tolist() == [-0.5]


def test_no_events() -> None:
    for source in (EventSource(3), EventSource(3, steps=[], indices=[]), EventSource.from_dense(np.zeros((4, 3)))):
        events = source.event_list(1e-3)
        assert (events.step_ptr.tolist(), len(events.indices)) == ([0], 0)


def test_pickles_and_sizes_its_population() -> None:
    source = pickle.loads(pickle.dumps(EventSource(5, times=[1] * ms, indices=[2])))
    net = Network()
    assert net.population(source).size == 5
    assert net.populations[0].name == "EventSource"
    assert repr(source) == "EventSource(5, 1 events)"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 0}, "size is 0; give the number of neurons"),
        ({"size": 2, "times": [1] * ms}, r"need both a time \(times= or steps=\) and a neuron"),
        ({"size": 2, "indices": [1]}, "need both"),
        ({"size": 2, "values": [1.0]}, "values without events"),
        ({"size": 2, "times": [1] * ms, "steps": [1], "indices": [1]}, "both times and steps"),
        ({"size": 2, "steps": [1, 2], "indices": [1]}, r"lengths \[2, 1\]"),
        ({"size": 2, "steps": [1], "indices": [1], "values": [1.0, 2.0]}, r"lengths \[1, 1, 2\]"),
        ({"size": 2, "steps": [1], "indices": [2]}, "index 2; neurons are 0 to 1"),
        ({"size": 2, "steps": [1], "indices": [-1]}, "index -1; neurons are 0 to 1"),
        ({"size": 2, "steps": [-1], "indices": [1]}, "before time 0"),
        ({"size": 2, "steps": [0.5], "indices": [1]}, "steps are float64; give ints"),
        ({"size": 2, "times": [np.nan] * ms, "indices": [1]}, "not finite"),
        ({"size": 2, "steps": [1], "indices": [1], "values": [np.inf]}, "a value is not finite"),
    ],
)
def test_events_are_checked(arguments: Any, message: str) -> None:
    with pytest.raises(NetworkError, match=f"^EventSource: .*{message}"):
        EventSource(**arguments)


def test_times_need_a_unit() -> None:
    with pytest.raises(UnitError, match="EventSource: times"):
        EventSource(2, times=[1] * mV, indices=[1])
    with pytest.raises(UnitError, match="EventSource: times"):
        EventSource(2, times=[1], indices=[1])


def test_two_events_of_one_neuron_in_one_step() -> None:
    source = EventSource(5, times=[1.0, 1.2] * ms, indices=[3, 3])
    with pytest.raises(NetworkError, match="neuron 3 has two events in step 1 of 1 ms; use a shorter step"):
        source.event_list(1e-3)
    assert len(source.event_list(1e-4).indices) == 2


def test_dense_needs_two_axes() -> None:
    with pytest.raises(NetworkError, match=r"shape \(3,\); give \(steps, neurons\)"):
        EventSource.from_dense(np.zeros(3))


def test_size_of_the_population_must_be_the_sources() -> None:
    with pytest.raises(NetworkError, match="population EventSource: size 4, its EventSource has 5 neurons"):
        Network().population(EventSource(5), 4)
    assert Network().population(EventSource(6), (2, 3)).shape == (2, 3)
    assert EventSource(1, times=1 * second, indices=0).count == 1


def test_a_lookup_keeps_its_table() -> None:
    table = np.arange(12, dtype=np.float32).reshape(4, 3)
    source = Lookup(table, [3, -1, 0])
    assert (source.size, source.rows, repr(source)) == (3, 4, "Lookup(4 rows of 3, 3 steps)")
    assert source.table is table
    assert source.ids.dtype == np.int32
    assert Lookup([[1, 0], [0, 2]]).table.dtype == np.float64
    assert repr(Lookup(table)) == "Lookup(4 rows of 3, ids given live)"
    assert Network().population(source).size == 3
    events = source.event_list(1e-3)
    assert events.table is table
    assert events.ids.tolist() == [3, -1, 0]


@pytest.mark.parametrize(
    ("table", "ids", "message"),
    [
        (np.zeros(3), None, r"the table has shape \(3,\) .float64.; give numbers \(rows, neurons\)"),
        (np.zeros((0, 3)), None, r"the table has shape \(0, 3\)"),
        ([["a"]], None, "the table has shape .* give numbers"),
        ([[np.inf]], None, "a value of the table is not finite"),
        ([[1.0]], [0.5], "ids are float64; give ints"),
        ([[1.0]], [0, 1], "ids: 1; rows are 0 to 0, and -1 is none"),
        ([[1.0]], [-2], "ids: -2; rows are 0 to 0"),
    ],
)
def test_lookups_are_checked(table: Any, ids: Any, message: str) -> None:
    with pytest.raises(NetworkError, match=f"^Lookup: {message}"):
        Lookup(table, ids)


def test_texts_of_networks_tell_tables_and_ids_apart() -> None:
    def text(table: Any, ids: Any) -> str:
        net = Network()
        net.population(Lookup(table, ids))
        return net.text()

    table = np.eye(3)
    assert text(table, [0, 1]) == text(table.copy(), np.array([0, 1]))
    assert len({text(table, [0, 1]), text(table, [1, 0]), text(2 * table, [0, 1]), text(table, None)}) == 4
