"""From a network to straight-line step programs: checking, integration, expansion and derived parameters."""

from neuromorph.lowering.listing import text
from neuromorph.lowering.network import check, lower, lower_population
from neuromorph.lowering.neuron import REFRACTORY, LoweredNeuron, lower_neuron
from neuromorph.lowering.program import EventList, LoweredNetwork, LoweredPopulation, Op, Slot, StepProgram
from neuromorph.lowering.verify import verify

__all__ = [
    "REFRACTORY",
    "EventList",
    "LoweredNetwork",
    "LoweredNeuron",
    "LoweredPopulation",
    "Op",
    "Slot",
    "StepProgram",
    "check",
    "lower",
    "lower_neuron",
    "lower_population",
    "text",
    "verify",
]
