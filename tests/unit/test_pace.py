"""How many threads share the work: tried in turns, the fastest kept, and found out again when that changes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from neuromorph.engine import pace
from neuromorph.engine.pace import AGAIN_SECONDS, CHANGED_SECONDS, TRIAL_SECONDS, Pace, available_cores, thread_choices


def spend(chosen: Pace, seconds: float, cost: Callable[[int], float]) -> dict[int, float]:
    """Run for so long, where a step on n threads takes ``cost(n)``; seconds spent by number of threads."""
    spent = dict.fromkeys(chosen.choices, 0.0)
    while sum(spent.values()) < seconds:
        threads, steps = chosen.threads, min(chosen.room, int(0.1 / cost(chosen.threads)) + 1)
        spent[threads] += steps * cost(threads)
        chosen.ran(steps, steps * cost(threads))
    return spent


@pytest.mark.parametrize(("costs", "best"), [({1: 9e-5, 4: 4e-5}, 4), ({1: 9e-5, 4: 5e-4}, 1), ({1: 9e-5, 4: 9e-5}, 1)])
def test_the_fastest_number_of_threads_runs_nearly_all_of_the_time(costs: dict[int, float], best: int) -> None:
    chosen = Pace((1, 4), 1)
    spent = spend(chosen, 20.0, costs.__getitem__)
    assert chosen.measured == pytest.approx(costs)
    assert spent[best] > 0.97 * sum(spent.values())


@pytest.mark.parametrize(
    ("factor", "seconds"), [(1.2, AGAIN_SECONDS), (4.0, 2 * CHANGED_SECONDS), (0.2, CHANGED_SECONDS)]
)
def test_the_choice_follows_the_network(factor: float, seconds: float) -> None:
    chosen = Pace((1, 4), 1)
    spend(chosen, 0.5, {1: 9e-5, 4: 4e-5}.__getitem__)
    assert chosen.threads == 4
    spend(chosen, seconds + 0.2, {1: factor * 2e-5, 4: factor * 4e-5}.__getitem__)
    assert chosen.threads == 1
    assert chosen.measured == pytest.approx({1: factor * 2e-5, 4: factor * 4e-5})


def test_trials_add_up_over_short_runs() -> None:
    chosen = Pace((1, 2), 1)
    for _ in range(int(20 * TRIAL_SECONDS / 1e-4)):
        chosen.ran(2, 1e-4 / chosen.threads)
    assert chosen.threads == 2


def test_what_runs_faster_than_threads_meet_is_never_shared() -> None:
    chosen = Pace((1, 64), 1)
    spent = spend(chosen, 12.0, {1: 1e-6, 64: 1e-9}.__getitem__)
    assert spent[64] == 0.0
    assert chosen.threads == 1


def test_a_given_number_of_threads_is_kept() -> None:
    assert thread_choices(5) == (5,)
    chosen = Pace((5,), 1)
    assert spend(chosen, 7.0, lambda n: 1e-3) == {5: pytest.approx(7.0, abs=0.2)}
    assert chosen.measured == {}


def test_one_core_leaves_no_choice_and_many_leave_half_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    assert available_cores() >= 1
    for cores, choices in ((1, (1,)), (2, (1, 2)), (4, (1, 4)), (16, (1, 8, 16))):
        monkeypatch.setattr(pace, "available_cores", lambda cores=cores: cores)
        assert thread_choices(None) == choices
