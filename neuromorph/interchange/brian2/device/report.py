"""Progress of a run on the device, reported as Brian 2's own ``report=`` does, and stopping."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from brian2.core.network import Network, TextReport
from brian2.units import second

CHECK_SECONDS = 0.1
"""Wall time between looks at progress, stopping and the longest time allowed."""

Callback = Callable[[Any, float, Any, Any], None]


def callback_of(report: Any) -> Callback | None:
    """The function that a ``report=`` stands for."""
    if report is None or callable(report):
        return report  # type: ignore[no-any-return]
    streams = {"text": sys.stdout, "stdout": sys.stdout, "stderr": sys.stderr}
    if not isinstance(report, str):
        raise TypeError(f"report={report!r}: expected 'text', 'stdout', 'stderr' or a function")
    if report not in streams:
        raise ValueError(f"report={report!r}: expected 'text', 'stdout', 'stderr' or a function")
    return TextReport(streams[report])  # type: ignore[no-any-return]


class Reporter:
    """Says how far a run is, and when it has to end early.

    Parameters
    ----------
    network : brian2.Network
    callback : function or None
    period : float
        Seconds of wall time between calls.
    start, duration : Quantity
    limit : float or None
        Seconds of wall time that the run may take.
    """

    def __init__(
        self, network: Any, callback: Callback | None, period: float, start: Any, duration: Any, limit: float | None
    ) -> None:
        self._network, self._callback, self._period, self._limit = network, callback, period, limit
        self._start, self._duration = start, duration
        self._began = time.time()
        self._next = self._began + period
        self._seen: tuple[int, float] | None = None
        self._share = 0.0
        if callback is not None:
            callback(0 * second, 0.0, start, duration)

    @property
    def elapsed(self) -> float:
        """Seconds of wall time since the beginning."""
        return time.time() - self._began

    def pace(self, first: int, last: int) -> Callable[[int, int], int]:
        """How many steps to run in one go, given the next step and the most that may be; 0 to stop."""
        chunk = 16

        def steps(step: int, most: int) -> int:
            nonlocal chunk
            if self._network._stopped or Network._globally_stopped:
                return 0
            now = time.time()
            if self._limit is not None and step > first and now - self._began > self._limit:
                self._network._stopped = True
                return 0
            if self._callback is None and self._limit is None:
                return most
            if self._callback is not None and now > self._next:
                self._callback(
                    (now - self._began) * second, (step - first) / (last - first), self._start, self._duration
                )
                self._next = now + self._period
            if self._seen is not None and now > self._seen[1]:
                rate = (step - self._seen[0]) / (now - self._seen[1])
                chunk = max(1, min(chunk * 8, int(rate * CHECK_SECONDS)))
            self._seen = (step, now)
            return min(chunk, most)

        return steps

    def finish(self, share: float) -> None:
        """The run has ended, or been stopped, after this share of it."""
        if self._callback is not None:
            self._callback(self.elapsed * second, share, self._start, self._duration)
