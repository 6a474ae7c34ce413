"""How values flow through a Nengo model: from spikes and inputs, through passthrough nodes, to ensembles and probes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.interchange.nengo.filters import DIRECT, Filter, linear_filter
from neuromorph.interchange.nengo.neurons import event_unit

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Series:
    """The output of a node: one vector, or one for each step.

    Attributes
    ----------
    name : str
    values : array (size,) or (steps, size)
    """

    name: str
    values: Array

    @property
    def constant(self) -> bool:
        """Whether it never changes."""
        return self.values.ndim == 1


@dataclass(frozen=True, eq=False)
class Relay:
    """Holds the decoded value that an ensemble gets, and sends it on.

    Attributes
    ----------
    name : str
    """

    name: str


@dataclass(frozen=True, eq=False)
class Path:
    """Linear transmission from one source to one target.

    Attributes
    ----------
    source : nengo.Ensemble, Series or Relay
        Spikes of an ensemble's neurons, a node's output, or a relay's value.
    matrix : array (size of the target, size of the source)
        In currents of neurons if `direct_current`, else in the target's own dimensions. An event of value 1 counts 1.
    filter : Filter
    direct_current : bool
    """

    source: Any
    matrix: Array
    filter: Filter
    direct_current: bool = False


class Paths:
    """All paths of a built model.

    Parameters
    ----------
    model : nengo.builder.Model
        Built, so that its decoders are solved.
    steps : int or None
        How long outputs of nodes that change in time are computed for.
    seed : int
        Of processes that have no seed of their own.
    """

    def __init__(self, model: Any, steps: int | None, seed: int) -> None:
        import nengo

        self.problems: list[str] = []
        self._nengo = nengo
        self._model = model
        self._steps = steps
        self._seed = seed
        self._connections = [x for x in model.params if isinstance(x, nengo.Connection)]
        self._series: dict[Any, Series] = {}
        self._filters: dict[Any, Filter] = {}

    def to(self, target: Any) -> list[Path]:
        """Every path to an ensemble, its neurons, a passthrough node or a probe."""
        return [path for c in self._connections if c.post_obj == target for path in self._through(c)]

    def probed(self, probe: Any) -> list[Path]:
        """Paths to a probe, whatever it probes."""
        nengo, dt = self._nengo, self._model.dt
        if isinstance(probe.target, nengo.Node):
            node = probe.target
            found = self.to(node) if node.output is None else [self._from_node(node, None, np.eye(node.size_out))]
            return [Path(p.source, p.matrix, self._chain(p.filter, probe.synapse, probe)) for p in found]
        if isinstance(probe.target, nengo.ensemble.Neurons):
            n = probe.target.size_out
            matrix = np.eye(n) * event_unit(probe.target.ensemble.neuron_type, dt)
            return [Path(probe.target.ensemble, matrix, self._chain(DIRECT, probe.synapse, probe))]
        return self.to(probe)

    def _through(self, c: Any) -> Iterator[Path]:
        nengo = self._nengo
        weights = self._model.params[c].weights
        if isinstance(c.pre_obj, nengo.Ensemble):
            current = bool(c.solver.weights) and isinstance(c.post_obj, nengo.Ensemble)
            matrix = np.atleast_2d(weights) * event_unit(c.pre_obj.neuron_type, self._model.dt)
            if not current:
                matrix = self._at_post(c, matrix)
            yield Path(c.pre_obj, matrix, self._chain(DIRECT, c.synapse, c), current)
            return
        matrix = _full(weights, c.size_mid)
        if isinstance(c.pre_obj, nengo.Node) and c.pre_obj.output is not None:
            path = self._from_node(c.pre_obj, c, matrix)
            yield Path(path.source, self._at_post(c, path.matrix), self._chain(DIRECT, c.synapse, c))
            return
        size = c.pre_obj.size_out
        matrix = self._at_post(c, matrix @ np.eye(size)[c.pre_slice])
        if isinstance(c.pre_obj, nengo.Node):
            for path in self.to(c.pre_obj):
                yield Path(path.source, matrix @ path.matrix, self._chain(path.filter, c.synapse, c))
            return
        ensemble = c.pre_obj.ensemble
        matrix = matrix * event_unit(ensemble.neuron_type, self._model.dt)
        yield Path(ensemble, matrix, self._chain(DIRECT, c.synapse, c))

    @staticmethod
    def _at_post(c: Any, matrix: Array) -> Array:
        """Rows put where a connection ends in its target."""
        placed = np.zeros((c.post_obj.size_in, matrix.shape[1]))
        np.add.at(placed, np.arange(c.post_obj.size_in)[c.post_slice], matrix)
        return placed

    def _chain(self, before: Filter, synapse: Any, where: Any) -> Filter:
        if synapse is None:
            return before
        if synapse not in self._filters:
            made = linear_filter(synapse, self._model.dt)
            if made is None:
                self.problems.append(f"{where}: {synapse} passes its input on beside its state")
                made = DIRECT
            clash = any(made.name == f.name and made != f for f in self._filters.values())
            name = f"{made.name}_{len(self._filters)}" if clash else made.name
            self._filters[synapse] = Filter(name, made.a, made.b, made.c, made.d)
        if before != DIRECT:
            self.problems.append(f"{where}: two synapses one after the other; keep one and set the other to None")
        return self._filters[synapse]

    def _from_node(self, node: Any, c: Any, matrix: Array) -> Path:
        function = None if c is None else c.function
        key = (node, None if function is None else c)
        if key not in self._series:
            values = self._values(node)
            if function is not None:
                rows = np.atleast_2d(values)[:, c.pre_slice]
                values = np.array([np.ravel(function(row)) for row in rows]).reshape(*values.shape[:-1], -1)
            self._series[key] = Series(_label(node), values)
        if c is not None and function is None:
            matrix = matrix @ np.eye(node.size_out)[c.pre_slice]
        return Path(self._series[key], matrix, DIRECT)

    def _values(self, node: Any) -> Array:
        output, dt = node.output, self._model.dt
        if not callable(output) and not isinstance(output, self._nengo.Process):
            return np.array(output, np.float64).reshape(-1)
        steps = self._steps or 0
        if isinstance(output, self._nengo.Process):
            rng = np.random.RandomState(self._seed if output.seed is None else output.seed)
            return np.asarray(output.run_steps(steps, d=node.size_out, dt=dt, rng=rng), np.float64)
        values = [np.ravel(output(k * dt)) for k in range(1, steps + 1)]
        return np.array(values, np.float64).reshape(steps, node.size_out)


def _label(thing: Any) -> str:
    return (thing.label or type(thing).__name__.lower()).replace("/", " ")


def _full(weights: Any, size: int) -> Array:
    """A transform as a matrix: none is the identity, a number or a vector a diagonal."""
    if weights is None:
        return np.eye(size)
    array = np.asarray(weights, np.float64)
    return array if array.ndim == 2 else np.eye(size) * array
