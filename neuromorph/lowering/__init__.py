"""From a network to straight-line step programs: checking, integration, expansion and derived parameters."""

from neuromorph.lowering.listing import text
from neuromorph.lowering.network import (
    check,
    lower,
    lower_population,
    refuse_further,
    refuse_paths,
    refuse_plastic,
    refuse_readings,
)
from neuromorph.lowering.neuron import REFRACTORY, LoweredNeuron, lower_neuron
from neuromorph.lowering.plastic import PlasticProjection, SynapseProgram
from neuromorph.lowering.program import EventList, EventTable, LoweredNetwork, LoweredPopulation, Op, Slot, StepProgram
from neuromorph.lowering.synapse import lower_synapse
from neuromorph.lowering.verify import verify

__all__ = [
    "REFRACTORY",
    "EventList",
    "EventTable",
    "LoweredNetwork",
    "LoweredNeuron",
    "LoweredPopulation",
    "Op",
    "PlasticProjection",
    "Slot",
    "StepProgram",
    "SynapseProgram",
    "check",
    "lower",
    "lower_neuron",
    "lower_population",
    "lower_synapse",
    "refuse_further",
    "refuse_paths",
    "refuse_plastic",
    "refuse_readings",
    "text",
    "verify",
]
