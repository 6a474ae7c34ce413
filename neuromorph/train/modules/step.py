"""One population's step: its program, the parameters that train, and the printed variants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from neuromorph.language.expr import Type
from neuromorph.language.neuron import Neuron
from neuromorph.lowering.neuron import REFRACTORY, lower_neuron
from neuromorph.lowering.program import Float, StepProgram
from neuromorph.lowering.statics import Static
from neuromorph.lowering.values import initial_statics, parameter_values
from neuromorph.network.population import Population
from neuromorph.train.printing.derived import depends
from neuromorph.train.printing.printer import Printed, printed
from neuromorph.train.printing.surrogate import Surrogate
from neuromorph.train.printing.variants import Key, Stepped, stepped

TYPES = {Type.FLOAT: None, Type.INT: torch.int64, Type.BOOL: torch.bool}


@dataclass
class PopulationStep:
    """A population's step program and its variants.

    Attributes
    ----------
    stepped : Stepped
    statics : tuple of Static
        How each parameter of the program is made.
    trained : frozenset of int
        Slots that depend on parameters that train.
    initial : tuple of Static
        Of each state, shape () or (size,).
    """

    name: str
    stepped: Stepped
    statics: tuple[Static, ...]
    trained: frozenset[int]
    initial: tuple[Static, ...]
    surrogate: Surrogate
    detach_reset: bool
    dtype: torch.dtype
    _printed: dict[tuple[Key, bool, bool], Printed] = field(default_factory=dict)

    @property
    def program(self) -> StepProgram:
        """The program that variants are made of."""
        return self.stepped.program

    @property
    def int_ports(self) -> tuple[bool, ...]:
        """For each port, whether it takes ints."""
        return tuple(port.type is Type.INT for port in self.program.ports)

    @property
    def state_dtypes(self) -> tuple[torch.dtype, ...]:
        """Type of each state as a tensor."""
        return tuple(TYPES[slot.type] or self.dtype for slot in self.program.states)

    @property
    def observed_dtypes(self) -> tuple[torch.dtype, ...]:
        """Type of each observable as a tensor."""
        return tuple(TYPES[self.program.ops[k].type] or self.dtype for _, k in self.program.observables)

    @property
    def random(self) -> bool:
        """Whether it draws random numbers."""
        return any(op.code in ("random", "poisson") for op in self.program.ops)

    @property
    def words(self) -> tuple[int, ...]:
        """Random words that a step draws."""
        return tuple(op.payload for op in self.program.ops if op.code == "random")

    def at(self, step: int, gradient: bool, indicator: bool) -> tuple[Printed, tuple[Any, ...]]:
        """The printed variant of a step of the engine, and the numbers that it takes."""
        key, hosts = self.stepped.at(step)
        known = (key, gradient, indicator)
        found = self._printed.get(known)
        if found is None:
            which = "".join(" yes" if on else " no" for on in key)
            found = self._printed[known] = printed(
                self.program,
                self.stepped.variant(key),
                self.surrogate,
                self.trained,
                gradient=gradient,
                indicator=indicator,
                detach_reset=self.detach_reset,
                label=f"{self.name}{which}",
            )
        return found, hosts

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_printed": {}}  # printed functions are no part of what is copied or pickled

    def source(self) -> str:
        """The code of every variant that has run."""
        return "\n\n\n".join(each.source for each in self._printed.values())


def population_step(
    population: Population,
    dt: float,
    dtype: Float,
    seed: int,
    trained: frozenset[str],
    *,
    observe: Sequence[str],
    surrogate: Surrogate,
    detach_reset: bool,
) -> PopulationStep:
    """Lower one population for training.

    Parameters
    ----------
    trained : frozenset of str
        Names of parameters and initial states that may change.
    """
    neuron = population.neuron
    assert isinstance(neuron, Neuron)
    lowered = lower_neuron(
        neuron, dt, dtype, population.size, observe=observe, seed=seed, index=population.index, whole=True
    )
    dependent = [depends(static, trained) for static in lowered.statics]
    made = stepped(lowered.program, lowered.param_values, dependent)
    params = parameter_values(neuron, population.size, seed, population.index)
    starts = initial_statics(neuron, params, population.size, dt, seed, population.index)
    starts[REFRACTORY] = Static((REFRACTORY,), REFRACTORY, np.zeros((), np.int64), True)
    for name in trained & starts.keys():
        starts[name] = Static(("state", name), name, starts[name].value, False, "param", payload=name)
    return PopulationStep(
        population.name,
        made,
        tuple(lowered.statics[k] for k in made.kept),
        frozenset(new for new, old in enumerate(made.kept) if dependent[old]),
        tuple(starts[slot.name] for slot in made.program.states),
        surrogate,
        detach_reset,
        torch.float32 if dtype == "float32" else torch.float64,
    )
