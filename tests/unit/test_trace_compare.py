"""The first difference of two traces, and how much they differ."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuromorph.__main__ import main
from neuromorph.trace import MemorySink, RunMeta, Trace, align, compare, first_difference

SONATA = Path(__file__).parent.parent / "data" / "sonata"


def make(
    events: list[tuple[int, int, float]],
    states: np.ndarray[Any, Any] | None = None,
    *,
    graded: bool = False,
    other: bool = True,
    unit: str = "mV",
    size: int = 5,
) -> Trace:
    sink = MemorySink()
    recorded = {} if states is None else {("a", "v"): (unit, 1.0, 2)}
    sizes = {"a": size, "b": 2} if other else {"a": size}
    sink.open(RunMeta("net", 1e-3, 50, 1, sizes, recorded))
    for step, neuron, value in events:
        sink.events("a", [step], [neuron], np.array([value], np.float32) if graded else None)
    if other:
        sink.events("b", [7], [1])
    if states is not None:
        sink.states("a", "v", 4, 2, states)
    sink.close()
    return sink.trace()


BASE = [(1, 0, 1.0), (3, 2, 1.0), (3, 4, 1.0), (9, 1, 1.0)]


def test_equal_traces_and_another_order_within_a_step() -> None:
    a, b = make(BASE), make([BASE[0], BASE[2], BASE[1], BASE[3]])
    assert first_difference(a, b) is None
    result = compare(a, b)
    assert result.equal
    assert result.populations[0].rate_cosine == pytest.approx(1)
    assert str(result).endswith("no difference")


def test_missing_extra_and_changed_events() -> None:
    missing = first_difference(make(BASE), make(BASE[:2] + BASE[3:]))
    assert missing is not None
    assert (missing.kind, missing.population, missing.step, missing.neuron) == ("missing event", "a", 3, 4)
    assert missing.time == 3.0
    assert "event in a, none in b" in str(missing)
    extra = first_difference(make(BASE), make([*BASE[:1], (2, 3, 1.0), *BASE[1:]]))
    assert extra is not None
    assert (extra.kind, extra.step, extra.neuron) == ("extra event", 2, 3)
    changed = first_difference(make(BASE, graded=True), make([*BASE[:2], (3, 4, 1.25), BASE[3]], graded=True))
    assert changed is not None
    assert (changed.kind, changed.step, changed.neuron, changed.a, changed.b) == ("value", 3, 4, 1.0, 1.25)
    late = compare(make(BASE), make([(1, 0, 1.0), (3, 2, 1.0), (4, 4, 1.0), (9, 1, 1.0)]))
    (a, b) = late.populations
    assert (a.missing, a.extra, a.changed, a.events) == (1, 1, 0, (4, 4))
    assert a.rate_cosine == pytest.approx(1)
    assert late.first is not None
    assert (late.first.kind, late.first.step) == ("missing event", 3)
    assert b.first is None


def test_spikes_equal_graded_events_of_value_one_and_repeats_count() -> None:
    assert compare(make(BASE), make(BASE, graded=True)).equal
    result = compare(make([(1, 0, 1.0)] * 3), make([(1, 0, 1.0)]))
    assert (result.populations[0].missing, result.populations[0].extra) == (2, 0)


def test_tolerances_of_values() -> None:
    a, b = make(BASE, graded=True), make([(s, n, v * (1 + 1e-5)) for s, n, v in BASE], graded=True)
    assert compare(a, b).populations[0].changed == 4
    assert compare(a, b, rtol=2e-5).equal
    assert compare(a, b, atol=2e-5).equal
    assert first_difference(a, b, rtol=1e-6) is not None


def test_states() -> None:
    rows = np.arange(15, dtype=np.float64).reshape(3, 5)
    rows[0, 0] = np.nan
    wrong = rows.copy()
    wrong[1, 3] += 0.5
    wrong[2, 0] -= 2
    difference = first_difference(make([], rows), make([], wrong))
    assert difference is not None
    assert (difference.kind, difference.variable, difference.step, difference.neuron) == ("state", "v", 6, 3)
    assert (difference.a, difference.b, difference.time) == (8.0, 8.5, 6.0)
    result = compare(make([], rows), make([], wrong))
    assert result.populations[0].states[0].max_difference == 2.0
    assert result.first == difference
    assert compare(make([], rows), make([], wrong), atol=2).equal
    assert compare(make([], rows), make([], rows)).equal
    nan = compare(make([], rows), make([], np.nan_to_num(rows)))
    assert nan.first is not None
    assert np.isnan(nan.populations[0].states[0].max_difference)


def test_the_earliest_difference_wins_whatever_it_is_in() -> None:
    rows = np.zeros((3, 5))
    wrong = rows.copy()
    wrong[2, 0] = 1  # step 8
    late_event = compare(make(BASE, rows), make(BASE[:3], wrong))
    assert late_event.first is not None
    assert late_event.first.kind == "state"
    early_event = first_difference(make(BASE, rows), make(BASE[1:], wrong))
    assert early_event is not None
    assert early_event.kind == "missing event"


def test_saturation_is_told_where_a_target_has_converters(tmp_path: Path) -> None:
    kept = MemorySink()
    kept.open(RunMeta("net", 1e-3, 50, 1, {"a": 5, "b": 2}))
    kept.events("a", [1, 9], [0, 1])
    kept.events("b", [7], [1])
    kept.extra("costs/saturated", np.array([1234, 0]), {"columns": ["a", "b"], "axes": ["population"]})
    kept.close()
    kept.trace().save(tmp_path / "crossbar.h5")
    digital = make([BASE[0], BASE[3]])
    for analogue in (kept.trace(), Trace(tmp_path / "crossbar.h5")):
        a, b = compare(digital, analogue).populations
        assert (a.saturated, b.saturated) == ((None, 1234), (None, 0))
        assert "saturated conversions: no converters and 1,234" in str(compare(digital, analogue))
    assert "saturated" not in str(compare(digital, digital))


def test_events_that_differ_are_summed() -> None:
    changed = make([(1, 0, 1.0), (3, 2, 2.0), (4, 4, 1.0), (9, 1, 1.0)], graded=True)
    assert compare(make(BASE, graded=True), changed).populations[0].differing == 3


def test_whole_recordings() -> None:
    rows = np.zeros((3, 5))
    cases = [
        (make(BASE, other=True), make(BASE, other=False), "population", "absent in b"),
        (make(BASE), make(BASE, size=6), "population", "5 neurons in a, 6 neurons in b"),
        (make(BASE, rows), make(BASE), "recording", "a.v: recorded in a, not recorded in b"),
        (make(BASE, rows), make(BASE, rows[:2]), "recording", "a.v: 3 rows in a, 2 rows in b"),
        (make(BASE, rows), make(BASE, rows, unit="nA"), "recording", "a.v: mV in a, nA in b"),
    ]
    for a, b, kind, words in cases:
        for difference in (first_difference(a, b), compare(a, b).first):
            assert difference is not None
            assert difference.kind == kind
            assert words in str(difference)


def test_events_that_are_not_recorded_are_not_counted() -> None:
    sink = MemorySink()
    sink.open(RunMeta("net", 1e-3, 5, 1, {"a": 5, "b": 2}, recorded=("b",)))
    sink.close()
    bare = sink.trace()
    assert str(compare(bare, bare)).splitlines() == [
        "a: events not recorded in both",
        "b: 0 and 0 events, equal",
        "no difference",
    ]


@settings(max_examples=60, deadline=None)
@given(data=st.data(), block=st.sampled_from([1, 2, 7, 1000]))
def test_streaming_finds_what_plain_sets_find(data: st.DataObject, block: int) -> None:
    event = st.tuples(st.integers(0, 8), st.integers(0, 4))
    left = sorted(data.draw(st.lists(event, unique=True, max_size=30)), key=lambda e: e[0])
    edits = data.draw(st.lists(event, unique=True, max_size=4))
    right = sorted(set(left) ^ set(edits), key=lambda e: e[0])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(align, "BLOCK", block)
        a, b = make([(s, n, 1.0) for s, n in left]), make([(s, n, 1.0) for s, n in right])
        result = compare(a, b).populations[0]
        first = first_difference(a, b)
    assert result.missing == len(set(left) - set(right))
    assert result.extra == len(set(right) - set(left))
    if edits:
        assert first is not None
        assert (first.step, first.neuron) == min(edits)
        assert first.kind == ("missing event" if min(edits) in left else "extra event")
        assert result.first == first
    else:
        assert first is None


def test_foreign_files_are_compared_by_time() -> None:
    with Trace(SONATA / "9_cells_spikes.h5") as a, Trace(SONATA / "9_cells_spikes.h5") as b:
        assert compare(a, b).equal
        other = Trace.from_events({"cortex": ([1], [0])}, sizes={"cortex": 9}, dt=1e-3)
        assert first_difference(a, other) is not None
        assert compare(other, a).populations[0].events == (1, 78)


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    rows = np.arange(15, dtype=np.float64).reshape(3, 5)
    a, b = tmp_path / "a.h5", tmp_path / "b.h5"
    make(BASE, rows).save(a)
    make(BASE[:3], rows).save(b)
    return str(a), str(b)


def test_compare_on_the_command_line(files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    a, b = files
    assert main(["compare", a, a]) == 0
    assert "no difference" in capsys.readouterr().out
    assert main(["compare", a, b]) == 1
    out = capsys.readouterr().out
    assert "a: 4 and 3 events, 1 missing, 0 extra, 0 changed" in out
    assert "first difference: step 9 (9 ms), a, neuron 1: event in a, none in b" in out
    assert main(["compare", "--first", b, a]) == 1
    assert capsys.readouterr().out == "first difference: step 9 (9 ms), a, neuron 1: event in b, none in a\n"
    assert main(["compare", a, a + "x"]) == 2
    assert "no such file" in capsys.readouterr().err


def test_inspect_on_the_command_line(files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    a, _ = files
    assert main(["inspect", a]) == 0
    out = capsys.readouterr().out
    assert "network net, steps 0 to 50 of 1 ms, seed 1" in out
    assert "a                 5       4         16       v" in out
    assert "a.v      mV     3        5           2" in out
    assert main(["inspect", a, "--events", "a", "-n", "2"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "a: 4 events",
        "time (ms)  step  neuron  value",
        "1             1       0      1",
        "3             3       2      1",
    ]
    assert main(["inspect", a, "--state", "a.v", "-n", "1"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].split() == ["4", "0", "1", "2", "3", "4"]
    assert main(["inspect", a, "--state", "a.u"]) == 2
    assert main(["inspect", str(SONATA / "legacy_gids_external_spike_trains.h5")]) == 0
    assert "4,334" in capsys.readouterr().out


def test_inspect_shows_costs_and_provenance(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sink = MemorySink()
    model = {"text": "neuron LIF\n  v.dot = ..." * 20, "hash": "abc"}
    sink.open(RunMeta("net", 1e-3, 5, 1, {"a": 1}, provenance={"model": model, "seed": 3}))
    sink.extra("costs/energy", 0.5, {"unit": "J"})
    sink.extra("costs/packets", np.zeros((100, 4)))
    sink.close(2)
    sink.trace().save(tmp_path / "t.h5")
    assert main(["inspect", str(tmp_path / "t.h5")]) == 0
    out = capsys.readouterr().out
    assert "costs/energy: 0.5 J" in out
    assert "costs/packets: array (100, 4)" in out
    assert "hash: abc" in out
    assert max(map(len, out.splitlines())) < 130
    assert main(["inspect", str(tmp_path / "t.h5"), "--key", "model/text"]) == 0
    assert capsys.readouterr().out == model["text"] + "\n"
    assert main(["inspect", str(tmp_path / "t.h5"), "--key", "costs/energy"]) == 0
    assert capsys.readouterr().out == "0.5\n"
    assert main(["inspect", str(tmp_path / "t.h5"), "--key", "costs/none"]) == 2
    assert "keeps no" in capsys.readouterr().err
