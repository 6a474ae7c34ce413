"""A sink that streams a run into one SONATA file.

Layout (HDF5, suffix ``.h5``)::

    /                        magic, version: the marks of a SONATA file
    /spikes/<population>     sorting = by_time (enum), size
        timestamps           float64 (events,), units = "ms": step * dt
        node_ids             uint64 (events,): index within the population
        values               float32 (events,): only if the population sends graded events
    /report/<population>     a recorded state; further states of it are /report/<population>.<variable>; the states of
                             a projection's synapses alike, under its name, a node of SONATA for each synapse
        data                 float32 (rows, neurons), units, variable, scale
        exact                float64 or int32: the same unrounded, for states that are not float32
        mapping              node_ids, index_pointers (and index_pointer), element_ids, element_pos, time
    /run                     format, network, dt, seed, first_step, steps, complete, populations
        provenance           versions, model text and hash, machine, placement, ...
        ...                  whatever was handed to Sink.extra: costs, packets, ...
"""

from __future__ import annotations

import itertools
import os
import time
import weakref
from collections.abc import Mapping
from os import PathLike
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from neuromorph.errors import TraceError

from .buffer import EventBuffer, StateBuffer
from .journal import CommittedFile, uninterrupted
from .layout import FORMAT, FORMAT_VERSION, check_extra_path, is_trace, report_names, write_extra, write_tree
from .memory import find, steps_seen
from .sink import Array, Recording, RunMeta

if TYPE_CHECKING:
    import h5py

    from .trace import Trace

_EVENT_CHUNK = 8192
"""Events in one chunk: small enough that a population with few events costs little, 64 KiB for the timestamps."""


class FileSink:
    """Streams a run into a SONATA file, in bounded memory.

    The file on disk is at every moment the run up to its last flush, whatever becomes of this process. An older trace
    of that name stays in place until the first flush of the new one (in :meth:`open`); a file that is not a trace is
    never overwritten.

    Parameters
    ----------
    path : path
        Name the file ``.h5``: bmtk chooses its reader by the suffix.
    compress : bool
        Compress with gzip. libsonata's wheels cannot read compressed files; bmtk and :class:`Trace` can.
    flush_seconds : float
        Flush when this long has passed since the last flush (looked at whenever something is written).
    flush_bytes : int
        Flush when this much is buffered; this bounds the memory.

    Raises
    ------
    TraceError
        The path is a directory or a file that is not a trace, or writing fails (disk full).
    """

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        compress: bool = False,
        flush_seconds: float = 2.0,
        flush_bytes: int = 16 << 20,
    ) -> None:
        self.path = os.fspath(path)
        self.compress = compress
        self._flush_seconds = flush_seconds
        self._flush_bytes = flush_bytes
        self._file: CommittedFile | None = None
        self._events: dict[str, EventBuffer] = {}
        self._states: dict[tuple[str, str], StateBuffer] = {}
        self._reports: dict[tuple[str, str], h5py.Group] = {}
        self._late: set[str | tuple[str, str]] = set()
        self._flushed = 0.0
        self._buffered = 0
        refuse_foreign(self.path)

    def open(self, meta: RunMeta) -> None:
        """Begin a run: from here on the path holds its trace."""
        with uninterrupted():
            self._begin(meta)

    def _begin(self, meta: RunMeta, converted: bool = False) -> None:
        """As :meth:`open`; ``converted``: states will come in their units, not in SI."""
        import h5py

        if self._file is not None:
            raise TraceError(f"{self.path}: a run is being written already; close() it first")
        refuse_foreign(self.path)
        names = report_names(meta)
        try:
            self._file = CommittedFile(self.path)
        except OSError as error:
            raise TraceError(f"{self.path}: cannot be written ({error.strerror})", errno=error.errno) from error
        self._run = meta
        self._h5: h5py.File = h5py.File(self._file, "w")
        # HDF5 must let go before the interpreter ends, also of a sink that nobody closed: it calls back into Python.
        self._release = weakref.finalize(self, _release, self._h5, self._file)
        # Without evictions HDF5 hands over its index blocks at flushes only.
        config = self._h5.id.get_mdc_config()
        config.evictions_enabled, config.incr_mode, config.flash_incr_mode, config.decr_mode = False, 0, 0, 0
        self._h5.id.set_mdc_config(config)
        self._write_head(meta)
        self._events, self._states, self._reports, self._late = {}, {}, {}, set()
        for population in meta.event_populations:
            self._create_spikes(population, meta.populations[population])
            self._events[population] = EventBuffer(population, meta.populations[population], meta.first_step)
        for (population, variable), recording in meta.states.items():
            ids = meta.ids_of(population, variable)
            group = self._h5.require_group("report").create_group(names[population, variable])
            self._create_report(group, (population, variable), ids, recording)
            recording = recording._replace(scale=1.0) if converted else recording
            self._states[population, variable] = StateBuffer(population, variable, ids.size, recording)
            self._reports[population, variable] = group
        self.flush()

    def events(self, population: str, steps: Array, ids: Array, values: Array | None = None) -> None:
        """Append events; see :meth:`Sink.events`."""
        buffer = find(self._events, population, "events")
        before = buffer.nbytes
        buffer.add(steps, ids, values)
        self._flush_if_due(buffer.nbytes - before)

    def states(self, population: str, variable: str, first_step: int, every: int, data: Array) -> None:
        """Append state rows; see :meth:`Sink.states`."""
        buffer = find(self._states, (population, variable), "states")
        before = buffer.nbytes
        buffer.add(first_step, every, data)
        self._flush_if_due(buffer.nbytes - before)

    def extra(self, path: str, array: Any, attrs: Mapping[str, Any] | None = None, *, append: bool = False) -> None:
        """Keep an array of the run; see :meth:`Sink.extra`. It is on disk with the next flush."""
        self._opened()
        check_extra_path(path)
        with uninterrupted():
            write_extra(self._h5["run"], path, array, attrs or {}, append)
        self._flush_if_due(0)

    def flush(self) -> None:
        """Write everything so far so that it outlives this process (not: a power failure)."""
        with uninterrupted():
            self._flush()

    def _flush(self) -> None:
        self._opened()
        if self._create_late_columns():
            self._commit(anew=True)  # first the columns, then their rows: a reader between the two must not miss them
        for population, events in self._events.items():
            if events.count:
                self._append_events(population, events)
        for key, states in self._states.items():
            if states.nbytes:
                self._append_states(key, states)
        self._h5["run"].attrs.modify("steps", np.int64(self._steps_seen()))
        self._commit()
        self._flushed = time.monotonic()
        self._buffered = 0

    def close(self, steps: int | None = None) -> None:
        """Finish; see :meth:`Sink.close`."""
        if self._file is not None:
            with uninterrupted():
                self._finish(steps)

    def _finish(self, steps: int | None) -> None:
        try:
            self._flush()
            done = self._run.steps if steps is None else steps
            self._h5["run"].attrs.modify("steps", np.int64(done))
            self._h5["run"].attrs.modify("complete", np.uint8(1))
            self._commit()
        finally:
            self._abandon()

    def trace(self) -> Trace:
        """The trace on disk, up to the last flush."""
        from .trace import Trace

        return Trace(self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if kind is None or self._file is None:
            self.close()
        else:
            self.close(self._steps_seen())

    # Details.

    def _opened(self) -> CommittedFile:
        if self._file is None:
            raise TraceError(f"{self.path}: no run is being written; open() the sink first")
        return self._file

    def _commit(self, anew: bool = False) -> None:
        self._h5.flush()
        try:
            self._opened().commit(anew)
        except TraceError:
            self._abandon()
            raise

    def _abandon(self) -> None:
        """Let go of the file; what has not been committed is lost."""
        if self._file is not None:
            self._file = None
            self._release()

    def _flush_if_due(self, added: int) -> None:
        self._opened()
        self._buffered += added
        if self._buffered >= self._flush_bytes or time.monotonic() - self._flushed >= self._flush_seconds:
            self.flush()

    def _steps_seen(self) -> int:
        """Steps of the run that have left something, at least."""
        return steps_seen(self._run.first_step, self._events.values(), self._states.values())

    def _filters(self) -> dict[str, Any]:
        return {"compression": "gzip", "compression_opts": 4, "shuffle": True} if self.compress else {}

    def _write_head(self, meta: RunMeta) -> None:
        h5 = self._h5
        h5.attrs["magic"] = np.uint32(0x0A7A)
        h5.attrs["version"] = np.array([0, 1], np.uint32)
        h5.create_group("spikes")
        run = h5.create_group("run")
        run.attrs["format"] = FORMAT
        run.attrs["format_version"] = np.uint32(FORMAT_VERSION)
        run.attrs["network"] = meta.network
        run.attrs["dt"] = np.float64(meta.dt)
        run.attrs["dt_units"] = "s"
        run.attrs["seed"] = np.uint64(meta.seed % 2**64)
        run.attrs["first_step"] = np.int64(meta.first_step)
        run.attrs["steps_planned"] = np.int64(meta.steps)
        run.attrs["steps"] = np.int64(0)
        run.attrs["complete"] = np.uint8(0)
        write_extra(run, "populations/name", list(meta.populations), {}, append=False)
        write_extra(run, "populations/size", np.array(list(meta.populations.values()), np.int64), {}, append=False)
        for name, column in {
            "population": [key[0] for key in meta.states],
            "variable": [key[1] for key in meta.states],
            "unit": [recording.unit for recording in meta.states.values()],
            "scale": np.array([recording.scale for recording in meta.states.values()], np.float64),
            "every": np.array([recording.every for recording in meta.states.values()], np.int64),
        }.items():
            write_extra(run, f"states/{name}", column, {}, append=False)
        write_tree(run.create_group("provenance"), meta.provenance)

    def _create_spikes(self, population: str, size: int) -> None:
        import h5py

        group = self._h5["spikes"].create_group(population)
        sorting = h5py.enum_dtype({"none": 0, "by_id": 1, "by_time": 2}, basetype=np.uint8)
        group.attrs.create("sorting", 2, dtype=sorting)
        group.attrs["size"] = np.uint64(size)
        options = {"maxshape": (None,), "chunks": (_EVENT_CHUNK,), **self._filters()}
        times = group.create_dataset("timestamps", (0,), np.float64, **options)
        times.attrs["units"] = "ms"
        group.create_dataset("node_ids", (0,), np.uint64, **options)

    def _create_late_columns(self) -> bool:
        """Create the columns whose need and type only the first rows tell."""
        before = len(self._late)
        for population, events in self._events.items():
            if events.value_dtype is not None and population not in self._late:
                group = self._h5["spikes"][population]
                there = group["node_ids"].shape  # events before the first graded one have the value 1
                options = {"maxshape": (None,), "chunks": (_EVENT_CHUNK,), "fillvalue": 1, **self._filters()}
                group.create_dataset("values", there, events.value_dtype, **options)
                self._late.add(population)
        for key, states in self._states.items():
            if states.dtype is not None and states.dtype != np.float32 and key not in self._late:
                data = self._reports[key]["data"]
                options = {"maxshape": data.maxshape, "chunks": data.chunks, **self._filters()}
                self._reports[key].create_dataset("exact", data.shape, states.dtype, **options)
                self._late.add(key)
        return len(self._late) > before

    def _append_events(self, population: str, buffer: EventBuffer) -> None:
        group = self._h5["spikes"][population]
        steps, ids, values = buffer.take()
        columns = {"timestamps": steps * self._run.dt_ms, "node_ids": ids, "values": values}
        for name, column in columns.items():
            if column is not None:
                append_rows(group[name], column)

    def _append_states(self, key: tuple[str, str], buffer: StateBuffer) -> None:
        group, data = self._reports[key], self._reports[key]["data"]
        rows = buffer.take()
        group["mapping/time"][...] = self._times(buffer.first_step or 0, buffer.recording.every, buffer.rows)
        group.attrs.modify("first_step", np.int64(buffer.first_step or 0))
        append_rows(data, rows)
        if "exact" in group:
            append_rows(group["exact"], rows)

    def _times(self, first_step: int, every: int, rows: int) -> Array:
        step = every * self._run.dt_ms
        start = first_step * self._run.dt_ms
        stop = start + rows * step
        # bmtk counts the rows as int((stop - start) / step): rounding must not lose the last one.
        while int((stop - start) / step) < rows:
            stop = float(np.nextafter(stop, np.inf))
        return np.array([start, stop, step], np.float64)

    def _create_report(self, group: h5py.Group, key: tuple[str, str], ids: Array, recording: Recording) -> None:
        (population, variable), size = key, ids.size
        group.attrs["population"], group.attrs["variable"] = population, variable
        group.attrs["first_step"] = np.int64(self._run.first_step)
        group.attrs["every"] = np.int64(recording.every)
        columns = min(max(size, 1), 1024)
        planned = max(-(-self._run.steps // recording.every), 1)  # HDF5 writes whole chunks
        chunks = (min(max(65536 // columns, 16), _EVENT_CHUNK, planned), columns)
        # float32, whatever the state is: libsonata reads no other type.
        data = group.create_dataset(
            "data", (0, size), np.float32, maxshape=(None, size), chunks=chunks, **self._filters()
        )
        data.attrs["units"], data.attrs["variable"], data.attrs["scale"] = recording.unit, variable, recording.scale
        mapping = group.create_group("mapping")
        mapping["node_ids"] = ids.astype(np.uint64)
        mapping["node_ids"].attrs["sorted"] = np.uint8(1)
        mapping["index_pointers"] = np.arange(size + 1, dtype=np.uint64)
        mapping["index_pointer"] = mapping["index_pointers"]  # the name that bmtk looks for
        mapping["element_ids"] = np.zeros(size, np.uint32)
        mapping["element_pos"] = np.zeros(size, np.float64)
        mapping["time"] = self._times(self._run.first_step, recording.every, 0)
        mapping["time"].attrs["units"] = "ms"


def save(trace: Trace, path: str, *, compress: bool = False) -> None:
    """Write a trace of ours to ``path``, a block at a time."""
    meta = trace.meta
    sink = FileSink(path, compress=compress)
    sink._begin(meta, converted=True)
    for population in trace.recorded_events:
        nothing = trace.events(population, stop=-np.inf)  # says whether they are graded, even if there are none
        for part in itertools.chain([nothing], trace.stream(population)):
            assert part.steps is not None  # of our own traces
            sink.events(population, part.steps, part.ids, part.values)
    for population, variable in trace.recorded_states:
        states = trace.state(population, variable)
        every = meta.states[population, variable].every
        rows = max(1, (4 << 20) // max(states.shape[1] * 8, 1))
        first = states.steps
        for number, block in enumerate(states.blocks(rows)):
            assert first is not None
            sink.states(population, variable, int(first[number * rows]), every, block)
    for name in trace.run:
        sink.extra(name, trace.run[name], trace.run.attrs(name))
    sink.close(meta.steps)


def _release(h5: h5py.File, file: CommittedFile) -> None:
    h5.close()
    file.close()


def append_rows(dataset: h5py.Dataset, rows: Array) -> None:
    """Lengthen a resizable dataset by ``rows`` along its first axis."""
    before = dataset.shape[0]
    dataset.resize(before + rows.shape[0], axis=0)
    dataset[before:] = rows


def refuse_foreign(path: str) -> None:
    """Raise TraceError if something that is not a trace of ours stands at ``path``."""
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        raise TraceError(f"{path}: there is no folder {folder}; create it first", path=path)
    if os.path.isdir(path):
        raise TraceError(f"{path}: is a folder; give the name of a file", path=path)
    if os.path.exists(path) and not is_trace(path):
        raise TraceError(
            f"{path}: exists and is not a trace written by neuromorph, so it is not overwritten; "
            f"choose another name or remove it",
            path=path,
        )
