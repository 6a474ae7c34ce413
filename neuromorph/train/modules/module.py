"""A network as a module of PyTorch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from neuromorph.errors import NetworkError
from neuromorph.language.neuron import Neuron
from neuromorph.lowering.network import check, refuse_further, refuse_plastic, refuse_readings
from neuromorph.lowering.program import Float
from neuromorph.network.builders import build_each
from neuromorph.network.network import Network
from neuromorph.network.population import Population
from neuromorph.network.projection import Projection
from neuromorph.network.values import seconds
from neuromorph.train.modules.kept import KeptMatrices
from neuromorph.train.modules.layout import Layout, layout
from neuromorph.train.modules.mode import evaluated
from neuromorph.train.modules.outputs import Outputs, read_outputs
from neuromorph.train.modules.parameters import PopulationValues, trained_names
from neuromorph.train.modules.plan import Link, plan
from neuromorph.train.modules.returned import returned
from neuromorph.train.modules.sequence import Call, Parts
from neuromorph.train.modules.sources import SourceRows, source_rows
from neuromorph.train.modules.state import State
from neuromorph.train.modules.step import PopulationStep, population_step
from neuromorph.train.modules.weights import ProjectionWeights, trains
from neuromorph.train.printing.derived import require_gradient
from neuromorph.train.printing.surrogate import Surrogate, Triangle
from neuromorph.units import Quantity

_DTYPES: dict[torch.dtype, Float] = {torch.float32: "float32", torch.float64: "float64"}


class Module(nn.Module):
    """A network whose weights and parameters train by back-propagation through time.

    Every neuron does its own step, printed for PyTorch (:meth:`source`); at event conditions gradients are those of a
    surrogate. Populations are retimed: row t of a population's output is what the engine emits at step t plus
    ``lags[population]``, so a chain of layers acts at once, as layers of PyTorch do.

    Weights and parameters that train are numbers in the units that ports and parameters were declared in, so that they
    are of a size that optimisers can deal with: ``Param(20 * ms)`` is 20. What a surrogate is given is in the unit of
    what is compared: for ``v > theta`` in mV, ``Triangle(support=0.1)`` reaches 10 mV to either side. Synapses that are
    listed become matrices (n_pre, n_post), so very large sparse projections take the memory of dense ones.

    Parameters
    ----------
    network : Network
    dt : Quantity or float
        Length of a step; seconds if a plain number.
    dtype : torch.float32 or torch.float64
    surrogate : Surrogate
        Of every event condition; a mapping gives populations by name their own, and ``""`` those not named.
    trainable : mapping of str to sequence of str, optional
        Parameters that train beside the default, by population: ``{"hidden": ["tau", "theta"]}``; also shared ones.
        ``{"a -> b": ["weight"]}`` names a projection. By default, all float weights that were given train, and every
        parameter with a value for each neuron; switch one off with ``requires_grad_(False)``.
    detach_reset : bool
        Pass no gradient through the choice to reset.
    outputs : sequence of str, optional
        What :meth:`forward` returns; default: every population without projections to others. ``"hidden"`` are event
        values (0 where there is none), ``"hidden.fired"`` is 1 where there is an event, ``"hidden.v"`` a state after
        each step or a named intermediate, as a trace has them, in SI units.
    device : torch.device or str, optional

    Attributes
    ----------
    lags : dict of str to int
        Steps by which each population runs behind the sources.
    seed : int
        Of noise; that of the network at first. Sample 0 draws the engine's own numbers, every other sample has an
        independent stream.

    Raises
    ------
    CheckError, NetworkError, LanguageError
        What keeps the network from running or training.
    """

    _anchor: Tensor  # moves with the module

    def __init__(
        self,
        network: Network,
        dt: Quantity | float,
        *,
        dtype: torch.dtype = torch.float32,
        surrogate: Surrogate | Mapping[str, Surrogate] | None = None,
        trainable: Mapping[str, Sequence[str]] | None = None,
        detach_reset: bool = False,
        outputs: Sequence[str] | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(network, Network):
            raise NetworkError(f"train.Module: expected a Network, got {network!r:.80}")
        if dtype not in _DTYPES:
            raise NetworkError(f"train.Module: dtype {dtype}; choose torch.float32 or torch.float64")
        self._network = network
        self._dtype = dtype
        self.dt = seconds(dt)
        self.seed = network.seed
        refuse_plastic(network, "train.Module")
        refuse_further(network, "train.Module")
        refuse_readings(network, "train.Module")
        check(network, self.dt)
        asked = dict(trainable or {})
        _check_trainable(network, asked)
        _check_surrogates(network, surrogate)
        self._outputs: Outputs = read_outputs(network, outputs)
        self.populations = nn.ModuleList()
        self.projections = nn.ModuleList()
        self._after = nn.ModuleDict()
        self._kept = KeptMatrices()
        self._steps: list[PopulationStep | None] = []
        for population in network.populations:
            self._add_population(population, asked, surrogate, detach_reset)
        links: list[Link] = []
        for projection, synapses in zip(
            network.projections, build_each(network, self.dt, dtype=_DTYPES[dtype], geometry=True), strict=True
        ):
            trained = trains(projection, asked.get(projection.name, ()))
            made = ProjectionWeights(projection, synapses, dtype, trained)
            self.projections.append(made)
            ends = projection.index, projection.pre.index, projection.post.index, projection.port_index
            links += [Link(*ends, delay, made.whole, False) for delay in made.delays]
        self._plan = plan(len(network.populations), links)
        weights = self._all_weights()
        for link in self._plan.links:
            if link.inside:
                weights[link.projection].unroll()
        self._layouts = self._laid_out()
        self.register_buffer("_anchor", torch.zeros(()), persistent=False)
        self.lags = {p.name: self._plan.lags[p.index] for p in network.populations}
        if device is not None:
            self.to(device)

    def _laid_out(self) -> tuple[Layout | None, ...]:
        sizes = [p.size for p in self._network.populations]
        whole = [() if step is None else step.int_ports for step in self._steps]
        convolved = frozenset(k for k, made in enumerate(self._all_weights()) if made.window is not None)
        return tuple(
            None if self._steps[members[0]] is None else layout(self._plan, members, sizes, whole, convolved)
            for members in self._plan.components
        )

    def _add_population(
        self,
        population: Population,
        asked: Mapping[str, Sequence[str]],
        surrogate: Surrogate | Mapping[str, Surrogate] | None,
        detach_reset: bool,
    ) -> None:
        if not isinstance(population.neuron, Neuron):
            rows = source_rows(population, self.dt, self._dtype)
            self._steps.append(None)
            self.populations.append(rows)
            return
        if isinstance(surrogate, Mapping):
            surrogate = surrogate.get(population.name, surrogate.get(""))
        names = trained_names(population, asked)
        step = population_step(
            population,
            self.dt,
            _DTYPES[self._dtype],
            self._network.seed,
            frozenset(names),
            observe=self._outputs.observed(population.name),
            surrogate=Triangle() if surrogate is None else surrogate,
            detach_reset=detach_reset,
        )
        for name in asked.get(population.name, ()):
            require_gradient(f"population {population.name}", name, (*step.statics, *step.initial))
        values = PopulationValues(population, names, self.dt, self._network.seed, self._dtype)
        values.bind(step)
        self._steps.append(step)
        self.populations.append(values)

    def _all_values(self) -> list[PopulationValues | SourceRows]:
        return cast("list[PopulationValues | SourceRows]", list(self.populations))

    def _all_weights(self) -> list[ProjectionWeights]:
        return cast("list[ProjectionWeights]", list(self.projections))

    # --- parts ----------------------------------------------------------------------------------------------------
    def projection(self, projection: str | Projection) -> ProjectionWeights:
        """The weights of a projection, as a module with the parameter ``weight``."""
        name = projection if isinstance(projection, str) else projection.name
        for module in self._all_weights():
            if module.name == name:
                return module
        have = ", ".join(repr(j.name) for j in self._network.projections) or "none"
        raise NetworkError(f"train.Module: no projection {name!r}; network {self._network.name} has {have}", name=name)

    def population(self, population: str | Population) -> PopulationValues | SourceRows:
        """The parameters of a population that train, as a module with an attribute for each."""
        return self._all_values()[self._network[_name(population)].index]

    def after(self, population: str | Population, transform: nn.Module) -> None:
        """Apply a module to what a population sends to others and to the outputs, over the whole sequence.

        The population's projections to itself, and among populations that reach each other, are left as they are.

        Parameters
        ----------
        population : str or Population
        transform : nn.Module
            Takes and returns (steps, batch, size).
        """
        if not isinstance(transform, nn.Module):
            raise NetworkError(f"train.Module.after: {transform!r:.80} is not a torch.nn.Module; wrap it in one")
        self._after[str(self._network[_name(population)].index)] = transform

    # --- use ------------------------------------------------------------------------------------------------------
    def forward(
        self,
        x: Tensor | Mapping[str, Tensor] | None = None,
        state: State | None = None,
        *,
        steps: int | None = None,
        batch: int | None = None,
    ) -> tuple[dict[str, Tensor], State]:
        """Run a sequence.

        Parameters
        ----------
        x : Tensor (steps, batch, n), or mapping of population names to such
            Events of the sources, 0 where there are none; a tensor is for the only source. Ints (steps, batch) are rows
            of a :class:`Lookup`'s table. Sources that are not given replay their own events.
        state : State, optional
            Where to go on; default: initial states, nothing on its way.
        steps, batch : int, optional
            Where nothing is given; default batch 1.

        Returns
        -------
        y : dict of str to Tensor (steps, batch, size)
        state : State
        """
        with parametrize.cached():
            return self.call(x, state, steps=steps, batch=batch).run()

    def call(
        self,
        x: Tensor | Mapping[str, Tensor] | None = None,
        state: State | None = None,
        *,
        steps: int | None = None,
        batch: int | None = None,
        outputs: Outputs | None = None,
    ) -> Call:
        """One call, read and checked but not run: see :meth:`forward`; ``outputs`` instead of those of the module."""
        parts = self.parts() if outputs is None else replace(self.parts(), outputs=outputs)
        return Call(parts, self.given(x), state, steps, batch, self.seed, self.device)

    @property
    def device(self) -> torch.device:
        """Where the module is."""
        return self._anchor.device

    def parts(self) -> Parts:
        """What the module is made of, for code that runs it in another way."""
        return Parts(
            self._network,
            self._plan,
            self._layouts,
            self._steps,
            self._all_values(),
            self._all_weights(),
            {int(index): transform for index, transform in self._after.items()},
            self._outputs,
            self._dtype,
            self._kept,
        )

    def given(self, x: Tensor | Mapping[str, Tensor] | None) -> dict[str, Tensor]:
        """Input as :meth:`forward` takes it, by the names of the sources."""
        sources = [p for p in self._network.populations if not isinstance(p.neuron, Neuron)]
        if x is None:
            return {}
        if not isinstance(x, Tensor | Mapping):
            raise NetworkError(
                f"train.Module: x is {type(x).__name__}; give a tensor, or a dict of tensors by the names of sources"
            )
        if isinstance(x, Tensor):
            if len(sources) != 1:
                names = ", ".join(p.name for p in sources) or "none"
                raise NetworkError(
                    f"train.Module: a tensor is given, but the network has {len(sources)} sources ({names}); give a "
                    "dict of tensors by name"
                )
            return {sources[0].name: x}
        for name in x:
            if name not in {p.name for p in sources}:
                names = ", ".join(p.name for p in sources) or "none"
                raise NetworkError(f"train.Module: {name!r} is no source of the network; sources are {names}")
        return dict(x)

    def network(self) -> Network:
        """A network of the same names with the present weights and parameters of ``eval`` mode, for any target."""
        with evaluated(self):
            return returned(self._network, self.dt, self._all_values(), self._all_weights())

    def source(self) -> str:
        """The code of every step that has run, and of its derivative."""
        return "\n\n\n".join(step.source() for step in self._steps if step is not None)


def _name(population: str | Population) -> str:
    return population if isinstance(population, str) else population.name


def _check_trainable(network: Network, asked: Mapping[str, Sequence[str]]) -> None:
    known = {p.name for p in network.populations} | {j.name for j in network.projections}
    for name, what in asked.items():
        if name not in known:
            raise NetworkError(
                f"trainable: network {network.name} has no population or projection {name!r}; it has "
                f"{', '.join(sorted(known)) or 'none'}",
                name=name,
            )
        if isinstance(what, str):
            raise NetworkError(f"trainable: give a list of names for {name!r}, as in [{what!r}]", name=name)
        if name not in {p.name for p in network.populations} and [*what] != ["weight"]:
            raise NetworkError(f"trainable: a projection has a weight alone; give {{{name!r}: ['weight']}}", name=name)


def _check_surrogates(network: Network, surrogate: Surrogate | Mapping[str, Surrogate] | None) -> None:
    given = surrogate if isinstance(surrogate, Mapping) else {} if surrogate is None else {"": surrogate}
    for name, each in given.items():
        if name:
            network[name]
        if isinstance(each, type) or not isinstance(each, Surrogate):
            raise NetworkError(f"surrogate: {each!r:.80} is none; give one such as train.Triangle()", name=name)
