"""Connection rules: data until a network is built."""

from neuromorph.network.rules.convolution import AvgPool2D, Conv1D, Conv2D, SumPool2D
from neuromorph.network.rules.distance import Disc, DistanceDependent, ExponentialDecay, Gaussian
from neuromorph.network.rules.explicit import Dense, Sparse
from neuromorph.network.rules.random import FixedInDegree, FixedOutDegree, FixedProbability, FixedTotal
from neuromorph.network.rules.rule import Connections, Count, Rule, Stream
from neuromorph.network.rules.simple import AllToAll, OneToOne

__all__ = [
    "AllToAll",
    "AvgPool2D",
    "Connections",
    "Conv1D",
    "Conv2D",
    "Count",
    "Dense",
    "Disc",
    "DistanceDependent",
    "ExponentialDecay",
    "FixedInDegree",
    "FixedOutDegree",
    "FixedProbability",
    "FixedTotal",
    "Gaussian",
    "OneToOne",
    "Rule",
    "Sparse",
    "Stream",
    "SumPool2D",
]
