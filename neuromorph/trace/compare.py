"""Where two traces differ: the first difference, and how much they differ in all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from neuromorph.errors import TraceError

from .align import Mismatch, Pair, aligned, mismatch, values_differ
from .trace import Trace

SATURATED = "costs/saturated"
"""Where a run keeps how often a converter of each population's inputs was at the end of its range: int64
(populations,), with the names of the populations as attribute ``columns``. Targets without converters keep nothing."""
_BLOCK_VALUES = 1 << 21


@dataclass(frozen=True)
class Difference:
    """One place where trace ``b`` is not what trace ``a`` is.

    Attributes
    ----------
    kind : str
        ``missing event`` (in a, not in b), ``extra event`` (in b, not in a), ``value``, ``state``; or, for what a
        trace has or has not as a whole, ``population`` and ``recording``.
    population : str
    neuron : int or None
    step : int or None
        None where the files do not state steps.
    time : float
        ms; minus infinity where a whole recording differs.
    variable : str or None
        The state that differs.
    a, b : float, str or None
        What each trace has there.
    """

    kind: str
    population: str
    neuron: int | None = None
    step: int | None = None
    time: float = -np.inf
    variable: str | None = None
    a: float | str | None = None
    b: float | str | None = None

    def __str__(self) -> str:
        if self.kind in ("population", "recording"):
            what = self.population if self.variable is None else f"{self.population}.{self.variable}"
            return f"{what}: {self.a} in a, {self.b} in b"
        when = f"{self.time:g} ms" if self.step is None else f"step {self.step} ({self.time:g} ms)"
        where = f"{when}, {self.population}, neuron {self.neuron}"
        if self.kind == "state":
            return f"{where}: {self.variable} is {_shown(self.a, self.b)} in a, {_shown(self.b, self.a)} in b"
        if self.kind == "value":
            return f"{where}: event of value {_shown(self.a, self.b)} in a, {_shown(self.b, self.a)} in b"
        return f"{where}: event in {'a, none in b' if self.kind == 'missing event' else 'b, none in a'}"


def _shown(value: float | str | None, other: float | str | None) -> str:
    """Nine digits, which tell float32 values apart, or as many as float64 values need."""
    return f"{value:.9g}" if f"{value:.9g}" != f"{other:.9g}" else f"{value:.17g}"


@dataclass(frozen=True)
class StateComparison:
    """How far one recorded state differs.

    Attributes
    ----------
    rows : (int, int)
        Number in a and in b; the common ones were compared.
    max_difference : float
        Largest ``|a - b|``, in ``unit``; nan where only one of the two is nan.
    """

    population: str
    variable: str
    unit: str
    rows: tuple[int, int]
    max_difference: float
    first: Difference | None


@dataclass(frozen=True)
class PopulationComparison:
    """How far the recordings of one population differ.

    Attributes
    ----------
    events : (int, int) or None
        Number in a and in b; None if one of them has no events recorded.
    missing, extra, changed : int
        Events in a but not in b; in b but not in a; in both with another value.
    rate_cosine : float
        Cosine of the angle between the vectors of events per neuron: 1 for equal rates, nan if one is silent.
    first : Difference or None
        Among the events.
    states : tuple of StateComparison
    saturated : (int or None, int or None)
        Conversions at the end of a converter's range in a and in b, for this population's inputs; None where the
        target has no converters.
    """

    population: str
    events: tuple[int, int] | None
    missing: int
    extra: int
    changed: int
    rate_cosine: float
    first: Difference | None
    states: tuple[StateComparison, ...]
    saturated: tuple[int | None, int | None] = (None, None)

    @property
    def differing(self) -> int:
        """Events that are not the same in both: missing, extra and changed ones."""
        return self.missing + self.extra + self.changed


@dataclass(frozen=True)
class Comparison:
    """What :func:`compare` found; as a string, what a terminal shows.

    Attributes
    ----------
    populations : tuple of PopulationComparison
        What both traces have.
    first : Difference or None
        The earliest difference of all; None if the traces are equal.
    """

    populations: tuple[PopulationComparison, ...]
    first: Difference | None

    @property
    def equal(self) -> bool:
        """Whether nothing differs."""
        return self.first is None

    def __str__(self) -> str:
        lines = []
        for p in self.populations:
            verdict = "equal" if p.first is None else f"{p.missing:,} missing, {p.extra:,} extra, {p.changed:,} changed"
            counted = None if p.events is None else f"{p.events[0]:,} and {p.events[1]:,} events, {verdict}"
            lines.append(f"{p.population}: {counted or 'events not recorded in both'}")
            if p.first is not None:
                lines.append(f"  cosine of the rates {p.rate_cosine:.6f}")
                lines.append(f"  first: {p.first}")
            if p.saturated != (None, None):
                here, there = ("no converters" if n is None else f"{n:,}" for n in p.saturated)
                lines.append(f"  saturated conversions: {here} and {there}")
            for s in p.states:
                verdict = "equal" if s.first is None else f"first: {s.first}"
                lines.append(
                    f"  {s.variable}: largest difference {s.max_difference:.6g} {s.unit or ''}".rstrip()
                    + f", {verdict}"
                )
        lines.append("no difference" if self.first is None else f"first difference: {self.first}")
        return "\n".join(lines)


def compare(a: Trace, b: Trace, rtol: float = 0.0, atol: float = 0.0) -> Comparison:
    """Compare two traces, in bounded memory.

    Events are matched by step and neuron (by time, where a file states no steps or dt differs); their order within a
    step does not matter. Event values and states differ where ``|a - b| > atol + rtol * |b|``.

    Parameters
    ----------
    a, b : Trace
        ``a`` is what is expected: an event that only ``b`` has is extra.
    rtol, atol : float
        Relative tolerance, and absolute tolerance in the unit of each value.
    """
    found = list(_recordings(a, b))
    populations = []
    in_a, in_b = _saturated(a), _saturated(b)
    of_both = {name for name, _ in a.recorded_states} & {name for name, _ in b.recorded_states}
    for name in dict.fromkeys([*a.populations, *(name for name, _ in a.recorded_states)]):
        if name not in b.populations and name not in of_both:
            continue
        states = tuple(
            _compare_states(a, b, name, variable, rtol, atol)
            for population, variable in a.recorded_states
            if population == name and (name, variable) in b.recorded_states
        )
        result = replace(_compare_events(a, b, name, states, rtol, atol), saturated=(in_a.get(name), in_b.get(name)))
        populations.append(result)
        found += [d for d in (result.first, *(s.first for s in states)) if d is not None]
    return Comparison(tuple(populations), _earliest(found))


def first_difference(a: Trace, b: Trace, rtol: float = 0.0, atol: float = 0.0) -> Difference | None:
    """The earliest difference of two traces, or None; see :func:`compare` for what counts as one.

    Each recording is read only as far as its first difference.
    """
    found = list(_recordings(a, b))
    for name in a.recorded_events:
        if name in b.recorded_events:
            for pair in aligned(a, b, name):
                first = _difference(pair, mismatch(pair, rtol, atol), name)
                if first is not None:
                    found.append(first)
                    break
    for population, variable in a.recorded_states:
        if (population, variable) in b.recorded_states:
            state = _compare_states(a, b, population, variable, rtol, atol, stop_at_first=True).first
            found += [] if state is None else [state]
    return _earliest(found)


def _earliest(found: list[Difference]) -> Difference | None:
    return min(found, key=lambda difference: difference.time, default=None)


def _saturated(trace: Trace) -> dict[str, int]:
    """Saturated conversions by population, as far as the run kept them."""
    if SATURATED not in trace.run:
        return {}
    names = [str(name) for name in trace.run.attrs(SATURATED)["columns"]]
    return dict(zip(names, np.asarray(trace.run[SATURATED]).tolist(), strict=True))


def _recordings(a: Trace, b: Trace) -> Iterator[Difference]:
    """What one trace has and the other has not."""
    for given in (a, b):
        if not isinstance(given, Trace):
            raise TraceError(f"compare: expected two traces, got {given!r:.80}; open a file with open_trace(path)")
    sizes_a, sizes_b = a.sizes, b.sizes
    for name in dict.fromkeys([*sizes_a, *sizes_b]):
        # Foreign files may leave the size to be guessed from the ids that occur.
        stated = a.stated and b.stated
        if (name in sizes_a) != (name in sizes_b) or (stated and sizes_a[name] != sizes_b[name]):
            here, there = (f"{s[name]:,} neurons" if name in s else "absent" for s in (sizes_a, sizes_b))
            yield Difference("population", name, a=here, b=there)
        else:
            here, there = ("events" if name in t.recorded_events else "no events recorded" for t in (a, b))
            if here != there:
                yield Difference("recording", name, a=here, b=there)
    for key in dict.fromkeys([*a.recorded_states, *b.recorded_states]):
        here, there = ("recorded" if key in t.recorded_states else "not recorded" for t in (a, b))
        if here != there:
            yield Difference("recording", key[0], variable=key[1], a=here, b=there)


def _difference(pair: Pair, found: Mismatch, population: str) -> Difference | None:
    if found.first is None:
        return None
    kind, at_a, at_b = found.first
    side, at = (pair.a, at_a) if at_a is not None else (pair.b, at_b)
    assert at is not None

    def value(position: int | None, values: object) -> float | None:
        if position is None:
            return None
        return 1.0 if values is None else float(values[position])  # type: ignore[index]

    return Difference(
        kind,
        population,
        int(side.ids[at]),
        None if side.steps is None else int(side.steps[at]),
        float(side.times[at]),
        a=value(at_a, pair.a.values),
        b=value(at_b, pair.b.values),
    )


def _compare_events(
    a: Trace, b: Trace, name: str, states: tuple[StateComparison, ...], rtol: float, atol: float
) -> PopulationComparison:
    if name not in a.recorded_events or name not in b.recorded_events:
        return PopulationComparison(name, None, 0, 0, 0, float("nan"), None, states)
    size = max(a.sizes[name], b.sizes[name])
    rates_a, rates_b = np.zeros(size, np.int64), np.zeros(size, np.int64)
    missing = extra = changed = 0
    first: Difference | None = None
    for pair in aligned(a, b, name):
        rates_a += np.bincount(pair.a.ids, minlength=size)
        rates_b += np.bincount(pair.b.ids, minlength=size)
        found = mismatch(pair, rtol, atol)
        missing, extra, changed = missing + found.missing, extra + found.extra, changed + found.changed
        first = first or _difference(pair, found, name)
    lengths = float(np.linalg.norm(rates_a)) * float(np.linalg.norm(rates_b))
    cosine = float(rates_a.astype(np.float64) @ rates_b.astype(np.float64)) / lengths if lengths else float("nan")
    return PopulationComparison(name, (a.count(name), b.count(name)), missing, extra, changed, cosine, first, states)


def _compare_states(
    a: Trace, b: Trace, population: str, variable: str, rtol: float, atol: float, stop_at_first: bool = False
) -> StateComparison:
    left, right = a.state(population, variable), b.state(population, variable)
    rows = left.shape[0], right.shape[0]

    def of_recording(what_a: str, what_b: str, largest: float = float("nan")) -> StateComparison:
        first = Difference("recording", population, variable=variable, a=what_a, b=what_b)
        return StateComparison(population, variable, left.unit, rows, largest, first)

    if left.unit != right.unit:
        return of_recording(left.unit or "no unit", right.unit or "no unit")
    if not np.array_equal(left.ids, right.ids):
        return of_recording(f"{left.ids.size:,} columns", f"{right.ids.size:,} columns")
    common = min(rows)
    if not np.allclose(left.times[:common], right.times[:common], rtol=1e-9, atol=1e-9):
        spacing = [f"rows from {s.table.start:g} ms every {s.table.step:g} ms" for s in (left, right)]
        return of_recording(spacing[0], spacing[1])
    largest, first = 0.0, None
    height = max(1, _BLOCK_VALUES // max(left.shape[1], 1))
    for low in range(0, common, height):
        x, y = (np.asarray(s[low : min(low + height, common)]) for s in (left, right))
        wrong = values_differ(x, y, rtol, atol)
        gap = np.abs(x.astype(np.float64) - y)[(x != y) & ~(np.isnan(x) & np.isnan(y))]
        largest = float(np.max([largest, gap.max(initial=0.0)]))  # nan stays
        if first is None and wrong.any():
            row, column = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
            steps = left.steps
            first = Difference(
                "state",
                population,
                int(left.ids[column]),
                None if steps is None else int(steps[low + row]),
                float(left.times[low + row]),
                variable,
                float(x[row, column]),
                float(y[row, column]),
            )
            if stop_at_first:
                break
    if first is None and rows[0] != rows[1]:
        return of_recording(f"{rows[0]:,} rows", f"{rows[1]:,} rows", largest)
    return StateComparison(population, variable, left.unit, rows, largest, first)
