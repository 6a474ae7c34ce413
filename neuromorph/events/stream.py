"""Events of a camera or a cochlea, as arrays, and what becomes of them: windows, frames, sources of a network."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import TraceError
from neuromorph.network.sources import EventSource
from neuromorph.units import TIME, Quantity, si_value

_FROM_EVENTS = -(1 << 63)  # a stop that stands for the last event


@dataclass(frozen=True, eq=False)
class EventStream:
    """Events of one sensor within a window of time; x counts from the left, y from the top.

    Attributes
    ----------
    t : int64 array (events,)
        Microseconds, in any order, on whatever clock the file has.
    x, y : uint16 array (events,)
        Column and row.
    polarity : bool array (events,) or None
        True where it became brighter; None for a sensor with one kind of events.
    height, width : int
        Size of the sensor in pixels.
    start, stop : int, optional
        The window [start, stop) in microseconds; default: from the first event to the last.

    Raises
    ------
    TraceError
        If lengths differ, or an event lies outside the sensor or the window.
    """

    t: npt.NDArray[np.int64]
    x: npt.NDArray[np.uint16]
    y: npt.NDArray[np.uint16]
    polarity: npt.NDArray[np.bool_] | None
    height: int
    width: int
    start: int = 0
    stop: int = _FROM_EVENTS

    def __post_init__(self) -> None:
        t = np.asarray(self.t, np.int64)
        kept: dict[str, npt.NDArray[Any]] = {
            "t": t,
            "x": _pixels("x", self.x, self.width),
            "y": _pixels("y", self.y, self.height),
        }
        if self.polarity is not None:
            kept["polarity"] = np.asarray(self.polarity, bool)
        lengths = {name: array.shape for name, array in kept.items()}
        if set(lengths.values()) != {(len(t),)}:
            raise TraceError(f"EventStream: {lengths}; give arrays of one dimension and one length", lengths=lengths)
        first, last = (int(t.min()), int(t.max())) if len(t) else (0, -1)
        start, stop = (first, last + 1) if self.stop == _FROM_EVENTS else (self.start, self.stop)
        if stop < start or (len(t) and not start <= first <= last < stop):
            raise TraceError(
                f"EventStream: events from {first} to {last} us are not within the window of {start} to {stop} us"
            )
        for name, value in {**kept, "start": start, "stop": stop}.items():
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.t)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels (off and on, or one), height, width."""
        return 1 if self.polarity is None else 2, self.height, self.width

    def between(self, start: int, stop: int) -> EventStream:
        """Events with start <= t < stop (microseconds), which become the window."""
        inside = (self.t >= start) & (self.t < stop)
        polarity = None if self.polarity is None else self.polarity[inside]
        return replace(
            self, t=self.t[inside], x=self.x[inside], y=self.y[inside], polarity=polarity, start=start, stop=stop
        )

    def steps(self, dt: Quantity) -> int:
        """Number of steps of ``dt`` that cover the window."""
        last = np.array([self.stop - self.start - 1])
        return int(_steps_of(last, dt)[0]) + 1 if self.stop > self.start else 0

    def bin(self, dt: Quantity, steps: int | None = None) -> npt.NDArray[np.int32]:
        """Events counted by step and pixel.

        Parameters
        ----------
        dt : Quantity
            Length of a step; an event at t lies in step floor((t - start) / dt).
        steps : int, optional
            How many; events after them are left out. Default: as many as cover the window.

        Returns
        -------
        int32 array (steps, channels, height, width)
            Channel 0 counts events of polarity False, channel 1 of True.
        """
        when, flat, steps = self._places(dt, steps)
        size = int(np.prod(self.shape))
        counts = np.bincount(when * size + flat, minlength=steps * size)
        return counts.astype(np.int32).reshape(steps, *self.shape)

    def to_source(self, dt: Quantity, steps: int | None = None, *, counts: bool = True) -> EventSource:
        """The events as a source population with one neuron for each pixel and channel.

        Parameters
        ----------
        dt, steps
            As in :meth:`bin`, of whose frames neuron ``(channel * height + y) * width + x`` gets one entry.
        counts : bool
            Whether events of one pixel in one step become one event with their number as its value; otherwise they
            become one spike.
        """
        when, flat, _ = self._places(dt, steps)
        size = int(np.prod(self.shape))
        places, numbers = np.unique(when * size + flat, return_counts=True)
        graded = counts and bool((numbers > 1).any())
        return EventSource(
            size, steps=places // size, indices=places % size, values=numbers.astype(float) if graded else None
        )

    def _places(self, dt: Quantity, steps: int | None) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], int]:
        """Step and flat (channel, y, x) of every event within ``steps``, and the number of steps."""
        steps = self.steps(dt) if steps is None else steps
        if steps < 0:
            raise TraceError(f"EventStream: {steps} steps; give a number of at least 0")
        when = _steps_of(self.t - self.start, dt)
        flat = self.y.astype(np.int64) * self.width + self.x
        if self.polarity is not None:
            flat += self.polarity * np.int64(self.height * self.width)
        inside = when < steps
        return (when, flat, steps) if inside.all() else (when[inside], flat[inside], steps)

    def __repr__(self) -> str:
        seconds = (self.stop - self.start) / 1e6
        return f"EventStream({len(self)} events, {self.width} x {self.height} pixels, {seconds:g} s)"


def joined(streams: Iterable[EventStream]) -> EventStream:
    """Streams of one sensor as one stream, over all their windows.

    Raises
    ------
    TraceError
        If there are none, or the sensors differ.
    """
    parts = list(streams)
    sensors = {part.shape for part in parts}
    if len(sensors) != 1:
        raise TraceError(f"joined: sensors (channels, height, width) {sorted(sensors)}; give streams of one sensor")
    filled = [part for part in parts if part.stop > part.start] or parts[:1]
    polarity = None if filled[0].polarity is None else np.concatenate([np.asarray(part.polarity) for part in filled])
    t, x, y = (np.concatenate([getattr(part, name) for part in filled]) for name in ("t", "x", "y"))
    start, stop = min(part.start for part in filled), max(part.stop for part in filled)
    return EventStream(t, x, y, polarity, filled[0].height, filled[0].width, start, stop)


def _pixels(name: str, given: Any, size: int) -> npt.NDArray[np.uint16]:
    array = np.asarray(given)
    if not 0 < size <= 1 << 16:
        raise TraceError(f"EventStream: {size} pixels along {name}; a sensor has 1 to 65536")
    if array.size and (array.min() < 0 or array.max() >= size):
        wrong = int(array.min() if array.min() < 0 else array.max())
        raise TraceError(f"EventStream: an event at {name}={wrong}; the sensor has {name} from 0 to {size - 1}")
    return array.astype(np.uint16, copy=False)


def _steps_of(micros: npt.NDArray[np.int64], dt: Quantity) -> npt.NDArray[np.int64]:
    """Step of each time after the start: exact where dt is a whole number of microseconds."""
    length = float(si_value(dt, TIME, "EventStream: dt")) * 1e6
    if not length > 0:
        raise TraceError(f"EventStream: dt is {dt}; give a time above 0")
    whole = round(length)
    if whole and abs(length - whole) < 1e-6:
        return micros // whole
    return np.floor(micros / length + 1e-9).astype(np.int64)
