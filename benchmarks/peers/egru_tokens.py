"""One layer of event-based gated recurrent units (EvNN's form) and the tokens that it is given, one at a time.

Every simulator runs the same weights on the same tokens, so the share of units that fire must be the same.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.models.egru_layers import EGRUWeights

from . import Built, Measured, Parameters

Floats = npt.NDArray[np.float32]
TOKENS = 500
"""Different tokens; given again and again."""


def weights(parameters: Parameters, seed: int) -> EGRUWeights:
    """Random weights of the layer."""
    return EGRUWeights.random(
        int(parameters["inputs"]),
        int(parameters["units"]),
        threshold=parameters["threshold"],
        gain=parameters["gain"],
        seed=seed,
    )


def tokens(parameters: Parameters, seed: int) -> Floats:
    """Tokens (TOKENS, inputs), of which a share of ``active`` entries is not zero."""
    rng = np.random.default_rng([seed, 1])
    shape = TOKENS, int(parameters["inputs"])
    values = rng.uniform(0.5, 1.5, shape).astype(np.float32)
    return np.where(rng.random(shape) < parameters["active"], values, np.float32(0))


def one_by_one(step: Callable[[int], None], fired: Callable[[], float] | None, units: int, note: str = "") -> Built:
    """A run that gives tokens one by one.

    Parameters
    ----------
    step : callable
        Takes the number of a token and computes the layer's output.
    fired : callable or None
        Units that fired since it was last asked; None for models without events.
    """
    state: dict[str, Any] = {"next": 0}

    def run(seconds: float) -> Measured:
        first, count = state["next"], round(seconds * 1000)
        numbers = [k % TOKENS for k in range(first, first + count)]
        began = perf_counter()
        for number in numbers:
            step(number)
        wall = perf_counter() - began
        state["next"] = first + count
        return Measured(wall, {"active": fired() / count / units} if fired else {})

    return Built(run, note=note)
