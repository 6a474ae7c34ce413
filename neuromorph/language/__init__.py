"""The language: a neuron is a class body of ports, parameters, states and equations, and so is a plastic synapse.

Python runs the body once and what it binds is data, expression graphs with units and types, which lowering turns into
step programs and printers into LaTeX, HTML and text.
"""

from neuromorph.language.expr import Expr, Operand, Type
from neuromorph.language.functions import (
    abs_,
    dt,
    exp,
    floor,
    log,
    maximum,
    minimum,
    normal,
    poisson,
    rint,
    sigmoid,
    sqrt,
    step,
    tanh,
    to_float,
    to_int,
    trunc,
    trunc_div,
    trunc_shift,
    uniform,
    where,
    white_noise,
)
from neuromorph.language.make import make_neuron
from neuromorph.language.neuron import METHODS, EventSpec, Neuron, ParamSpec, PortSpec, StateSpec, neuron
from neuromorph.language.symbols import Event, Param, Port, State
from neuromorph.language.synapse import Synapse, SynapseState, ViewSpec, synapse
from neuromorph.language.synapse_symbols import PostState, PostView, PreState, PreView, Third, Weight, event_value

__all__ = [
    "METHODS",
    "Event",
    "EventSpec",
    "Expr",
    "Neuron",
    "Operand",
    "Param",
    "ParamSpec",
    "Port",
    "PortSpec",
    "PostState",
    "PostView",
    "PreState",
    "PreView",
    "State",
    "StateSpec",
    "Synapse",
    "SynapseState",
    "Third",
    "Type",
    "ViewSpec",
    "Weight",
    "abs_",
    "dt",
    "event_value",
    "exp",
    "floor",
    "log",
    "make_neuron",
    "maximum",
    "minimum",
    "neuron",
    "normal",
    "poisson",
    "rint",
    "sigmoid",
    "sqrt",
    "step",
    "synapse",
    "tanh",
    "to_float",
    "to_int",
    "trunc",
    "trunc_div",
    "trunc_shift",
    "uniform",
    "where",
    "white_noise",
]
