"""A population's parameters as tensors that train."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from neuromorph.errors import NetworkError
from neuromorph.language.expr import Type
from neuromorph.language.neuron import Neuron
from neuromorph.lowering.values import initial_statics, parameter_values
from neuromorph.network.population import Population
from neuromorph.train.modules.step import PopulationStep
from neuromorph.train.printing.derived import Evaluation, depends


class PopulationValues(nn.Module):
    """Parameters and initial states of one population: an attribute for each that trains, in its declared unit.

    ``Param(20 * ms)`` is 20. Shape (), or (size,) where each neuron has its own.
    """

    def __init__(
        self, population: Population, names: tuple[str, ...], dt: float, seed: int, dtype: torch.dtype
    ) -> None:
        super().__init__()
        neuron = population.neuron
        assert isinstance(neuron, Neuron)
        self.name = population.name
        self._size = population.size
        self.names = names
        self.scales = {spec.name: float(spec.unit.scale) for spec in neuron.params if spec.name in names}
        self.scales |= {spec.name: float(spec.unit.scale) for spec in neuron.states if spec.name in names}
        values = parameter_values(neuron, population.size, seed, population.index)
        starts = initial_statics(neuron, values, population.size, dt, seed, population.index)
        values |= {name: static.value for name, static in starts.items()}
        for name in names:
            if hasattr(self, name):
                raise NetworkError(
                    f"population {population.name}: a parameter called {name!r} cannot train, since modules of PyTorch "
                    "have an attribute of that name; call it otherwise",
                    name=name,
                )
            start = torch.tensor(values[name] / self.scales[name], dtype=dtype)
            self.register_parameter(name, nn.Parameter(start))

    def bind(self, step: PopulationStep) -> None:
        """Take a program whose parameters are to be given by :meth:`slots`."""
        self._step = step
        for slot, static in enumerate(step.statics):
            if slot not in step.trained and static.value.ndim:
                kind = torch.int64 if static.value.dtype.kind == "i" else step.dtype
                value = torch.from_numpy(np.array(static.value)).to(kind)
                self.register_buffer(f"_slot{slot}", value, persistent=False)
        for k, start in enumerate(step.initial):
            value = torch.from_numpy(np.array(start.value)).to(step.state_dtypes[k])
            self.register_buffer(f"_state{k}", value, persistent=False)

    def given(self) -> dict[str, Tensor]:
        """Parameters that train, in SI units."""
        return {
            name: getattr(self, name) if scale == 1.0 else getattr(self, name) * scale
            for name, scale in self.scales.items()
        }

    def slots(self, device: torch.device) -> list[Tensor]:
        """Value of each parameter of the step program."""
        step, given = self._step, self.given()
        evaluation = Evaluation({name: value.double() for name, value in given.items()}, device)
        found: list[Tensor] = []
        for slot, static in enumerate(step.statics):
            if slot not in step.trained:
                found.append(self.get_buffer(f"_slot{slot}"))
            elif static.op == "param":
                found.append(given[static.payload])
            else:
                value = evaluation(static)
                found.append(value.to(step.dtype) if value.is_floating_point() else value)
        return found

    def initial(self, batch: int) -> list[Tensor]:
        """States before the first step: (batch, size)."""
        given = self.given()
        names, states = frozenset(given), []
        for k, (start, kind) in enumerate(zip(self._step.initial, self._step.state_dtypes, strict=True)):
            value = self.get_buffer(f"_state{k}")
            if depends(start, names):
                evaluation = Evaluation({name: v.double() for name, v in given.items()}, value.device)
                value = evaluation(start).to(kind)
            states.append(value.expand(batch, self._size))
        return states


def trained_names(population: Population, asked: Mapping[str, Any]) -> tuple[str, ...]:
    """What trains of a population: parameters with a value for each neuron, and what was asked for.

    Raises
    ------
    NetworkError
        A name that the neuron does not have, or that of an int.
    """
    neuron = population.neuron
    if not isinstance(neuron, Neuron):
        return ()
    given = dict(neuron.values)
    types = {p.name: p.type for p in neuron.params} | {s.name: s.type for s in neuron.states}
    names = [p.name for p in neuron.params if p.type is Type.FLOAT and _each(given.get(p.name))]
    for name in asked.get(population.name, ()):
        if name not in types:
            raise NetworkError(
                f"trainable: population {population.name} has no parameter or state {name!r}; it has "
                f"{', '.join(types) or 'none'}",
                name=name,
            )
        if types[name] is Type.INT:
            raise NetworkError(
                f"trainable: {population.name}.{name} is an int, which has no gradient; leave it out", name=name
            )
        names.append(name)
    return tuple(name for name in types if name in names)


def _each(value: Any) -> bool:
    return hasattr(value, "sample") or np.ndim(getattr(value, "value", value)) > 0 if value is not None else False
