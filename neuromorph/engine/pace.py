"""How many threads share the work: measured while a run goes on, since it depends on network, activity and machine."""

from __future__ import annotations

import os
from collections.abc import Sequence

TRIAL_SECONDS = 0.004
"""Wall time of a trial of one number of threads."""
ROUNDS = 3
"""Trials of each number of threads, in turns; the fastest counts."""
AGAIN_SECONDS = 5.0
"""Wall time after which the choice is measured anew: activity, or what else the machine does, may have changed."""
CHANGED, CHANGED_SECONDS = 2.0, 1.0
"""It is measured after this time already if steps take so many times as long as they did, or as short."""
MEETING_SECONDS = 4e-6
"""Windows that one thread runs faster than this are never shared: half of it is about what it takes threads to meet."""
SLOW = 1.5
"""A trial ends early once it has taken so many times as long as another number of threads."""
FIRST_PART = 1 / 8
"""Part of a trial after which that is looked at first."""
GAIN = 0.95
"""More threads must take at most this part of the time, or fewer keep the work."""
FIRST_STEPS = 16


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def thread_choices(threads: int | None) -> tuple[int, ...]:
    """Numbers of threads to choose among: the one that was given; else one, all cores, and half of many cores."""
    if threads is not None:
        return (threads,)
    cores = available_cores()
    return tuple(sorted({1, cores // 2 if cores >= 8 else 1, cores}))


class Pace:
    """Tries numbers of threads in turns while steps run, keeps to the fastest, and tries again from time to time.

    Parameters
    ----------
    choices : sequence of int
        Numbers of threads, ascending.
    window : int
        Steps between two meetings of the threads.

    Attributes
    ----------
    threads : int
        How many shall run the next steps.
    measured : dict of int to float
        Seconds a step by number of threads, from the latest trials; empty if there is nothing to choose.
    """

    def __init__(self, choices: Sequence[int], window: int) -> None:
        self.choices = tuple(choices)
        self.threads = self.choices[0]
        self.measured: dict[int, float] = {}
        self._window = window
        self._trials = [*self.choices] * ROUNDS if len(self.choices) > 1 else []
        self._found: dict[int, float] = {}
        self._steps, self._seconds = 0, 0.0

    @property
    def room(self) -> int:
        """Steps that may run before :meth:`ran` must be told: a trial is no longer than it need be."""
        if not self._trials:
            return 1 << 62
        if not self._steps:
            known = min(self._found.values(), default=0.0)
            return max(FIRST_STEPS, int(FIRST_PART * TRIAL_SECONDS / known)) if known else FIRST_STEPS
        rate = max(self._seconds, 1e-9) / self._steps
        return max(self._window, min(7 * self._steps, int((TRIAL_SECONDS - self._seconds) / rate) + 1))

    def ran(self, steps: int, seconds: float) -> None:
        """Take note that so many steps took so long on :attr:`threads` threads."""
        if len(self.choices) == 1:
            return
        self._steps += steps
        self._seconds += seconds
        if self._trials:
            known = min(self._found.values(), default=float("inf"))
            slow = self._seconds >= FIRST_PART * TRIAL_SECONDS and self._seconds > SLOW * known * self._steps
            if slow or self._seconds >= TRIAL_SECONDS:
                self._end_trial()
        elif self._seconds >= AGAIN_SECONDS or (self._seconds >= CHANGED_SECONDS and self._changed()):
            self._begin([*self.choices] * (ROUNDS - 1))

    def _changed(self) -> bool:
        ratio = self._seconds / self._steps / self.measured[self.threads]
        return not 1 / CHANGED < ratio < CHANGED

    def _begin(self, trials: list[int]) -> None:
        self._trials, self._steps, self._seconds = trials, 0, 0.0
        if trials:
            self.threads = trials[0]

    def _end_trial(self) -> None:
        took = self._seconds / self._steps
        self._found[self.threads] = min(took, self._found.get(self.threads, took))
        if self.threads == 1 and took * self._window < MEETING_SECONDS:
            self._decide()
        else:
            self._begin(self._trials[1:])
            if not self._trials:
                self._decide()

    def _decide(self) -> None:
        self._begin([])
        self.measured, self._found = self._found, {}
        self.threads = self.choices[0]
        for threads in self.choices[1:]:
            if self.measured.get(threads, float("inf")) < GAIN * self.measured[self.threads]:
                self.threads = threads
