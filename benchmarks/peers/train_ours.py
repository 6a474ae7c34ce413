"""Our modules: the same layers, written as networks."""

from __future__ import annotations

import torch

import neuromorph
from neuromorph import Dense, Live, Network, ms, train
from neuromorph.language import Event, Param, Port, State, neuron
from neuromorph.models.egru_layers import EGRUWeights, egru_layer
from neuromorph.network import Population

from . import Build
from .sequences import DT, TAU_M, TAU_S, THETA, Task, networks

DTYPES = {torch.float32: "float32", torch.float64: "float64"}


def version() -> str:
    """Of the package."""
    return neuromorph.__version__


@neuron
class LIF:
    """Exponential synapse and leaky membrane, integrated exactly; reset by subtraction."""

    a = Port()
    tau_m, tau_s, theta = Param(TAU_M * ms), Param(TAU_S * ms), Param(THETA)
    i, v = State(0.0), State(0.0)

    i.jump = a
    i.dot = -i / tau_s
    v.dot = (i - v) / tau_m
    spike = Event(when=v > theta)
    v.reset = v - theta


class Ours:
    """A network of one layer as a module."""

    def __init__(self, network: Network, layer: Population, dtype: torch.dtype) -> None:
        self.module = train.Module(network, DT * ms, dtype=dtype)
        self.layer = layer.name

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Outputs of a sequence."""
        return self.module(x)[0][self.layer]

    def parameters(self) -> list[torch.Tensor]:
        """Weights and biases."""
        return [parameter for parameter in self.module.parameters() if parameter.requires_grad]

    def gradient(self, *posts: str, pre: str) -> torch.Tensor:
        """Of the projections to some ports, side by side."""
        names = [f"{pre} -> {self.layer}" + (f".{post}" if post else "") for post in posts]
        return torch.cat([self.module.projection(name).weight.grad for name in names], 1)

    def gradients(self) -> dict[str, torch.Tensor]:
        """By name of the weight; where EvNN has two biases that are added, of the first."""
        if not hasattr(self.module.population(self.layer), "b_u"):
            return {"kernel": self.gradient("", pre="input"), "recurrent": self.gradient("", pre=self.layer)}
        values = self.module.population(self.layer)
        return {
            "kernel": self.gradient("a_u", "a_r", "a_x", pre="input"),
            "recurrent": self.gradient("a_u", "a_r", "a_y", pre=self.layer),
            "bias": torch.cat([getattr(values, name).grad for name in ("b_u", "b_r", "b_x")]),
        }


def egru(task: Task, dtype: torch.dtype) -> Ours:
    """One layer of :mod:`neuromorph.models.egru_layers`."""
    w = {name: value.astype(DTYPES[dtype]) for name, value in task.weights.items()}
    weights = EGRUWeights(w["kernel"], w["recurrent"], w["bias"], w["recurrent_bias"], w["threshold"])
    net = Network(name="egru")
    source = net.population(Live(w["kernel"].shape[0], graded=True), name="input")
    ours = Ours(net, egru_layer(net, source, weights, start=1, name="layer"), dtype)
    ours.module.population("layer").theta.requires_grad_(False)
    return ours


def lif(task: Task, dtype: torch.dtype) -> Ours:
    """Neurons written for this comparison."""
    kernel, recurrent = (task.weights[name].astype(DTYPES[dtype]) for name in ("kernel", "recurrent"))
    net = Network(name="lif")
    source = net.population(Live(kernel.shape[0]), name="input")
    layer = net.population(LIF, kernel.shape[1], name="layer")
    net.project(source, layer.a, Dense(kernel))
    net.project(layer, layer.a, Dense(recurrent))
    return Ours(net, layer, dtype)


NETWORKS: dict[str, Build] = networks("egru", egru) | networks("lif", lif)
