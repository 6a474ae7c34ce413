"""One recurrent layer on whole sequences: what it is given, and the jobs that are timed.

Every contestant gets the same weights, inputs and targets, and does the same jobs; it only brings the layer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch

from . import Build, Built, Measured, Parameters, Setup

Arrays = Mapping[str, npt.NDArray[np.float64]]
JOBS = ("backward", "optimiser", "inference", "check", "check64")
THETA, TAU_M, TAU_S, DT = 1.0, 20.0, 5.0, 1.0
"""Of the LIF layer: threshold and time constants (ms); v' = (i - v) / tau_m, i' = -i / tau_s."""
KEEP_I, KEEP_V = math.exp(-DT / TAU_S), math.exp(-DT / TAU_M)
INTO_V = TAU_S / (TAU_S - TAU_M) * (KEEP_I - KEEP_V)
"""Of its exact integration over a step: i becomes KEEP_I i, v becomes KEEP_V v + INTO_V i."""


class Layer(Protocol):
    """A layer with its parameters."""

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Outputs (steps, batch, units) of inputs (steps, batch, inputs), from rest."""
        ...

    def parameters(self) -> list[torch.Tensor]:
        """What is trained."""
        ...

    def gradients(self) -> dict[str, torch.Tensor]:
        """Of the last loss, by the names of :func:`weights`; empty where the layer is another model."""
        ...


@dataclass(frozen=True)
class Task:
    """What a layer is built from and given; float64, for each contestant to cast.

    Attributes
    ----------
    weights : mapping
        EGRU: kernel (C, 3H), recurrent (H, 3H), bias (3H,), recurrent_bias (3H,), threshold (H,), which is frozen;
        columns are update gate, reset gate, candidate. LIF: kernel (C, H), recurrent (H, H).
    x : (steps, batch, C)
    target : (steps, batch, H)
    """

    weights: Arrays
    x: npt.NDArray[np.float64]
    target: npt.NDArray[np.float64]


def task(model: str, parameters: Parameters, seed: int) -> Task:
    """Random weights, and events of which a share of ``active`` is not zero: graded for the EGRU, ones for the LIF."""
    rng = np.random.default_rng([seed, model == "lif"])
    steps, batch, inputs, units = (int(parameters[name]) for name in ("steps", "batch", "inputs", "units"))
    columns = 3 * units if model == "egru" else units
    weights = {
        "kernel": rng.normal(0, parameters["gain"] / np.sqrt(inputs * parameters["active"]), (inputs, columns)),
        "recurrent": rng.normal(0, parameters["gain"] / np.sqrt(units), (units, columns)),
    }
    if model == "egru":
        weights |= {"bias": rng.normal(0, 0.1, columns), "recurrent_bias": rng.normal(0, 0.1, columns)}
        weights["threshold"] = rng.uniform(0.5, 1.0, units) * parameters["threshold"]
    x = np.where(rng.random((steps, batch, inputs)) < parameters["active"], 1.0, 0.0)
    if model == "egru":
        x *= rng.uniform(0.5, 1.5, x.shape)
    return Task(weights, x, rng.uniform(0, 1, (steps, batch, units)))


def loss_of(y: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Mean squared error."""
    return (y - target).square().mean()


def networks(model: str, build: Callable[[Task, torch.dtype], Layer]) -> dict[str, Build]:
    """All jobs of a model, as ``NETWORKS`` of a contestant wants them.

    Parameters
    ----------
    model : "egru" or "lif"
    build : callable
        Makes the layer.
    """

    def job(kind: str) -> Build:
        def built(parameters: Parameters, setup: Setup) -> Built:
            torch.set_num_threads(max(1, setup.threads))
            given = task(model, parameters, setup.seed)
            dtype = torch.float64 if kind == "check64" else torch.float32
            layer = build(given, dtype)
            x, target = torch.from_numpy(given.x).to(dtype), torch.from_numpy(given.target).to(dtype)
            return Built(_runs(kind, layer, x, target, setup))

        return built

    return {f"{model}_{kind}": job(kind) for kind in JOBS}


def _runs(kind: str, layer: Layer, x: torch.Tensor, target: torch.Tensor, setup: Setup) -> Callable[[float], Measured]:
    parameters = layer.parameters()
    optimiser = torch.optim.AdamW(parameters, lr=1e-6, foreach=True)  # so slow that the activity stays what it is

    def train() -> torch.Tensor:
        for parameter in parameters:
            parameter.grad = None
        loss = loss_of(layer(x), target)
        loss.backward()
        if kind == "optimiser":
            optimiser.step()
        return loss

    def infer() -> None:
        with torch.inference_mode():
            layer(x)

    def run(times: float) -> Measured:
        if kind.startswith("check"):
            return _check(layer, train, x, setup)
        once = infer if kind == "inference" else train
        began = perf_counter()
        for _ in range(round(times)):
            once()
        return Measured(perf_counter() - began, {})

    return run


def _check(layer: Layer, train: Callable[[], torch.Tensor], x: torch.Tensor, setup: Setup) -> Measured:
    """Loss, outputs and gradients, into ``check.npz`` of the folder."""
    began = perf_counter()
    loss = train()
    wall = perf_counter() - began
    with torch.inference_mode():
        y = layer(x)
    found = {"loss": loss, "y": y, **layer.gradients()}
    np.savez(setup.folder / "check.npz", **{name: value.detach().numpy() for name, value in found.items()})
    return Measured(wall, {"loss": loss.item(), "active": float((y != 0).double().mean())})
