"""Reading SONATA files: our own traces, and whatever else wrote spikes or reports."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import TraceError

from .events import Events, EventTable, StateTable
from .layout import FORMAT, FORMAT_VERSION, milliseconds, plain, read_tree, read_value, rows_of, text
from .sink import Array, Recording, RunMeta
from .store import Extras

if TYPE_CHECKING:
    import h5py

NO_POPULATION = "<sonata:none>"
"""Name of the population of legacy files that have none; bmtk calls it the same."""

_BLOCK = 1 << 20
_LAYOUT_GROUPS = ("populations", "provenance", "states")


@contextmanager
def reading(path: str) -> Iterator[None]:
    """What goes wrong while HDF5 reads is a TraceError that names the file."""
    try:
        yield
    except TraceError:
        raise
    except (OSError, KeyError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).strip("'\"").split())
        raise TraceError(f"{path}: damaged or not a trace: {reason}; use a copy of it", path=path) from error


def column(group: h5py.Group, *names: str, axes: int = 1) -> h5py.Dataset:
    """The first array of numbers among ``names`` that a group has.

    Raises
    ------
    KeyError
        If there is none.
    TraceError
        If what has the name is a group, text, or has not so many axes.
    """
    found = group[next((name for name in names if name in group), names[0])]
    shape = getattr(found, "shape", None)
    if shape is None or len(shape) != axes or found.dtype.kind not in "iuf":
        what = "a group" if shape is None else f"{found.dtype} of shape {shape}"
        expected = "a column" if axes == 1 else f"{axes} axes"
        raise TraceError(f"{group.file.filename}: {found.name} is {what}; expected {expected} of numbers")
    return found


@dataclass(frozen=True)
class FileEvents:
    """Spikes of one population in a file, sorted by time as they are read.

    A file that is not in time order is sorted in memory on first use; one that is, is read piece by piece.
    """

    times: h5py.Dataset
    ids: h5py.Dataset
    values: h5py.Dataset | None
    to_ms: float
    dt_ms: float | None
    trusted: bool
    """Our own files are in time order; what a foreign file says of itself is not believed."""

    def __len__(self) -> int:
        return rows_of(self.times, self.ids, self.values)

    @cached_property
    def order(self) -> npt.NDArray[np.int64] | None:
        """Order that sorts the events by time (equal times stay as they are); None: they are sorted."""
        if self.trusted:
            return None
        last = -np.inf
        for low in range(0, len(self), _BLOCK):
            block = self.times[low : min(low + _BLOCK, len(self))]
            if block[0] < last or bool(np.any(block[1:] < block[:-1])):
                return np.argsort(self.times[: len(self)], kind="stable")
            last = block[-1]
        return None

    @cached_property
    def _loaded(self) -> tuple[Array, Array, Array | None]:
        n = len(self)
        order = self.order
        return self.times[:n][order], self.ids[:n][order], None if self.values is None else self.values[:n][order]

    def read(self, low: int, high: int) -> Events:
        """Events number ``low`` to ``high``."""
        with reading(self.times.file.filename):
            source = (self.times, self.ids, self.values) if self.order is None else self._loaded
            times, ids = source[0][low:high].astype(np.float64) * self.to_ms, source[1][low:high].astype(np.int64)
            values = None if source[2] is None else source[2][low:high]
        steps = None if self.dt_ms is None else np.rint(times / self.dt_ms).astype(np.int64)
        return Events(steps, ids, values, times)


@dataclass(frozen=True)
class FileStates:
    """One report of a file."""

    rows: h5py.Dataset
    unit: str
    ids: npt.NDArray[np.int64]
    start: float
    step: float
    first_step: int | None
    every: int | None

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return self.rows.shape[0], self.rows.shape[1]

    def read(self, low: int, high: int, columns: Array | slice) -> Array:
        """Rows ``low`` to ``high`` of some columns."""
        with reading(self.rows.file.filename):
            return self._read(low, high, columns)

    def _read(self, low: int, high: int, columns: Array | slice) -> Array:
        if isinstance(columns, slice):
            return np.asarray(self.rows[low:high, columns])
        # HDF5 reads scattered columns slowly, and only in ascending order: read what spans them.
        if columns.size == 0:
            return np.empty((max(high - low, 0), 0), self.rows.dtype)
        left = int(columns.min())
        parts = [
            self.rows[a : min(a + 4096, high), left : int(columns.max()) + 1][:, columns - left]
            for a in range(low, max(high, low + 1), 4096)
        ]
        return np.concatenate(parts)


@dataclass(frozen=True)
class _Stored:
    """An extra in a file."""

    dataset: h5py.Dataset

    def value(self) -> Any:
        return read_value(self.dataset)

    def attrs(self) -> dict[str, Any]:
        return {name: plain(value) for name, value in self.dataset.attrs.items()}

    def shape(self) -> tuple[int, ...]:
        return tuple(self.dataset.shape)


@dataclass
class FileStore:
    """Contents of a file; see :class:`neuromorph.trace.store.Store`.

    Parameters
    ----------
    path : str
    dt_ms : float or None
        Step of a foreign file, if the reader of it knows; our own files state theirs.
    """

    path: str | None
    dt_ms: float | None = None
    meta: RunMeta | None = None
    complete: bool = True
    extras: Extras = field(default_factory=lambda: Extras({}))

    def __post_init__(self) -> None:
        import h5py

        if os.path.isdir(str(self.path)):
            raise TraceError(f"{self.path}: is a folder; give the name of a file", path=self.path)
        try:
            self._h5 = h5py.File(self.path, "r", locking="best-effort")  # some network drives have no locks
        except FileNotFoundError:
            raise TraceError(f"{self.path}: no such file", path=self.path) from None
        except OSError as error:
            raise TraceError(f"{self.path}: not an HDF5 file that can be read ({error})", path=self.path) from error
        self._spikes: dict[str, h5py.Group] = {}
        self._reports: dict[tuple[str, str], h5py.Group] = {}
        self._tables: dict[str, FileEvents] = {}
        self._sizes: dict[str, int] = {}
        try:
            self._read_layout()
        except BaseException:
            self._h5.close()
            raise

    def _read_layout(self) -> None:
        with reading(str(self.path)):
            self._find_spikes()
            self._find_reports()
            if text(self._h5["run"].attrs.get("format", "") if "run" in self._h5 else "") == FORMAT:
                self._read_run(self._h5["run"])
            if self.meta is None and not self._spikes and not self._reports:
                raise TraceError(
                    f"{self.path}: neither a trace nor a SONATA spike or report file: it has no /spikes and no /report",
                    path=self.path,
                )

    def sizes(self) -> dict[str, int]:
        """Neurons of each population; in foreign files as stated, or else as many as the largest id needs."""
        if self.meta is not None:
            return dict(self.meta.populations)
        names = dict.fromkeys([*self._spikes, *(population for population, _ in self._reports)])
        return {name: self._size(name) for name in names}

    def event_populations(self) -> tuple[str, ...]:
        """Populations whose events are kept."""
        return self.meta.event_populations if self.meta is not None else tuple(self._spikes)

    def recorded_states(self) -> tuple[tuple[str, str], ...]:
        """(population, variable) of each kept state."""
        return tuple(self.meta.states) if self.meta is not None else tuple(self._reports)

    def events(self, population: str) -> EventTable:
        """Events of one population."""
        if population not in self._tables:
            with reading(str(self.path)):
                self._tables[population] = self._events(population)
        return self._tables[population]

    def _events(self, population: str) -> FileEvents:
        group = self._spikes[population]
        return FileEvents(
            column(group, "timestamps"),
            column(group, "node_ids", "gids"),
            column(group, "values") if self.meta is not None and "values" in group else None,
            milliseconds(text(group["timestamps"].attrs.get("units", "")), f"{self.path}: spikes of {population}"),
            self.dt_ms,
            self.meta is not None,
        )

    def states(self, population: str, variable: str) -> StateTable:
        """Rows of one state."""
        with reading(str(self.path)):
            return self._states(population, variable)

    def _states(self, population: str, variable: str) -> FileStates:
        group = self._reports[population, variable]
        mapping = group["mapping"]
        nodes, pointers = column(mapping, "node_ids", "gids"), column(mapping, "index_pointers", "index_pointer")
        ids = np.repeat(nodes[:].astype(np.int64), np.diff(pointers[:].astype(np.int64)))
        times = column(mapping, "time")
        to_ms = milliseconds(text(times.attrs.get("units", "")), f"{self.path}: report of {population}")
        start, _, step = (float(t) * to_ms for t in times[:3])
        first, every = group.attrs.get("first_step"), group.attrs.get("every")
        return FileStates(
            column(group, "exact", "data", axes=2),
            text(group["data"].attrs.get("units", "")),
            ids,
            start,
            step,
            None if first is None else int(first),
            None if every is None else int(every),
        )

    def close(self) -> None:
        """Close the file."""
        self._h5.close()

    # Details.

    def _read_run(self, run: h5py.Group) -> None:
        version = int(run.attrs["format_version"])
        if version > FORMAT_VERSION:
            raise TraceError(
                f"{self.path}: written by a newer neuromorph (trace format {version}; this one reads up to "
                f"{FORMAT_VERSION})",
                version=version,
            )
        names, sizes = run["populations/name"].asstr()[:], run["populations/size"][:]
        columns = [run[f"states/{name}"] for name in ("population", "variable", "unit", "scale", "every")]
        table = [column.asstr()[:] if column.dtype.kind == "O" else column[:] for column in columns]
        states = {(str(p), str(v)): Recording(str(u), float(s), int(e)) for p, v, u, s, e in zip(*table, strict=True)}
        self.complete = bool(run.attrs["complete"])
        self.meta = RunMeta(
            network=text(run.attrs["network"]),
            dt=float(run.attrs["dt"]),
            steps=int(run.attrs["steps"]),
            seed=int(run.attrs["seed"]),
            populations={str(name): int(size) for name, size in zip(names, sizes, strict=True)},
            states=states,
            provenance=read_tree(run["provenance"]),
            recorded=tuple(self._h5["spikes"]),
            first_step=int(run.attrs["first_step"]),
            ids={
                key: self._reports[key]["mapping/node_ids"][:].astype(np.int64) for key in states if key[0] not in names
            },
        )
        self.dt_ms = self.meta.dt_ms
        loaders: dict[str, _Stored] = {}

        def collect(path: str, item: Any) -> None:
            if hasattr(item, "dtype") and path.split("/")[0] not in _LAYOUT_GROUPS:
                loaders[path] = _Stored(item)

        run.visititems(collect)
        self.extras = Extras(loaders)

    def _find_spikes(self) -> None:
        import h5py

        spikes = self._h5.get("spikes")
        if not isinstance(spikes, h5py.Group):
            return
        if isinstance(spikes.get("timestamps"), h5py.Dataset):
            self._spikes[NO_POPULATION] = spikes
            return
        for name, group in spikes.items():
            if isinstance(group, h5py.Group) and "timestamps" in group and ("node_ids" in group or "gids" in group):
                self._spikes[name] = group

    def _find_reports(self) -> None:
        import h5py

        reports = self._h5.get("report")
        groups = dict(reports.items()) if isinstance(reports, h5py.Group) else {}
        if not groups and "data" in self._h5 and "mapping" in self._h5:
            groups = {NO_POPULATION: self._h5}
        for name, group in groups.items():
            if not isinstance(group, h5py.Group) or "data" not in group:
                continue
            if not isinstance(group.get("mapping"), h5py.Group):
                continue
            variable = group.attrs.get("variable", group["data"].attrs.get("variable", "data"))
            self._reports[text(group.attrs.get("population", name)), text(variable)] = group

    def _size(self, population: str) -> int:
        if population not in self._sizes:
            stated = self._spikes[population].attrs.get("size") if population in self._spikes else None
            largest = -1
            if stated is None and population in self._spikes:
                table = self.events(population)
                for low in range(0, len(table), _BLOCK):
                    largest = max(largest, int(table.read(low, min(low + _BLOCK, len(table))).ids.max()))
            for name, variable in self._reports:
                if name == population:
                    largest = max(largest, int(self.states(name, variable).ids.max(initial=-1)))
            self._sizes[population] = int(stated) if stated is not None else largest + 1
        return self._sizes[population]
