"""Learned connections of a built Nengo model as plastic projections."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.interchange.nengo.learning import plastic, source_side, target_side
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

    rule, dt = c.learning_rule, built.dt
    neurons = isinstance(target, nengo.Ensemble)
    post_ensemble = getattr(c.post_obj, "ensemble", c.post_obj)
    post = np.arange(target.n_neurons if neurons else c.size_out)
    if isinstance(rule.learning_rule_type, nengo.Voja):
        return _moving_encoders(built, rule, state, target)
    if isinstance(c.post_obj, nengo.ensemble.Neurons):
        post = np.atleast_1d(post[c.post_slice])
    pre_ensemble = getattr(c.pre_obj, "ensemble", c.pre_obj)
    pre = np.arange(pre_ensemble.n_neurons)
    if isinstance(c.pre_obj, nengo.ensemble.Neurons):
        pre = np.atleast_1d(pre[c.pre_slice])
    unit = event_unit(pre_ensemble.neuron_type, dt)
    side = None
    if hasattr(rule.learning_rule_type, "post_synapse"):
        kind = post_ensemble.neuron_type
        side = target_side(rule, event_unit(kind, dt), output_state(kind), dt)
    synapse = plastic(rule, source_side(rule, unit, dt), side, unit, len(pre), state, dt)
    error = _error(built, c, target) if isinstance(rule.learning_rule_type, nengo.PES) else None
    return Learned(synapse, state, error, pre, post)


def _moving_encoders(built: Any, rule: Any, state: str, target: Any) -> Learned:
    """From the relay, which holds the ensemble's value, to the neurons."""
    kind, params = target.neuron_type, built.params[target]
    side = target_side(rule, event_unit(kind, built.dt), output_state(kind), built.dt)
    synapse = plastic(rule, source_side(rule, 1.0, built.dt), side, 1.0, target.dimensions, state, built.dt)
    scale = np.asarray(params.gain, np.float64) / target.radius
    ends = np.arange(target.dimensions), np.arange(target.n_neurons)
    return Learned(synapse(scale=scale), state, np.ones((target.n_neurons, 1)), *ends)


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
