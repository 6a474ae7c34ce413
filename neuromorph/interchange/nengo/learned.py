"""Learned connections of a built Nengo model as plastic projections."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.interchange.nengo.filters import DIRECT
from neuromorph.interchange.nengo.learning import Place, Side, plastic, side
from neuromorph.interchange.nengo.neurons import event_unit, output_state
from neuromorph.interchange.nengo.transforms import Weights, plain
from neuromorph.language import Synapse
from neuromorph.network import Dense, Network, Population, Projection, Sparse
from neuromorph.network.population import PortRef

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Learned:
    """How a connection learns.

    Attributes
    ----------
    synapse : Synapse
    state : str
        Of the target's neurons: what the rule's own input, its error, makes of each.
    error : array (neurons of the target, size of the rule's input) or None
        What that input is multiplied by; None if the rule has none.
    pre, post : int arrays
        Neurons between which there are synapses, every pair.
    """

    synapse: Synapse
    state: str
    error: Array | None
    pre: npt.NDArray[np.int64]
    post: npt.NDArray[np.int64]

    def project(self, net: Network, source: Population, port: PortRef, weights: Weights, name: str) -> Projection:
        """The plastic projection, which starts with ``weights`` (neurons of the target, of the source)."""
        matrix = plain(weights)
        transposed = np.ascontiguousarray((matrix if isinstance(matrix, np.ndarray) else matrix.toarray()).T)
        if transposed.shape == (len(self.pre), len(self.post)):
            return net.project(source, port, Dense(transposed), name=name, synapse=self.synapse)
        pre, post = (grid.ravel() for grid in np.meshgrid(self.pre, self.post, indexing="ij"))
        return net.project(source, port, Sparse((pre, post, transposed[pre, post])), name=name, synapse=self.synapse)


def learned_connection(built: Any, c: Any, state: str, target: Any) -> Learned:
    """What to make of a connection with a learning rule.

    Parameters
    ----------
    built : nengo.builder.Model
    c : nengo.Connection
    state : str
        A name for the target's state that the rule looks at.
    target : nengo.Ensemble or Relay
        Where its synapses end: at the neurons, or at a relay that holds what is decoded.
    """
    import nengo

    kind, dt = c.learning_rule_type, built.dt
    if isinstance(kind, nengo.Voja):
        return _moving_encoders(built, kind, state, target)
    before, after = (getattr(end, "ensemble", end) for end in (c.pre_obj, c.post_obj))
    pre = np.arange(before.n_neurons)
    if isinstance(c.pre_obj, nengo.ensemble.Neurons):
        pre = np.atleast_1d(pre[c.pre_slice])
    post = np.arange(target.n_neurons if isinstance(target, nengo.Ensemble) else c.size_out)
    if isinstance(c.post_obj, nengo.ensemble.Neurons):
        post = np.atleast_1d(post[c.post_slice])
    unit = event_unit(before.neuron_type, dt)
    place = Place(side(kind, "pre", unit, None, dt), _of_target(kind, after, dt), unit, len(pre), state, dt)
    error = _error(built, c, target) if isinstance(kind, nengo.PES) else None
    return Learned(plastic(kind, place), state, error, pre, post)


def _of_target(kind: Any, after: Any, dt: float) -> Side:
    """The target's side of a rule; a node has no activity, and only rules that need none end there."""
    neurons = getattr(after, "neuron_type", None)
    if neurons is None:
        return side(kind, "post", 1.0, None, dt)
    return side(kind, "post", event_unit(neurons, dt), output_state(neurons), dt)


def _moving_encoders(built: Any, kind: Any, state: str, target: Any) -> Learned:
    """From the relay, which holds the ensemble's value, to the neurons."""
    params, dt = built.params[target], built.dt
    relayed = Side(DIRECT, 1.0)
    place = Place(relayed, _of_target(kind, target, dt), 1.0, target.dimensions, state, dt)
    scale = np.asarray(params.gain, np.float64) / target.radius
    ends = np.arange(target.dimensions), np.arange(target.n_neurons)
    return Learned(plastic(kind, place)(scale=scale), state, np.ones((target.n_neurons, 1)), *ends)


def _error(built: Any, c: Any, target: Any) -> Array:
    """What an error means for each neuron that the connection reaches."""
    import nengo

    if not isinstance(target, nengo.Ensemble):
        return np.eye(c.size_out)
    encoders: Array = np.asarray(built.params[target].scaled_encoders, np.float64)
    if isinstance(c.post_obj, nengo.ensemble.Neurons):
        reached = np.zeros((target.n_neurons, 1))
        reached[c.post_slice] = 1.0
        return encoders * reached
    return np.asarray(encoders[:, c.post_slice], np.float64)
