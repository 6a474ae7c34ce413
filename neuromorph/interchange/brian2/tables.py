"""Brian 2's tables of values over time: fed in where it is known when which entry is read, else written out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import LanguageError
from neuromorph.interchange.brian2.given import dimension
from neuromorph.language import Expr, Port, Type, maximum, minimum, rint, step, to_float, to_int, where
from neuromorph.language.expr import as_expr, const, nodes
from neuromorph.units import Dimension, si_unit

if TYPE_CHECKING:
    from neuromorph.interchange.brian2.names import GroupNames

Array = npt.NDArray[Any]
WRITTEN_OUT = 4096
"""Entries of a table that are chosen from one by one where it is not known before which of them is read."""
LONGEST = 1 << 24
"""Values of a table over time that are sent."""


@dataclass(frozen=True)
class Feed:
    """Values over time that come in from outside of a population.

    Attributes
    ----------
    name : str
        Of the table.
    values : float64 array (steps, columns)
        What is to arrive in each step, in SI units.
    columns : int array (neurons,) or None
        The column of each neuron; None: the first, for all.
    """

    name: str
    values: Array
    columns: Array | None


def read_table(name: str, table: Any, names: GroupNames, args: Sequence[Expr]) -> Expr:
    """The entry of a `TimedArray`.

    Where the time that is read moves on evenly, by itself and a constant of each neuron, the entries come in step by
    step, however long the table is. Where neither it nor the column is known before, all entries are written out. A
    column beyond the table is its nearest.

    Parameters
    ----------
    name : str
    table : brian2.TimedArray
    names : GroupNames
    args : sequence of Expr
        The time and, for a table with columns, the column.

    Raises
    ------
    LanguageError
        For too many entries, too few arguments, or a column that there is not.
    """
    given = np.asarray(table.values, np.float64)
    if len(args) != given.ndim:
        raise LanguageError(f"{name}() is called with {len(args)} arguments, but has {given.ndim} dimensions")
    dim = dimension(table.dim)
    column = args[1] if given.ndim == 2 else as_expr(0)
    fixed = names.static(column)
    if fixed is not None:
        fixed = fixed.astype(np.int64)
        if fixed.size and (fixed.min() < 0 or fixed.max() >= given.reshape(len(given), -1).shape[1]):
            raise LanguageError(f"{name}(): column {int(fixed.max())} is read of {given.shape[1]}")
        feed = _over_time(name, table, names, args[0], fixed)
        if feed is not None:
            return _port(feed, names, dim)
    if given.size > WRITTEN_OUT:
        raise LanguageError(
            f"{name}(): which of its {given.size} entries is read is not known before, as the time that it is read at "
            f"does not move on evenly; at most {WRITTEN_OUT} can be chosen from"
        )
    return _written_out(table, names, args[0], column, dim)


# --- fed in -----------------------------------------------------------------------------------------------------------
def _over_time(name: str, table: Any, names: GroupNames, time: Expr, column: Array) -> Feed | None:
    """What is read in each step until it changes no more; None if the time does not move on evenly."""
    size = int(names.group.N)
    own = {str(node.payload): names.values_of(node) for node in nodes(time) if names.varies(node)}
    if own or column.ndim:
        every = [*own.values(), np.broadcast_to(column, (size,))]
        _, chosen, number = np.unique(np.stack(every, axis=1), axis=0, return_index=True, return_inverse=True)
        each, read = number.reshape(-1), np.broadcast_to(column, (size,))[chosen]
    else:
        chosen, each, read = np.zeros(1, np.int64), None, column.reshape(1)
    fixed = {parameter: values[chosen] for parameter, values in own.items()}
    function = table.implementations["numpy"].get_code(owner=names.group)
    end = len(table.values) * table.dt
    length = max(int(np.ceil(end / float(names.group.clock.dt_))) + 2, 3)
    while length * len(chosen) <= LONGEST:
        times = names.static(_of_step(time), step_number=np.arange(length)[:, None], **fixed)
        if times is None or times.ndim < 2:
            return None
        times = np.broadcast_to(times, (length, len(chosen)))
        rates = np.diff(times, axis=0)
        if (rates[0] <= 0).any() or not np.allclose(rates, rates[0], rtol=1e-6):
            return None
        if times[-1].min() > end:
            entries = function(times) if table.values.ndim == 1 else function(times, read)
            return Feed(name, np.asarray(entries, np.float64), each)
        length *= 2
    return None


def _of_step(time: Expr) -> Expr:
    """The same expression with a parameter in place of the step's number."""
    made: dict[int, Expr] = {}
    for node in nodes(time):
        if node.op == "step":
            made[id(node)] = Expr("param", (), node.dim, Type.INT, "step_number")
        else:
            args = tuple(made[id(a)] for a in node.args)
            made[id(node)] = Expr(node.op, args, node.dim, node.type, node.payload, node.unit) if args else node
    return made[id(time)]


def _port(feed: Feed, names: GroupNames, dim: Dimension) -> Expr:
    """What arrives of a table; the first step's value is a parameter, for nothing can arrive there."""
    known = [n for n, f in names.feeds.items() if f.name == feed.name and _same(f, feed)]
    count = sum(f.name == feed.name for f in names.feeds.values())
    port = known[0] if known else f"{feed.name}_at_t" + (f"_{count}" if count else "")
    if not known:
        names.feeds[port] = feed
        names.own(port, Port(unit=si_unit(dim)))
    began = names.began()
    row = feed.values[min(int(began.default), len(feed.values) - 1)]
    first = names.constant(f"{port}_first", row if feed.columns is None else row[feed.columns], dim)
    last = names.constant(
        f"{port}_last", feed.values[-1] if feed.columns is None else feed.values[-1][feed.columns], dim
    )
    arrived: Expr = names.symbols[port]
    return where(step == began, first, where(step >= len(feed.values), last, arrived))


def _same(a: Feed, b: Feed) -> bool:
    same = a.columns is b.columns or (
        a.columns is not None and b.columns is not None and np.array_equal(a.columns, b.columns)
    )
    return same and np.array_equal(a.values, b.values)


# --- written out ------------------------------------------------------------------------------------------------------
def _written_out(table: Any, names: GroupNames, time: Expr, column: Expr, dim: Dimension) -> Expr:
    """The entry, chosen bit by bit of its number: one choice for each entry."""
    from brian2.input.timedarray import _find_K

    values = np.asarray(table.values, np.float64).reshape(len(table.values), -1)
    parts = _find_K(float(names.group.clock.dt_), table.dt)
    seconds = Expr("const", (), time.dim, Type.FLOAT, table.dt / parts)
    row = _within(to_int(rint(time / seconds) / float(parts)), len(values))
    number = row * values.shape[1] + _within(column, values.shape[1]) if values.shape[1] > 1 else row
    return _chosen([const(float(entry), dim) for entry in values.reshape(-1)], number)


def _within(number: Expr, count: int) -> Expr:
    return minimum(maximum(number if number.type is Type.INT else to_int(to_float(number)), 0), count - 1)


def _chosen(entries: Sequence[Expr], number: Expr) -> Expr:
    """The entry of that number."""
    bit = 0
    while len(entries) > 1:
        odd = ((number >> (bit + 1)) << 1) != (number >> bit)
        pairs = zip(entries[::2], [*entries[1::2], entries[-1]], strict=False)
        entries = [where(odd, high, low) for low, high in pairs]
        bit += 1
    return entries[0]
