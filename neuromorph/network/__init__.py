"""Populations, projections and networks, and the synapses that they become."""

from neuromorph.network.builders import build, build_projection
from neuromorph.network.conduction import DistanceDelay
from neuromorph.network.distributions import (
    Clipped,
    Distribution,
    Exponential,
    Integers,
    LogNormal,
    Normal,
    Truncated,
    Uniform,
)
from neuromorph.network.forecast import Forecast, ProjectionForecast
from neuromorph.network.grid import Grid, on_grid, uniform_grid
from neuromorph.network.network import Network
from neuromorph.network.population import Population, PortRef
from neuromorph.network.projection import Projection
from neuromorph.network.readings import Reading
from neuromorph.network.recordings import Recording, SynapseRecording
from neuromorph.network.rules import (
    AllToAll,
    AvgPool2D,
    Connections,
    Conv1D,
    Conv2D,
    Count,
    Dense,
    Disc,
    DistanceDependent,
    ExponentialDecay,
    FixedInDegree,
    FixedOutDegree,
    FixedProbability,
    FixedTotal,
    Gaussian,
    OneToOne,
    Rule,
    Sparse,
    Stream,
    SumPool2D,
)
from neuromorph.network.sources import EventsOf, EventSource, Live, Lookup
from neuromorph.network.synapses import Synapses

__all__ = [
    "AllToAll",
    "AvgPool2D",
    "Clipped",
    "Connections",
    "Conv1D",
    "Conv2D",
    "Count",
    "Dense",
    "Disc",
    "DistanceDelay",
    "DistanceDependent",
    "Distribution",
    "EventSource",
    "EventsOf",
    "Exponential",
    "ExponentialDecay",
    "FixedInDegree",
    "FixedOutDegree",
    "FixedProbability",
    "FixedTotal",
    "Forecast",
    "Gaussian",
    "Grid",
    "Integers",
    "Live",
    "LogNormal",
    "Lookup",
    "Network",
    "Normal",
    "OneToOne",
    "Population",
    "PortRef",
    "Projection",
    "ProjectionForecast",
    "Reading",
    "Recording",
    "Rule",
    "Sparse",
    "Stream",
    "SumPool2D",
    "SynapseRecording",
    "Synapses",
    "Truncated",
    "Uniform",
    "build",
    "build_projection",
    "on_grid",
    "uniform_grid",
]
