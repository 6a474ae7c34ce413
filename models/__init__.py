"""Neurons and networks, written with the public language only.

Neurons are here; networks are in modules of their own: :mod:`balanced`, :mod:`mnist`, :mod:`braille`, :mod:`decoder`,
:mod:`egru_layers`, :mod:`language_model`; those with :mod:`classifier` in common are :mod:`braille_letters`,
:mod:`digits` and :mod:`perceptron`. :mod:`wikitext` is a corpus.
"""

from .hodgkin_huxley import TraubMilesCOBA
from .integer import IntegerCUBA, PixelEncoder, RoundedSum
from .integrate_and_fire import (
    LIF,
    AdEx,
    Izhikevich,
    LeakyIntegrator,
    LIFConductance,
    LIFDelta,
    LIFDeltaPoisson,
    VogelsAbbottCOBA,
    VogelsAbbottCUBA,
)
from .multiply_accumulate import CodedRectifier, Rectifier
from .recurrent import EGRUEvNN, EGRUEvNNCoded, EGRUEvNNWindowed, EGRUPaper, Linear
from .sources import BernoulliSource, PoissonSource

__all__ = [
    "LIF",
    "AdEx",
    "BernoulliSource",
    "CodedRectifier",
    "EGRUEvNN",
    "EGRUEvNNCoded",
    "EGRUEvNNWindowed",
    "EGRUPaper",
    "IntegerCUBA",
    "Izhikevich",
    "LIFConductance",
    "LIFDelta",
    "LIFDeltaPoisson",
    "LeakyIntegrator",
    "Linear",
    "PixelEncoder",
    "PoissonSource",
    "Rectifier",
    "RoundedSum",
    "TraubMilesCOBA",
    "VogelsAbbottCOBA",
    "VogelsAbbottCUBA",
]
