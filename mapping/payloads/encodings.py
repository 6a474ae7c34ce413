"""Encodings of events: a code for their values, and how events share packets.

A packet goes to the destinations of one group of keys (:class:`~neuromorph.mapping.route.Keys`), so only events of one
step, one PE and one group can share it. Its payload has one of the machine's sizes, and what an encoding does not fill
is sent as zeros. Bits stand one after another, first the events of lower keys.

=========  =============================================================================================================
layout     packets
=========  =============================================================================================================
single     One for each event. The key names the neuron, the payload is the value; a spike has none.
packed     As many events as fit the largest payload. The key names the first neuron and the payload begins with its
           value; then follow, for each further event, the neuron's number in its block of keys and its value. Numbers
           ascend, so the zeros at the end are told from an event.
bitmap     One message for each group that has an event in a step: a bit for each neuron of the group, then the values
           of those whose bit is 1, cut into largest payloads. The low bits of the key number a message's packets.
broadcast  The same with one group for each PE: one message for all its neurons goes wherever any of their events is
           needed. What reaches a PE in vain is looked up there, and found to have no row.
=========  =============================================================================================================
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from neuromorph.errors import MappingError

from .values import ValueCode, value_code

Layout = Literal["single", "packed", "bitmap", "broadcast"]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)
DEFAULT_VALUES = ("float32", "int16", "int8", "int4", "spark")


@dataclass(frozen=True)
class Encoding:
    """A code for values and a layout; see the module."""

    values: ValueCode
    layout: Layout

    @property
    def name(self) -> str:
        """As in ``"spark/packed"``."""
        return f"{self.values.name}/{self.layout}"

    @classmethod
    def named(cls, name: str) -> Encoding:
        """The encoding of a name such as ``"spark/packed"``.

        Raises
        ------
        MappingError
            If there is no such code or layout.
        """
        values, _, layout = name.partition("/")
        if layout not in LAYOUTS:
            raise MappingError(
                f"encoding {name!r}: expected a code for values and a layout ({', '.join(LAYOUTS)}), as in "
                "spark/packed",
                name=name,
            )
        return cls(value_code(values), layout)


def encodings(names: Iterable[str] | None = None) -> tuple[Encoding, ...]:
    """Encodings by their names; by default floats, ints and SPARK in every layout, floats first."""
    if names is None:
        names = [f"{values}/{layout}" for layout in LAYOUTS for values in DEFAULT_VALUES]
    made = tuple(Encoding.named(name) for name in dict.fromkeys(names))
    if not made:
        raise MappingError("no encodings are given; name at least one, as in spark/packed")
    return made
