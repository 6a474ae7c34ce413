"""The synapses of a projection as they are at one moment, for reading after a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from neuromorph.errors import NetworkError
from neuromorph.language.suggest import suggestion
from neuromorph.lowering.plastic import PlasticProjection
from neuromorph.lowering.program import LoweredNetwork
from neuromorph.network.rules.explicit import Sparse
from neuromorph.network.synapses import Synapses
from neuromorph.units import Quantity, Unit

if TYPE_CHECKING:
    from neuromorph.network import Network, Projection

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False, repr=False)
class SynapseValues:
    """Synapses, one row each, and what their source and target neurons keep for them.

    ``values["w"]`` is a state by name; ``len(values)`` is the number of synapses.

    Attributes
    ----------
    name : str
        Of the projection.
    pre, post : int64 (synapses,)
        Source and target neuron of each synapse.
    delays : int64 (synapses,)
        Steps.
    weights : array or Quantity (synapses,), or None
        In the unit of the port. None where outputs alone say what synapses deliver.
    states : mapping of str to array or Quantity
        States of the synapse model with their units, the weight excepted: one value for each synapse, or for each
        neuron if it is a PreState or PostState.
    """

    name: str
    pre: Array
    post: Array
    delays: Array
    weights: Any
    states: Mapping[str, Any]

    def __len__(self) -> int:
        return len(self.pre)

    def __getitem__(self, name: str) -> Any:
        if name not in self.states:
            raise NetworkError(f"projection {self.name}: no state {name!r}; {suggestion(name, self.states)}", name=name)
        return self.states[name]

    def sparse(self) -> Sparse:
        """A rule that makes these synapses, with these weights and delays, in another network.

        Raises
        ------
        NetworkError
            They have no weights.
        """
        if self.weights is None:
            raise NetworkError(f"projection {self.name}: its synapses have outputs instead of a weight")
        return Sparse((self.pre, self.post, self.weights, self.delays))

    def __repr__(self) -> str:
        states = f", states {', '.join(self.states)}" if self.states else ""
        return f"<SynapseValues {self.name}: {len(self):,} synapses{states}>"


class Described(Protocol):
    """A program that knows its network."""

    network: Network
    lowered: LoweredNetwork


class Built(Protocol):
    """A built projection whose synapses do not change, however it is stored."""

    @property
    def name(self) -> str:
        """Of the projection."""
        ...

    def expanded(self) -> Synapses:
        """Its synapses in rows, or dense."""
        ...


def read_synapses(
    program: Described, projection: str | Projection, built: Sequence[Built], states: Mapping[int, Sequence[Array]]
) -> SynapseValues:
    """The synapses of a projection of a program.

    Parameters
    ----------
    built : sequence of Built
        The projections whose synapses do not change.
    states : mapping of int to sequence of arrays
        Present states of each plastic projection, by its index in the network.

    Raises
    ------
    NetworkError
    """
    name = projection if isinstance(projection, str) else projection.name
    static = {each.name: each for each in built}
    plastic = {p.name: p for p in program.lowered.plastic}
    if name in plastic:
        lowered = plastic[name]
        return _plastic(program.network.projections[lowered.index], lowered, states[lowered.index])
    if name in static:
        synapses = static[name].expanded()
        return _static(program.network.projections[synapses.index], synapses)
    known = {**static, **plastic}
    raise NetworkError(f"{program.lowered.name} has no projection {name!r}; {suggestion(name, known)}", known=[*known])


def _plastic(projection: Projection, lowered: PlasticProjection, states: Sequence[Array]) -> SynapseValues:
    synapse = projection.synapse
    assert synapse is not None
    specs = dict(zip((s.name for s in synapse.states), zip(synapse.states, states, strict=True), strict=True))
    weights: Any = None
    if synapse.weight is not None:
        numbers = np.asarray(specs.pop(synapse.weight)[1], np.float64) * lowered.scale
        weights = _with_unit(numbers, projection.port_spec.unit)
    return SynapseValues(
        lowered.name,
        lowered.sources(),
        lowered.targets.astype(np.int64),
        lowered.delays(),
        weights,
        {name: _with_unit(np.array(values, np.float64), spec.unit) for name, (spec, values) in specs.items()},
    )


def _static(projection: Projection, synapses: Synapses) -> SynapseValues:
    count = synapses.count
    if synapses.row_ptr is None or synapses.targets is None:
        sources = np.repeat(np.arange(synapses.n_pre), synapses.n_post)
        targets = np.tile(np.arange(synapses.n_post), synapses.n_pre)
    else:
        sources = np.repeat(np.arange(synapses.n_pre), np.diff(synapses.row_ptr))
        targets = synapses.targets.astype(np.int64)
    weights = synapses.weights if synapses.weight_index is None else synapses.weights[synapses.weight_index]
    numbers = np.broadcast_to(weights, (count,)).astype(np.float64) * (synapses.weight_scale or 1.0)
    delays = np.broadcast_to(synapses.delays, (count,)).astype(np.int64)
    unit = projection.port_spec.unit
    return SynapseValues(synapses.name, sources, targets, delays, _with_unit(numbers, unit), {})


def _with_unit(numbers: Array, unit: Unit) -> Any:
    return numbers if unit.dim.is_none else Quantity(numbers, unit.dim, unit)
