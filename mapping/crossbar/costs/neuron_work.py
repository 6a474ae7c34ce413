"""What the digital neurons compute in a step: operations of each population's step program, counted once."""

from __future__ import annotations

from dataclasses import dataclass

from neuromorph.lowering.program import LoweredNetwork, LoweredPopulation

WORD = 32
"""Bits of a state, a parameter or a port."""

_FREE = {"const", "step"}
_LOADED = {"state", "param", "port"}
_MULTIPLIED = {"mul", "div", "sqrt", "truncdiv"}


@dataclass(frozen=True)
class NeuronWork:
    """Operations that update one neuron once.

    Attributes
    ----------
    additions : int
        Additions, comparisons, shifts, selections and conversions: whatever an adder's circuit does.
    multiplications : int
        Multiplications; a division or a root counts as one, for want of a published price.
    words : int
        States, parameters and ports that are read, and states that are written.
    """

    additions: int
    multiplications: int
    words: int

    @property
    def operations(self) -> int:
        """Additions and multiplications."""
        return self.additions + self.multiplications


def neuron_work(lowered: LoweredNetwork) -> tuple[NeuronWork, ...]:
    """Work of each population of a network; replayed sources have none."""
    return tuple(_population(p) for p in lowered.populations)


def _population(population: LoweredPopulation) -> NeuronWork:
    program = population.program
    if program is None:
        return NeuronWork(0, 0, 0)
    codes = [program.ops[number].code for number in program.used]
    multiplications = sum(code in _MULTIPLIED for code in codes)
    loads = sum(code in _LOADED for code in codes)
    free = sum(code in _FREE for code in codes)
    return NeuronWork(len(codes) - multiplications - loads - free, multiplications, loads + len(program.new_states))
