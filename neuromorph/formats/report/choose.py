"""Formats by their names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import product

from neuromorph.errors import FormatError
from neuromorph.formats import Fixed, Float, Int, NumberFormat, Spark
from neuromorph.formats.spark import SIGNS
from neuromorph.formats.tables import ROUNDINGS

_SPARK = {form.name: form for form in (Spark(rounding, sign) for rounding, sign in product(ROUNDINGS, SIGNS))}


def read_formats(names: str | Sequence[str | NumberFormat]) -> dict[str, NumberFormat]:
    """Formats by name, in the order given.

    Parameters
    ----------
    names : str or sequence of str or NumberFormat
        ``"spark"``, and ``"spark-nearest"``, ``"spark-twos"``, ``"spark-unsigned"``, ``"spark-nearest-twos"``,
        ``"spark-nearest-unsigned"`` (see :class:`neuromorph.formats.Spark`); ``"int8"`` and others; ``"fixed16.8"``, of
        16 bits and 8 of them after the point; ``"float32"``, ``"float16"``. In one string, commas are between them.
        Formats that are given as such may have a scale; where names would be the same, all of a format is its name.

    Raises
    ------
    FormatError
        A name that is unknown, or no name at all.
    """
    parts = [part.strip() for part in names.split(",")] if isinstance(names, str) else names
    given = [_named(each) if isinstance(each, str) else each for each in parts]
    if not given:
        raise FormatError("formats: none is given; give one such as 'spark'")
    short = [each.name for each in given]
    return {each.name if short.count(each.name) == 1 else repr(each): each for each in given}


def _named(name: str) -> NumberFormat:
    """One format."""
    if name in _SPARK:
        return _SPARK[name]
    if found := re.fullmatch(r"int(\d{1,2})", name):
        return Int(int(found[1]))
    if found := re.fullmatch(r"fixed(\d{1,2})\.(-?\d{1,2})", name):
        return Fixed(int(found[1]), int(found[2]))
    if found := re.fullmatch(r"float(\d{1,2})", name):
        return Float(int(found[1]))
    raise FormatError(
        f"formats: no format {name!r}; there are {', '.join(_SPARK)}, int2 to int32, fixedB.F (bits, and those after "
        "the point), float16 and float32"
    )
