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
from neuromorph.lowering.values import parameter_values
from neuromorph.network.population import Population
from neuromorph.train.derived import Evaluation, depends
from neuromorph.train.step import PopulationStep


class PopulationValues(nn.Module):
    """Parameters of one population: an attribute for each that trains, in the unit that the neuron declares it in.

    Shape (), or (size,) where each neuron has its own.
    """

    def __init__(self, population: Population, names: tuple[str, ...], seed: int, dtype: torch.dtype) -> None:
        super().__init__()
        neuron = population.neuron
        assert isinstance(neuron, Neuron)
        self.name = population.name
        self.names = names
        self.scales = {name: float(neuron.param(name).unit.scale) for name in names}
        values = parameter_values(neuron, population.size, seed, population.index)
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
        for k, values in enumerate(step.initial):
            kind = step.state_dtypes[k]
            self.register_buffer(f"_state{k}", torch.from_numpy(np.array(values)).to(kind), persistent=False)

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
                found.append(getattr(self, f"_slot{slot}"))
            elif static.op == "param":
                found.append(given[static.payload])
            else:
                value = evaluation(static)
                found.append(value.to(step.dtype) if value.is_floating_point() else value)
        return found

    def initial(self, batch: int) -> list[Tensor]:
        """States before the first step: (batch, size)."""
        states: list[Tensor] = [getattr(self, f"_state{k}") for k in range(len(self._step.initial))]
        return [s.expand(batch, -1) for s in states]


def trained_names(population: Population, asked: Mapping[str, Any]) -> tuple[str, ...]:
    """Parameters of a population that train: those with a value for each neuron, and those asked for.

    Raises
    ------
    NetworkError
        A name that the neuron does not have, or that of an int.
    """
    neuron = population.neuron
    if not isinstance(neuron, Neuron):
        return ()
    given = dict(neuron.values)
    names = [p.name for p in neuron.params if p.type is Type.FLOAT and _each(given.get(p.name))]
    for name in asked.get(population.name, ()):
        spec = next((p for p in neuron.params if p.name == name), None)
        if spec is None:
            have = ", ".join(p.name for p in neuron.params) or "none"
            raise NetworkError(
                f"trainable: population {population.name} has no parameter {name!r}; it has {have}", name=name
            )
        if spec.type is Type.INT:
            raise NetworkError(
                f"trainable: {population.name}.{name} is an int, which has no gradient; leave it out", name=name
            )
        names.append(name)
    return tuple(dict.fromkeys(names))


def _each(value: Any) -> bool:
    return hasattr(value, "sample") or np.ndim(getattr(value, "value", value)) > 0 if value is not None else False


__all__ = ["PopulationValues", "depends", "trained_names"]
