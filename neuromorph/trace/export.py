"""Traces for other tools: Neo (and so Elephant), pandas, and plain ``.npz``."""

from __future__ import annotations

import os
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from neuromorph.errors import TraceError

from .optional import require
from .sink import Array
from .trace import Trace, in_ms

if TYPE_CHECKING:
    import neo
    import pandas


def to_neo(
    trace: Trace,
    population: Any = None,
    ids: Any = None,
    start: Any = None,
    stop: Any = None,
) -> neo.Block:
    """The trace as a Neo block with one segment, as Elephant wants it.

    Parameters
    ----------
    population : str or Population, optional
        Only this one; default: all whose events are recorded.
    ids, start, stop
        As in :meth:`Trace.events`.

    Returns
    -------
    neo.Block
        ``block.segments[0].spiketrains``: one train for each neuron, silent ones too, annotated with ``population`` and
        ``neuron``, values of graded events as array annotation ``value``; ``analogsignals``: the recorded states.
    """
    neo = require("neo", "neo", "to_neo()")
    pq = require("quantities", "neo", "to_neo()")
    low = trace.start if start is None else in_ms(start)
    high = trace.stop if stop is None else in_ms(stop)
    block = neo.Block(name=trace.meta.network if trace.stated else str(trace.path))
    segment = neo.Segment(name="run")
    block.segments.append(segment)
    only = None if population is None else str(getattr(population, "name", population))
    for name in trace.recorded_events if only is None else (only,):
        events = trace.events(name, ids, start, stop)
        neurons = np.arange(trace.sizes[name]) if ids is None else np.atleast_1d(np.asarray(ids))
        order = np.argsort(events.ids, kind="stable")
        sorted_ids, times = events.ids[order], events.times[order]
        values = None if events.values is None else events.values[order]
        edges = np.searchsorted(sorted_ids, neurons, "left"), np.searchsorted(sorted_ids, neurons, "right")
        for neuron, a, b in zip(neurons.tolist(), *edges, strict=True):
            train = neo.SpikeTrain(
                times[a:b],
                units="ms",
                t_start=low,
                t_stop=high,
                name=f"{name}[{neuron}]",
                array_annotations=None if values is None else {"value": values[a:b]},
                population=name,
                neuron=neuron,
            )
            segment.spiketrains.append(train)
    for name, variable in trace.recorded_states:
        if only in (None, name):
            states = trace.state(name, variable, ids, start, stop)
            segment.analogsignals.append(
                neo.AnalogSignal(
                    states.data,
                    units=_neo_unit(pq, states.unit),
                    t_start=(float(states.times[0]) if len(states) else low) * pq.ms,
                    sampling_period=states.table.step * pq.ms,
                    name=f"{name}.{variable}",
                    population=name,
                    variable=variable,
                    unit=states.unit,
                    array_annotations={"neuron": states.ids},
                )
            )
    return block


def _neo_unit(pq: Any, unit: str) -> Any:
    """The unit in Neo's words, or dimensionless where it has none (the annotation ``unit`` keeps ours)."""
    if not unit:
        return pq.dimensionless
    try:
        return pq.unit_registry[unit]
    except LookupError:
        return pq.dimensionless


def to_pandas(
    trace: Trace,
    population: Any = None,
    ids: Any = None,
    start: Any = None,
    stop: Any = None,
) -> pandas.DataFrame:
    """Events as a data frame, one row each, in time order.

    Columns ``population`` (categories; only if none is named), ``neuron``, ``time_ms``, ``step`` (if known) and
    ``value`` (if any population sends graded events).
    """
    pd = require("pandas", "pandas", "to_pandas()")
    only = None if population is None else str(getattr(population, "name", population))
    names = trace.recorded_events if only is None else (only,)
    parts = [trace.events(name, ids, start, stop) for name in names]
    columns: dict[str, Any] = {}
    if only is None:
        codes = np.repeat(np.arange(len(names)), [len(part) for part in parts])
        columns["population"] = pd.Categorical.from_codes(codes, categories=list(names))
    columns["neuron"] = _joined([part.ids for part in parts], np.int64)
    columns["time_ms"] = _joined([part.times for part in parts], np.float64)
    if all(part.steps is not None for part in parts):
        columns["step"] = _joined([part.steps for part in parts], np.int64)
    if any(part.values is not None for part in parts):
        ones = [np.ones(len(part)) if part.values is None else part.values for part in parts]
        columns["value"] = _joined(ones, np.float32)
    frame = pd.DataFrame(columns)
    return frame.sort_values("time_ms", kind="stable", ignore_index=True) if len(names) > 1 else frame


def state_frame(
    trace: Trace,
    population: Any,
    variable: str,
    ids: Any = None,
    start: Any = None,
    stop: Any = None,
) -> pandas.DataFrame:
    """A recorded state as a data frame: a row for each time (index ``time_ms``), a column for each neuron."""
    pd = require("pandas", "pandas", "state_frame()")
    states = trace.state(population, variable, ids, start, stop)
    return pd.DataFrame(states.data, index=pd.Index(states.times, name="time_ms"), columns=states.ids)


def to_npz(trace: Trace, path: str | PathLike[str], population: Any = None) -> None:
    """Events as plain arrays ``i`` (neuron), ``t`` (ms) and, if graded, ``value``.

    Without a population, those of all, named ``<population>.i`` and so on.

    Raises
    ------
    TraceError
        The file cannot be written.
    """
    only = None if population is None else str(getattr(population, "name", population))
    arrays: dict[str, Array] = {}
    for name in trace.recorded_events if only is None else (only,):
        events = trace.events(name)
        prefix = "" if only is not None else f"{name}."
        arrays[f"{prefix}i"], arrays[f"{prefix}t"] = events.ids, events.times
        if events.values is not None:
            arrays[f"{prefix}value"] = events.values
    try:
        with open(path, "wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]  # NumPy types every keyword as its own flag
    except OSError as error:
        raise TraceError(f"{os.fspath(path)}: cannot be written ({error.strerror})", errno=error.errno) from error


def _joined(parts: list[Any], dtype: Any) -> Array:
    return np.concatenate(parts) if parts else np.empty(0, dtype)
