"""How values flow through a Nengo model: from spikes and inputs, through passthrough nodes, to ensembles and probes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from neuromorph.interchange.nengo.filters import DIRECT, Filter
from neuromorph.interchange.nengo.neurons import event_unit
from neuromorph.interchange.nengo.processes import Series, filter_of, in_series, series
from neuromorph.interchange.nengo.transforms import (
    Weights,
    eye,
    picked,
    placed,
    plain,
    times,
    transform_weights,
)

Array = npt.NDArray[np.float64]
Into = Literal["value", "current", "neurons"]


@dataclass(frozen=True, eq=False)
class Relay:
    """Holds a decoded value, and sends it on.

    Attributes
    ----------
    name : str
    of : Any
        The ensemble whose value it is, or the learned connection.
    """

    name: str
    of: Any


@dataclass(frozen=True, eq=False)
class Path:
    """Linear transmission from one source to one target.

    Attributes
    ----------
    source : nengo.Ensemble, Series or Relay
        Spikes of an ensemble's neurons, a node's output, or a relay's value.
    weights : array, sparse array or Shared (size of the target, size of the source)
        An event of value 1 counts 1.
    filter : Filter
    into : {"value", "current", "neurons"}
        Whether the target's own dimensions are meant, currents of its neurons, or what becomes one by its gain.
    learned : nengo.Connection or None
        The connection whose learning rule changes the weights.
    """

    source: Any
    weights: Weights
    filter: Filter
    into: Into = "value"
    learned: Any = None


class Paths:
    """All paths of a built model.

    Parameters
    ----------
    model : nengo.builder.Model
        Built, so that its decoders are solved.
    steps : int or None
        How long outputs of nodes that change in time are computed for.
    relayed : callable
        The relay of a learned connection, or None where its weights go to the neurons themselves.
    """

    def __init__(self, model: Any, steps: int | None, relayed: Any) -> None:
        import nengo

        self.problems: list[str] = []
        self._nengo = nengo
        self._model = model
        self._steps = steps or 0
        self._relayed = relayed
        self._connections = [x for x in model.params if isinstance(x, nengo.Connection)]
        self._series: dict[Any, Series] = {}
        self._filters: dict[Filter, Filter] = {}
        self._open: list[Any] = []

    def to(self, target: Any) -> list[Path]:
        """Every path to an ensemble, its neurons, a passthrough node, a learning rule or a probe."""
        if target in self._open:
            self.problems.append(f"{target}: a loop of passthrough nodes; put an ensemble into it")
            return []
        self._open.append(target)
        found = [path for c in self._connections if c.post_obj == target for path in self.along(c, at_post=True)]
        self._open.pop()
        return found

    def probed(self, probe: Any) -> list[Path]:
        """Paths to a probe, whatever it probes."""
        nengo, obj = self._nengo, probe.obj
        if isinstance(obj, nengo.ensemble.Neurons):
            unit = event_unit(obj.ensemble.neuron_type, self._model.dt)
            found = [Path(obj.ensemble, eye(obj.size_out) * unit, DIRECT)]
        elif isinstance(obj, nengo.Connection):
            return list(self.along(obj, at_post=False))
        elif isinstance(obj, nengo.Ensemble) and probe.attr == "decoded_output":
            return self.to(probe)
        else:
            found = self._out_of(obj)
        if probe.slice is not None:
            found = [replace(p, weights=times(picked(probe.slice, p.weights.shape[0]), p.weights)) for p in found]
        return [replace(p, filter=self._chain(p.filter, probe.synapse, probe)) for p in found]

    def relayed_input(self, c: Any) -> list[Path]:
        """What a learned connection gives its relay."""
        return [replace(p, learned=c) for p in self._from_neurons(c)]

    def along(self, c: Any, at_post: bool) -> Iterator[Path]:
        """The paths that a connection makes, in the dimensions of its target or its own."""
        relay = self._relayed(c)
        paths = [Path(relay, eye(c.size_out), DIRECT)] if relay else self._crossing(c)
        if not at_post:
            yield from paths
            return
        into: Into = "neurons" if isinstance(c.post_obj, self._nengo.ensemble.Neurons) else "value"
        for path in paths:
            if path.into == "current":
                yield path
            else:
                weights = times(placed(c.post_slice, c.post_obj.size_in), path.weights)
                yield replace(path, weights=weights, into=into)

    def _crossing(self, c: Any) -> list[Path]:
        """What comes out of a connection, in its own dimensions."""
        if isinstance(c.pre_obj, self._nengo.Ensemble | self._nengo.ensemble.Neurons) and not _direct(c.pre_obj):
            learned = c if c.learning_rule_type is not None and not self._only_encoders(c) else None
            return [replace(p, learned=learned) for p in self._from_neurons(c)]
        if isinstance(c.pre_obj, self._nengo.Node) and c.pre_obj.output is not None and c.function is not None:
            key = (c.pre_obj, c)
            if key not in self._series:
                self._series[key] = self._of_node(c.pre_obj).mapped(c.function, c.pre_slice)
            found = [Path(self._series[key], eye(c.size_mid), DIRECT)]
        else:
            part = picked(c.pre_slice, c.pre_obj.size_out)
            found = [replace(p, weights=times(part, p.weights)) for p in self._out_of(c.pre_obj)]
        weights = transform_weights(c.transform, self._model.params[c].weights, c.size_mid)
        return [
            replace(p, weights=times(weights, p.weights), filter=self._chain(p.filter, c.synapse, c)) for p in found
        ]

    def _from_neurons(self, c: Any) -> list[Path]:
        """What neurons send through a connection."""
        weights = self._model.params[c].weights
        item = self._chain(DIRECT, c.synapse, c)
        if isinstance(c.pre_obj, self._nengo.Ensemble):
            current = bool(c.solver.weights) and isinstance(c.post_obj, self._nengo.Ensemble)
            unit = event_unit(c.pre_obj.neuron_type, self._model.dt)
            return [Path(c.pre_obj, np.atleast_2d(weights) * unit, item, "current" if current else "value")]
        ensemble = c.pre_obj.ensemble
        unit = event_unit(ensemble.neuron_type, self._model.dt)
        matrix = times(transform_weights(c.transform, weights, c.size_mid), picked(c.pre_slice, c.pre_obj.size_out))
        return [Path(ensemble, matrix * unit, item)]

    def _out_of(self, obj: Any) -> list[Path]:
        """What a node, or an ensemble in direct mode, puts out."""
        if isinstance(obj, self._nengo.Node) and obj.output is not None:
            return [Path(self._of_node(obj), eye(obj.size_out), DIRECT)]
        return self.to(obj)

    def _of_node(self, node: Any) -> Series:
        if node not in self._series:
            self._series[node] = series(node, plain_label(node), self._steps, self._model.dt, self._model.seeds[node])
        return self._series[node]

    def _only_encoders(self, c: Any) -> bool:
        return isinstance(c.learning_rule_type, self._nengo.Voja)

    def _chain(self, before: Filter, synapse: Any, where: Any) -> Filter:
        """One filter after another, under a name that no other filter has."""
        if synapse is None:
            return before
        made = filter_of(synapse, self._model.dt)
        assert made is not None
        both = made if before == DIRECT else in_series(before, made)
        if both not in self._filters:
            taken = any(both.name == known.name for known in self._filters.values())
            self._filters[both] = replace(both, name=f"{both.name}_{len(self._filters)}") if taken else both
        return self._filters[both]


def encoded(path: Path, encoders: Array) -> Path:
    """A path to an ensemble's value, in currents of its neurons."""
    return replace(path, weights=encoders @ plain(path.weights), into="current")


def _direct(obj: Any) -> bool:
    return type(getattr(obj, "neuron_type", None)).__name__ == "Direct"


def plain_label(thing: Any) -> str:
    """A name without slashes."""
    return (thing.label or type(thing).__name__.lower()).replace("/", " ")
