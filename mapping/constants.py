"""Numbers of a machine, each with its unit, its source and how sure it is."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np

from neuromorph.errors import MappingError

Status = Literal["published", "derived", "assumption"]

UNITS: Mapping[str, float] = {
    "": 1.0,
    "cycles": 1.0,
    "bit": 1.0,
    "B": 1.0,
    "kB": 1000.0,
    "KiB": 1024.0,
    "GiB": 1024.0**3,
    "Hz": 1.0,
    "MHz": 1e6,
    "V": 1.0,
    "mV": 1e-3,
    "uW": 1e-6,
    "mW": 1e-3,
    "W": 1.0,
    "J": 1.0,
    "fJ": 1e-15,
    "pJ": 1e-12,
    "nJ": 1e-9,
    "nA": 1e-9,
    "uA": 1e-6,
    "mA": 1e-3,
    "nS": 1e-9,
    "uS": 1e-6,
    "S": 1.0,
    "ohm": 1.0,
    "K": 1.0,
    "s": 1.0,
    "nm": 1e-9,
    "um2": 1e-12,
    "TOPS": 1e12,
    "TOPS/W": 1e12,
    "TOPS/mm2": 1e18,
    "ns": 1e-9,
    "us": 1e-6,
    "ms": 1e-3,
    "mm2": 1e-6,
    "GB/s": 1e9,
    "Gbit/s": 1e9,
    "M/s": 1e6,
    "G/s": 1e9,
}
"""Scale of each unit of the machine files to SI (bytes, bits, cycles and counts stay as they are)."""


@dataclass(frozen=True, slots=True)
class Constant:
    """One number of a machine file.

    Attributes
    ----------
    name : str
        Dotted path, as in ``"level.high.clock"``.
    value : int, float, str, or nested tuple of them
        In ``unit``; a word (such as a rule's name) has the unit "".
    unit : str
        A key of :data:`UNITS`.
    source, citation : str
        Short key of the source, and the whole citation.
    status : {"published", "derived", "assumption"}
    why : str
        The arithmetic of a derived number, the reason for an assumption, or a remark.
    reference : bool
        For the reader only: no model computes with it.
    """

    name: str
    value: Any
    unit: str
    source: str
    citation: str
    status: Status
    why: str = ""
    reference: bool = False

    @property
    def si(self) -> float:
        """The value in SI units (counts, bits, bytes and cycles as they are)."""
        if not isinstance(self.value, int | float):
            raise MappingError(
                f"constant {self.name} is {self.value!r}, not one number: read its .value", name=self.name
            )
        return float(self.value) * UNITS[self.unit]


@dataclass(frozen=True)
class Constants(Mapping[str, Constant]):
    """Every constant of a machine, by dotted name; behaves as a read-only mapping."""

    machine: str
    entries: Mapping[str, Constant]

    def __getitem__(self, name: str) -> Constant:
        try:
            return self.entries[name]
        except KeyError:
            section = name.split(".")[0]
            near = [key for key in self.entries if key.split(".")[0] == section] or sorted(
                {key.split(".")[0] for key in self.entries}
            )
            raise MappingError(
                f"machine {self.machine} has no constant {name!r}; it has {', '.join(near)}", name=name
            ) from None

    def __contains__(self, name: object) -> bool:
        return name in self.entries

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def si(self, name: str) -> float:
        """The constant's value in SI units, as a float."""
        return self[name].si

    def count(self, name: str) -> int:
        """The constant as a whole number (bytes for memory sizes).

        Raises
        ------
        MappingError
            If it is not whole.
        """
        value = self[name].si
        if value != int(value):
            raise MappingError(f"constant {name} = {value} is not a whole number", name=name, value=value)
        return int(value)

    def replace(self, **values: float) -> Constants:
        """A copy with other values: ``replace(link__hop_weight=3)`` sets ``link.hop_weight`` (dots as ``__``).

        The changed constants keep their unit and become assumptions with the source "set by the user".

        Raises
        ------
        MappingError
            For a name that does not exist, a constant that nothing computes with, or a value that is no number of at
        least 0.
        """
        entries = dict(self.entries)
        for key, value in values.items():
            old = self[key.replace("__", ".")]
            if old.reference:
                raise MappingError(
                    f"constant {old.name} is there for the reader: no model computes with it, so another value would "
                    "change nothing",
                    name=old.name,
                )
            if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not value >= 0:
                raise MappingError(
                    f"constant {old.name} is {value!r}; it must be a number of at least 0", name=old.name
                )
            entries[old.name] = Constant(
                old.name, value, old.unit, "user", "set by the user", "assumption", f"replaces {old.value} {old.unit}"
            )
        return Constants(self.machine, entries)

    def describe(self) -> str:
        """A table of every number with its unit, status and source, and the citations below it."""
        rows = [("constant", "value", "unit", "status", "source", "")]
        rows += [
            (c.name, _text(c.value), c.unit, c.status, c.source, c.why if c.status == "assumption" else "")
            for c in self.entries.values()
        ]
        widths = [max(len(row[k]) for row in rows) for k in range(5)]
        lines = ["  ".join([*(row[k].ljust(widths[k]) for k in range(5)), row[5]]).rstrip() for row in rows]
        lines.insert(1, "  ".join("-" * width for width in widths))
        cited = dict(sorted({c.source: c.citation for c in self.entries.values()}.items()))
        lines += ["", *(f"{key}: {citation}" for key, citation in cited.items())]
        return "\n".join(lines)


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value).replace("(", "[").replace(")", "]")


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value


def _walk(node: Mapping[str, Any], path: str, file: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for key, child in node.items():
        name = f"{path}.{key}" if path else key
        if not isinstance(child, Mapping):
            raise MappingError(
                f"{file}: {name} = {child!r} must be written {{ value = ..., unit = ..., source = ..., status = ... }}",
                name=name,
            )
        if "value" in child:
            yield name, child
        else:
            yield from _walk(child, name, file)


@lru_cache
def load_constants(machine: str | Path) -> Constants:
    """Read ``machines/<machine>.toml``, or a file of the user's own, and check every entry.

    Parameters
    ----------
    machine : str or Path
        A name, or as a ``Path`` any file of the same form.

    Raises
    ------
    MappingError
        If there is no such machine, the file is no TOML, or an entry lacks its unit, source or status, or an assumption
        its reason.
    """
    folder = Path(__file__).parent / "machines"
    path = machine if isinstance(machine, Path) else folder / f"{machine}.toml"
    if not path.is_file() and isinstance(machine, Path):
        raise MappingError(f"no machine file {machine}: expected one like {folder.name}/*.toml", machine=str(machine))
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in folder.glob("*.toml")))
        raise MappingError(f"no machine {str(machine)!r}; there is {known}", machine=str(machine))
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise MappingError(f"{path} is no TOML file: {error}", machine=str(machine)) from error
    citations = data.pop("sources", {})
    entries: dict[str, Constant] = {}
    for name, item in _walk(data, "", path.name):
        missing = {"value", "unit", "source", "status"} - set(item)
        if missing:
            raise MappingError(f"{path.name}: {name} lacks {', '.join(sorted(missing))}", name=name)
        if item["unit"] not in UNITS:
            raise MappingError(f"{path.name}: {name} has unknown unit {item['unit']!r}", name=name)
        if item["source"] not in citations:
            raise MappingError(f"{path.name}: {name} cites {item['source']!r}, not in [sources]", name=name)
        if item["status"] not in ("published", "derived", "assumption"):
            raise MappingError(f"{path.name}: {name} has status {item['status']!r}", name=name)
        if item["status"] != "published" and not item.get("why"):
            raise MappingError(f"{path.name}: {name} is {item['status']} and must say why", name=name)
        entries[name] = Constant(
            name,
            _frozen(item["value"]),
            item["unit"],
            item["source"],
            citations[item["source"]],
            item["status"],
            item.get("why", ""),
            item.get("reference", False),
        )
    return Constants(path.stem, entries)
