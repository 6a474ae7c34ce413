"""NumPy, float32: the EGRU layer as dense products with a BLAS library."""

from __future__ import annotations

import numpy as np

from . import Build, Built, Parameters, Setup
from .egru_tokens import one_by_one, tokens, weights


def version() -> str:
    """Of NumPy."""
    return np.__version__


def egru(parameters: Parameters, setup: Setup) -> Built:
    """All inputs and all units in every product."""
    w, x = weights(parameters, setup.seed), tokens(parameters, setup.seed)
    n = w.units
    kernel, recurrent = np.ascontiguousarray(w.kernel.T), np.ascontiguousarray(w.recurrent_kernel.T)
    state = {"c": np.zeros(n, np.float32), "y": np.zeros(n, np.float32), "fired": 0}

    def sigmoid(a: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-a))

    def step(number: int) -> None:
        a, b = kernel @ x[number] + w.bias, recurrent @ state["y"] + w.recurrent_bias
        u, r = sigmoid(a[:n] + b[:n]), sigmoid(a[n : 2 * n] + b[n : 2 * n])
        c = u * state["c"] + (1 - u) * np.tanh(a[2 * n :] + r * b[2 * n :])
        fires = c > w.threshold
        state["y"], state["c"] = np.where(fires, c, np.float32(0)), c - fires * w.threshold
        state["fired"] += np.count_nonzero(fires)

    def fired() -> float:
        count, state["fired"] = state["fired"], 0
        return count

    return one_by_one(step, fired, n)


NETWORKS: dict[str, Build] = {"egru": egru}
