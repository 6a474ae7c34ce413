"""Names, marks and small conversions of the trace file, shared by its writer and its reader."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from neuromorph.errors import TraceError

from .sink import Array, RunMeta

if TYPE_CHECKING:
    import h5py

FORMAT = "neuromorph trace"
FORMAT_VERSION = 1

_RESERVED = ("populations", "provenance", "states")
_LONGEST_ATTRIBUTE = 4096
"""Longer strings and arrays become datasets: HDF5 attributes end at 64 KiB."""


def is_trace(path: str) -> bool:
    """Whether ``path`` is a trace written by neuromorph."""
    import h5py

    try:
        if not h5py.is_hdf5(path):
            return False
        with h5py.File(path, "r") as file:
            return "run" in file and text(file["run"].attrs.get("format", "")) == FORMAT
    except OSError:
        return False


def text(value: Any) -> str:
    """String of an HDF5 attribute that may be bytes, a string, or an array with one of them."""
    if isinstance(value, np.ndarray):
        value = value.ravel()[0] if value.size else ""
    return value.decode() if isinstance(value, bytes) else str(value)


def report_names(meta: RunMeta) -> dict[tuple[str, str], str]:
    """Name of the report group of each recorded state.

    SONATA keeps one variable for each population in a file, so a population's first state stands under the population's
    own name, where every reader looks, and further ones under ``<population>.<variable>``.
    """
    for name in meta.populations:
        if not name or "/" in name or name in (".", ".."):
            raise TraceError(
                f"population {name!r}: in a file the name cannot be empty, '.', '..' or hold a '/'", name=name
            )
    names: dict[tuple[str, str], str] = {}
    for population, variable in meta.states:
        first = all(done != population for done, _ in names)
        name = population if first else f"{population}.{variable}"
        if name in names.values() or (not first and name in meta.populations):
            raise TraceError(f"state {variable} of {population}: its report {name!r} collides with another", name=name)
        if "/" in variable:
            raise TraceError(f"state {variable!r} of {population}: the name must not contain '/'", name=variable)
        names[population, variable] = name
    return names


def storable(value: Any) -> Any:
    """``value`` as something that HDF5 can hold; raises TraceError otherwise."""
    if isinstance(value, str | bytes):
        return value
    if value is None:
        return ""
    array = np.asarray(value)
    if isinstance(value, list) and not value:
        return np.empty(0, object)
    if array.dtype.kind in "US" or (array.dtype.kind == "O" and all(isinstance(item, str) for item in array.flat)):
        return array.astype(object)
    if array.dtype.kind not in "biufc":
        raise TraceError(f"cannot store {value!r} in a trace; give strings, numbers or arrays of them")
    return array


def write_tree(group: h5py.Group, tree: Mapping[str, Any]) -> None:
    """Write a nested mapping: mappings as groups, small values as attributes, big ones as datasets."""
    for key, value in tree.items():
        name = str(key).replace("/", "|")
        if isinstance(value, Mapping):
            write_tree(group.create_group(name), value)
            continue
        kept = storable(value)
        size = len(kept) if isinstance(kept, str | bytes) else kept.size * max(kept.itemsize, 16)
        if size > _LONGEST_ATTRIBUTE or (isinstance(kept, np.ndarray) and kept.ndim):
            put(group, name, kept)
        else:
            group.attrs[name] = string_array(kept)


def read_tree(group: h5py.Group) -> dict[str, Any]:
    """Read back what :func:`write_tree` wrote."""
    import h5py

    tree: dict[str, Any] = {name: plain(value) for name, value in group.attrs.items()}
    for name, item in group.items():
        tree[name] = read_tree(item) if isinstance(item, h5py.Group) else read_value(item)
    return tree


def write_extra(run: h5py.Group, path: str, value: Any, attrs: Mapping[str, Any], append: bool) -> None:
    """Write one dataset below ``/run``; ``append`` lengthens the one that is there."""
    parts = path.strip("/").split("/")
    if not all(parts):
        raise TraceError(f"extra {path!r}: give names joined by '/'", path=path)
    name = "/".join(parts)
    kept = storable(value)
    there = run.get(name)
    if append and isinstance(kept, np.ndarray) and kept.ndim:
        if there is None:
            put(run, name, kept, resizable=True)
        elif there.shape[1:] != kept.shape[1:] or there.maxshape[0] is not None:
            raise TraceError(f"extra {path!r}: rows of shape {kept.shape[1:]} do not continue {there.shape}", path=path)
        else:
            start = there.shape[0]
            there.resize(start + kept.shape[0], axis=0)
            there[start:] = kept
    elif (
        there is not None
        and not isinstance(kept, str | bytes)
        and (there.shape, there.dtype) == (kept.shape, kept.dtype)
    ):
        there[...] = kept
    else:
        if there is not None:
            del run[name]
        put(run, name, kept)
    for key, item in attrs.items():
        run[name].attrs[key] = string_array(storable(item))


def check_extra_path(path: str) -> None:
    """Raise TraceError for a path that the layout needs itself."""
    if path.strip("/").split("/")[0] in _RESERVED:
        raise TraceError(f"extra {path!r}: the names {', '.join(_RESERVED)} below /run are the trace's own", path=path)


def put(group: h5py.Group, name: str, value: Any, *, resizable: bool = False) -> None:
    """Create one dataset of a string, a number or an array."""
    import h5py

    if isinstance(value, str | bytes) or value.dtype == object:
        group.create_dataset(name, data=value, dtype=h5py.string_dtype())
    elif resizable:
        row = max(int(np.prod(value.shape[1:])) * value.itemsize, 1)
        chunk = (int(np.clip(65536 // row, 1, 4096)), *(max(n, 1) for n in value.shape[1:]))
        # HDF5 has no chunks of nothing: rows without content may grow there, too, and never do.
        most = (None, *(n or None for n in value.shape[1:]))
        group.create_dataset(name, data=value, maxshape=most, chunks=chunk)
    else:
        group.create_dataset(name, data=value)


def string_array(value: Any) -> Any:
    """Arrays of strings in the type that h5py wants for attributes."""
    import h5py

    if isinstance(value, np.ndarray) and value.dtype == object:
        return value.astype(h5py.string_dtype())
    return value


def read_value(dataset: h5py.Dataset) -> Any:
    """A dataset's value: a string, a number, an array, or an array of strings."""
    import h5py

    if h5py.check_string_dtype(dataset.dtype) is not None:
        value = dataset.asstr()[()]
        return np.asarray(value, dtype=object) if isinstance(value, np.ndarray) else str(value)
    return plain(dataset[()])


def plain(value: Any) -> Any:
    """NumPy scalars as Python's, bytes as strings, arrays as they are."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, np.generic):
        return value.item()
    return value


def milliseconds(unit: str, subject: str) -> float:
    """Factor from a time unit to ms."""
    factors = {"": 1.0, "ms": 1.0, "msec": 1.0, "millisecond": 1.0, "milliseconds": 1.0}
    factors |= {"s": 1e3, "sec": 1e3, "second": 1e3, "seconds": 1e3, "us": 1e-3, "microseconds": 1e-3}
    try:
        return factors[unit.strip().lower()]
    except KeyError:
        raise TraceError(f"{subject}: unknown time unit {unit!r}; expected ms or s", unit=unit) from None


def rows_of(*columns: Array | h5py.Dataset | None) -> int:
    """Rows that every column has; columns may differ by the last rows of a run that was cut off."""
    return min(int(column.shape[0]) for column in columns if column is not None)
