"""What SONATA says of nodes and edges: a row of a type table for each type, columns in groups for single ones."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import NetworkError

if TYPE_CHECKING:
    import h5py

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
TypeTable = Mapping[int, Mapping[str, str]]
"""Rows by type id; cells that say NULL are left out."""

NULLS = ("", "NULL", "None", "nan", "NaN")
DYNAMICS = "dynamics_params"


def read_types(path: Path | None, key: str) -> TypeTable | None:
    """The rows of a type table (CSV, separated by spaces).

    Parameters
    ----------
    path : Path or None
        None: there is no table, and nothing to return.
    key : str
        Its column of ids, ``node_type_id`` or ``edge_type_id``.

    Raises
    ------
    NetworkError
        If there is no such file or it is no table of types.
    """
    if path is None:
        return None
    try:
        with open(path, newline="", encoding="utf-8") as file:
            rows = [row for row in csv.reader(file, delimiter=" ", skipinitialspace=True) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise NetworkError(f"{path}: no type table that can be read ({error})", path=str(path)) from error
    header, body = (rows[0], rows[1:]) if rows else ([], [])
    while header and not header[-1]:
        header = header[:-1]
    if key not in header:
        raise NetworkError(f"{path}: its header has no column {key}; it has {', '.join(header) or 'none'}")
    table: dict[int, dict[str, str]] = {}
    for line, row in enumerate(body, start=2):
        if len(row) < len(header):
            raise NetworkError(
                f"{path}: line {line} has {len(row)} cells, its header {len(header)} columns; write NULL"
            )
        cells = dict(zip(header, row, strict=False))
        try:
            number = int(cells.pop(key))
        except (KeyError, ValueError):
            raise NetworkError(f"{path}: line {line} has no number in column {key}") from None
        if number in table:
            raise NetworkError(f"{path}: line {line} repeats {key} {number}", type=number)
        table[number] = {name: cell for name, cell in cells.items() if cell not in NULLS}
    return table


@dataclass(frozen=True, eq=False)
class Group:
    """Columns of some elements of a population.

    Attributes
    ----------
    members : int array (n,) or None
        Which elements; None: all, in order.
    columns : mapping of str to array (n,)
        Dynamics parameters are under ``dynamics_params/<name>``.
    """

    members: Ints | None
    columns: Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Attributes:
    """Attributes of the nodes or edges of one population.

    What a group says of single elements stands over what the type table says of their type.

    Attributes
    ----------
    subject : str
        For messages.
    size : int
    types : TypeTable
        Of those types alone that occur.
    codes : int array (size,)
        Position of each element's type among ``types``.
    groups : tuple of Group
    """

    subject: str
    size: int
    types: TypeTable
    codes: Ints
    groups: tuple[Group, ...] = field(default=())

    @property
    def names(self) -> tuple[str, ...]:
        """Every attribute that any element has."""
        found = dict.fromkeys(name for row in self.types.values() for name in row)
        found |= dict.fromkeys(name for group in self.groups for name in group.columns)
        return tuple(found)

    def numbers(self, name: str) -> Floats:
        """An attribute as numbers, float64 (size,); nan where an element has none.

        Raises
        ------
        NetworkError
            If a type's cell is no number.
        """
        by_type = np.full(max(len(self.types), 1), np.nan)
        for k, (number, row) in enumerate(self.types.items()):
            if name in row:
                try:
                    by_type[k] = float(row[name])
                except ValueError:
                    raise NetworkError(
                        f"{self.subject}, type {number}: {name} is {row[name]!r}; a number is expected", name=name
                    ) from None
        result = by_type[self.codes]
        for group in self.groups:
            if name in group.columns:
                column = group.columns[name]
                if column.dtype.kind not in "iufb":
                    raise NetworkError(f"{self.subject}: {name} holds {column.dtype}; numbers are expected", name=name)
                if group.members is None:
                    result = column.astype(np.float64)
                else:
                    result[group.members] = column
        return result

    def labels(self, name: str) -> tuple[tuple[str | None, ...], Ints]:
        """An attribute as text: the distinct values, and the position of each element's among them."""
        cells = [row.get(name) for row in self.types.values()] or [None]
        values = list(dict.fromkeys(cells))
        codes = np.array([values.index(cell) for cell in cells], np.int64)[self.codes]
        for group in self.groups:
            if name in group.columns:
                found, inverse = np.unique(group.columns[name].astype(str), return_inverse=True)
                texts = [None if text in NULLS else str(text) for text in found]
                values += [text for text in texts if text not in values]
                here = np.array([values.index(text) for text in texts], np.int64)[inverse]
                codes[slice(None) if group.members is None else group.members] = here
        return tuple(values), codes


def read_attributes(subject: str, group: h5py.Group, kind: str, types: TypeTable | None) -> Attributes:
    """Attributes of a population of nodes (kind ``node``) or edges (``edge``) of an open file.

    Without a table, types say nothing.

    Raises
    ------
    NetworkError
        If datasets are missing, of different lengths, or name types or groups that do not exist.
    """
    import h5py

    type_ids = integers(subject, group, f"{kind}_type_id")
    size = len(type_ids)
    found, codes = np.unique(type_ids, return_inverse=True)
    if types is not None and (unknown := [int(n) for n in found if int(n) not in types and int(n) != -1]):
        raise NetworkError(
            f"{subject}: type{'s' if len(unknown) > 1 else ''} {', '.join(map(str, unknown))} missing from the "
            f"{kind} type table, which has {', '.join(map(str, types)) or 'none'}",
            types=unknown,
        )
    names = [name for name, item in group.items() if isinstance(item, h5py.Group) and name.isdigit()]
    groups: list[Group] = []
    if f"{kind}_group_id" in group and f"{kind}_group_index" in group:
        ids, index = (integers(subject, group, f"{kind}_group_{part}") for part in ("id", "index"))
        if not len(ids) == len(index) == size:
            raise NetworkError(f"{subject}: {size} {kind}s, but {len(ids)} group ids and {len(index)} group indices")
        for number in np.unique(ids):
            members = np.flatnonzero(ids == number)
            groups.append(_group(subject, group, str(int(number)), members, index[members], size))
    elif names:
        if len(names) > 1:
            raise NetworkError(f"{subject}: {len(names)} groups, but no {kind}_group_id that says whose they are")
        groups.append(_group(subject, group, names[0], np.arange(size), np.arange(size), size))
    table = {int(number): (types or {}).get(int(number), {}) for number in found}
    return Attributes(subject, size, table, codes.astype(np.int64).reshape(-1), tuple(groups))


def integers(subject: str, group: h5py.Group, name: str) -> Ints:
    """A column of whole numbers, int64 (n,).

    Raises
    ------
    NetworkError
        If there is none, it holds anything else or cannot be read.
    """
    import h5py

    if name not in group:
        raise NetworkError(f"{subject}: has no {name}", name=name)
    column = group[name]
    if not isinstance(column, h5py.Dataset) or column.ndim != 1 or column.dtype.kind not in "iuf":
        found = f"{column.dtype} of shape {column.shape}" if isinstance(column, h5py.Dataset) else "a group"
        raise NetworkError(f"{subject}: {name} is {found}; a column of whole numbers is expected", name=name)
    values = _read(subject, column)
    if column.dtype.kind == "f" and not (np.isfinite(values).all() and (values % 1 == 0).all()):
        raise NetworkError(f"{subject}: {name} holds numbers that are not whole", name=name)
    return np.asarray(values, np.int64)


def _read(subject: str, column: h5py.Dataset) -> npt.NDArray[Any]:
    """All of a dataset; NetworkError if the file is damaged there."""
    import h5py

    try:
        values = column.asstr()[:] if h5py.check_string_dtype(column.dtype) else column[:]
    except (OSError, UnicodeDecodeError) as error:
        raise NetworkError(f"{subject}: {column.name} cannot be read ({error})") from error
    return np.asarray(values)


def _group(subject: str, group: h5py.Group, name: str, members: Ints, index: Ints, size: int) -> Group:
    """Columns of a group, in the order of its members; ``size`` is that of the population."""
    import h5py

    if name not in group:
        if there := [other for other, item in group.items() if isinstance(item, h5py.Group) and other.isdigit()]:
            raise NetworkError(f"{subject}: {len(members):,} are of group {name}; there are {', '.join(there)}")
        return Group(members, {})  # where nothing has attributes, groups need not be there
    if not isinstance(group[name], h5py.Group):
        raise NetworkError(f"{subject}: {name} is a dataset; a group of columns is expected")
    columns: dict[str, npt.NDArray[Any]] = {}
    library = group[name].get("@library", {})

    def collect(path: str, item: Any) -> None:
        if not isinstance(item, h5py.Dataset) or path.startswith("@library") or not item.shape:
            return
        if len(index) and not (int(index.min()) >= 0 and int(index.max()) < len(item)):
            row = int(index.min() if index.min() < 0 else index.max())
            raise NetworkError(f"{subject}: {name}/{path} has {len(item)} rows; row {row} is asked for")
        values = _read(subject, item)
        if path in library:  # numbers of texts that stand in the library
            texts = _read(subject, library[path])
            if values.dtype.kind not in "iu" or (len(values) and not 0 <= values.min() <= values.max() < len(texts)):
                raise NetworkError(f"{subject}: {name}/{path} numbers texts that @library does not have")
            values = texts[values]
        columns[path] = values[index]

    group[name].visititems(collect)
    whole = np.array_equal(members, np.arange(size))
    return Group(None if whole else members, columns)


def read_dynamics(folder: Path | None, cell: str) -> Mapping[str, Any]:
    """Parameters that a cell of ``dynamics_params`` names: a JSON file, or JSON itself.

    Raises
    ------
    NetworkError
        If there is no such file, or it holds no JSON object.
    """
    if cell.lstrip().startswith("{"):
        text, where = cell, "dynamics_params"
    else:
        path = (folder / cell) if folder is not None else Path(cell)
        where = str(path)
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            reason = "no such file" if isinstance(error, FileNotFoundError) else str(error)
            raise NetworkError(f"dynamics_params {where}: {reason}", path=where) from error
    try:
        found = json.loads(text)
    except ValueError as error:
        raise NetworkError(f"dynamics_params {where}: no JSON ({error})", path=where) from error
    if not isinstance(found, dict):
        raise NetworkError(f"dynamics_params {where}: expected an object of names and values", path=where)
    return found
