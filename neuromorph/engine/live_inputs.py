"""What live sources are given and what comes of it, for every engine."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, TypeGuard

import numpy as np
import numpy.typing as npt

from neuromorph.errors import TargetError
from neuromorph.network.sources import Live, Lookup

Array = npt.NDArray[Any]
Given = npt.ArrayLike | tuple[npt.ArrayLike, ...]
"""An array of all neurons of a source, or a tuple (indices,) or (indices, values); for a Lookup an id."""


class Fired(NamedTuple):
    """Events of one population, as views that the next step overwrites.

    Attributes
    ----------
    steps : int64 (n,)
    indices : uint32 (n,)
    values : float (n,) or None
        None: spikes.
    """

    steps: npt.NDArray[np.int64]
    indices: npt.NDArray[np.uint32]
    values: Array | None


def is_live(source: object) -> TypeGuard[Live | Lookup]:
    """Whether a population's events are given while it runs."""
    return isinstance(source, Live) or (isinstance(source, Lookup) and source.ids is None)


def read_id(name: str, rows: int, given: Given) -> int:
    """The row that a source looks up.

    Raises
    ------
    TargetError
        No int, or no row of the table.
    """
    array = np.asarray(given)
    if array.size != 1 or array.dtype.kind not in "iu" or not -1 <= (row := int(array.reshape(-1)[0])) < rows:
        raise TargetError(
            f"live source {name}: given {given!r:.80}; give the id of a row, 0 to {rows - 1}, -1 for none"
        )
    return row


def read_given(name: str, size: int, graded: bool, given: Given) -> Array | tuple[Array, Array | None]:
    """What a source of so many neurons is given: an array (size,), or indices and values.

    Raises
    ------
    TargetError
        A wrong shape or type.
    """
    if not isinstance(given, tuple):
        array = given if isinstance(given, np.ndarray) else np.asarray(given)
        if array.size != size or array.dtype.kind not in "biuf":
            raise TargetError(
                f"live source {name}: given an array of shape {array.shape} ({array.dtype}); give {size} numbers, 0 "
                f"where nothing is sent, or a tuple (indices{', values' if graded else ','})"
            )
        return array if array.ndim == 1 else array.reshape(-1)
    indices = np.asarray(given[0]) if given else np.empty(0)
    values = np.asarray(given[1]) if graded and len(given) > 1 else None
    fits = len(given) == 1 + graded and (values is None or values.shape == indices.shape)
    if not fits or indices.ndim != 1 or len(indices) > size or (len(indices) and indices.dtype.kind not in "iu"):
        raise TargetError(
            f"live source {name}: given a tuple of shapes {[np.shape(each) for each in given]}; give "
            f"({'indices, values' if graded else 'indices,'}) of one length, the indices ints, at most {size} of them"
        )
    return indices, values


def wrong_indices(name: str, size: int, indices: Array) -> TargetError:
    """Says that a list of events is not in order or names no neurons."""
    return TargetError(
        f"live source {name}: indices must ascend, each once, from 0 to {size - 1}; given {indices.tolist()!r:.80}"
    )


def no_source(network: str, source: object, known: Iterable[str]) -> TargetError:
    """Says that something is no live source."""
    names = ", ".join(known)
    have = f"its live sources are {names}" if names else "it has none: give a population Live(size) as its neuron"
    return TargetError(f"{source!r} is no live source of network {network}; {have}")


def no_state(population: str, name: str, known: Iterable[str]) -> TargetError:
    """Says that a population has no such state to look at."""
    return TargetError(
        f"population {population} has no state {name!r} to look at; it has {', '.join(known) or 'none'} (named "
        "intermediates have to be recorded)"
    )


def no_output(name: object, known: Iterable[str]) -> KeyError:
    """Says that a population's events were not asked for."""
    return KeyError(f"{name!r}; outputs are {', '.join(known) or 'none'}: name populations in live(outputs=...)")
