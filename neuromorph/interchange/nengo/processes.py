"""Nengo's processes: outputs of nodes and noise as series of values, and synapses as discrete filters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import NetworkError
from neuromorph.interchange.nengo.filters import Filter
from neuromorph.network import EventSource, Lookup

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Series:
    """What a node puts out: one vector, one for each step, or rows of a table that come again and again.

    Attributes
    ----------
    name : str
    values : array (size,) or (steps, size) or (rows, size)
    rows : int array (steps,), optional
        Which row of ``values`` each step has.

    Raises
    ------
    NetworkError
        A value is infinite or no number.
    """

    name: str
    values: Array
    rows: npt.NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        if not np.isfinite(self.values).all():
            row = int(np.argwhere(~np.isfinite(self.values))[0][0])
            where = "" if self.constant else f" in row {row}" if self.rows is not None else f" in step {row}"
            raise NetworkError(f"Nengo node {self.name}: what it puts out is not finite{where}", name=self.name)

    @property
    def constant(self) -> bool:
        """Whether it never changes."""
        return self.values.ndim == 1

    def first(self) -> Array:
        """The vector of the first step."""
        return np.asarray(self.values[0 if self.rows is None else self.rows[0]], np.float64)

    def mapped(self, function: Callable[[Array], Any], part: Any) -> Series:
        """A function of a part of each vector."""
        rows = np.atleast_2d(self.values)[:, part]
        values = np.array([np.ravel(function(row)) for row in rows], np.float64)
        return replace(self, values=values.reshape(*self.values.shape[:-1], -1))

    def source(self, ahead: bool) -> EventSource | Lookup:
        """A source of graded events; ``ahead`` sends each vector a step early, to act in the step it belongs to."""
        if self.rows is not None:
            return Lookup(self.values, self.rows[1:] if ahead else self.rows)
        return EventSource.from_dense(self.values[1:] if ahead else self.values)


def series(node: Any, name: str, steps: int, dt: float, seed: int) -> Series:
    """The output of a node without input.

    Parameters
    ----------
    node : nengo.Node
        Its output is a constant, a function of time, or a process.
    name : str
    steps : int
        How many to compute.
    dt : float
        Length of a step in seconds.
    seed : int
        Of a process that has none of its own.
    """
    import nengo

    output = node.output
    if isinstance(output, nengo.processes.PresentInput):
        times = np.arange(steps) * dt / float(output.presentation_time)
        inputs = output.inputs.reshape(len(output.inputs), -1).astype(np.float64)
        return Series(name, inputs, (times + 1e-7).astype(np.int64) % len(inputs))
    if isinstance(output, nengo.Process):
        return Series(name, drawn(output, node.size_out, steps, dt, seed))
    if not callable(output):
        return Series(name, np.array(output, np.float64).reshape(-1))
    values = [np.ravel(output(k * dt)) for k in range(1, steps + 1)]
    return Series(name, np.array(values, np.float64).reshape(steps, node.size_out))


def drawn(process: Any, size: int, steps: int, dt: float, seed: int) -> Array:
    """What a process without input makes, (steps, size)."""
    rng = np.random.RandomState(seed if process.seed is None else process.seed)
    return np.asarray(process.run_steps(steps, d=size, dt=dt, rng=rng), np.float64)


def filter_of(synapse: Any, dt: float) -> Filter | None:
    """A synapse of Nengo as a discrete filter: linear ones of any order, and the triangle; None for others.

    Parameters
    ----------
    synapse : nengo.synapses.Synapse
    dt : float
        Length of a step in seconds.
    """
    import nengo

    kind = type(synapse)
    if kind is nengo.synapses.Triangle:
        return _shift_register(round(synapse.t / dt) + 1, f"triangle_{synapse.t * 1e6:.0f}us")
    linear = nengo.LinearFilter
    if not isinstance(synapse, linear) or (kind.make_step, kind._get_ss) != (linear.make_step, linear._get_ss):
        return None
    return _linear(synapse, dt)


def _linear(synapse: Any, dt: float) -> Filter:
    from nengo.utils.filter_design import cont2discrete, tf2ss

    a, b, c, d = tf2ss(synapse.num, synapse.den)
    if synapse.analog and len(a):
        a, b, c, d, _ = cont2discrete((a, b, c, d), dt, method=synapse.method)
    name = f"{type(synapse).__name__.lower()}_{getattr(synapse, 'tau', 0.0) * 1e6:.0f}us"
    through = float(np.asarray(d).item())
    if not len(a):
        return Filter(name, d=through)
    if through:  # the output, c x + d u before x moves, becomes a state of its own
        a = np.block([[a, np.zeros((len(a), 1))], [c, np.zeros((1, 1))]])
        b, c = np.append(np.ravel(b), through), np.append(np.zeros(len(a) - 1), 1.0)
    elif len(a) == 1:
        b, c = np.array([b.item() * c.item()]), np.ones(1)
    return _made(name, a, b, c)


def _shift_register(taps: int, name: str) -> Filter:
    """A filter whose weights fall evenly to 0 over its taps, and sum to 1."""
    fall = np.arange(taps, 0, -1, dtype=np.float64)
    return _made(name, np.eye(taps, k=-1), np.eye(taps)[0], fall / fall.sum())


def in_series(first: Filter, then: Filter) -> Filter:
    """Two filters, one after the other, each a step late as Nengo has them.

    A filter without states, of a synapse, is a delay of a step and a factor.
    """
    one, two = _stateful(first), _stateful(then)
    n, m = len(one.b), len(two.b)
    a = np.zeros((n + m, n + m))
    a[:n, :n], a[n:, n:] = one.a, two.a
    a[n:, :n] = np.outer(two.b, one.c)
    return _made(f"{first.name}_{then.name}", a, np.append(one.b, np.zeros(m)), np.append(np.zeros(n), two.c))


def _stateful(item: Filter) -> Filter:
    return item if item.b else replace(item, a=((0.0,),), b=(item.d,), c=(1.0,), d=0.0)


def _made(name: str, a: Array, b: Array, c: Array) -> Filter:
    rows = tuple(tuple(float(x) for x in row) for row in np.asarray(a))
    return Filter(name, rows, tuple(np.ravel(b).tolist()), tuple(np.ravel(c).tolist()), 0.0)
