"""Runs a step program op by op in NumPy: slow, short, and the definition of what a program means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph import random
from neuromorph.language.expr import Type
from neuromorph.lowering.primitives import Array, primitives
from neuromorph.lowering.program import StepProgram


def evaluate(
    program: StepProgram,
    states: Sequence[Array],
    params: Sequence[Array],
    ports: Sequence[Array],
    *,
    step: int = 0,
    seed: int = 0,
    ids: npt.ArrayLike = 0,
) -> list[Any]:
    """Value of every op.

    Parameters
    ----------
    program : StepProgram
    states, params, ports : sequences of arrays
        One for each slot, shape () or (neurons,), in the program's float type or int64.
    step : int
    seed : int
        Of the network.
    ids : int or array of ints, shape (neurons,)
        Global ids of the neurons.

    Returns
    -------
    list of arrays
        In the order of ``program.ops``; shape () where nothing that differs by neuron went in.
    """
    functions = primitives(program.dtype)
    scalars = {Type.FLOAT: np.dtype(program.dtype).type, Type.INT: np.int64, Type.BOOL: np.bool_}
    leaves = {"state": states, "param": params, "port": ports}
    values: list[Any] = []
    with np.errstate(all="ignore"):
        for op in program.ops:
            args = [values[a] for a in op.args]
            match op.code:
                case "const":
                    value = scalars[op.type](op.payload)
                case "state" | "param" | "port":
                    value = leaves[op.code][op.payload]
                case "step":
                    value = np.int64(step)
                case "random":
                    value = random.bits(seed, ids, step, op.payload)
                case "poisson":
                    value = random.poisson(seed, ids, step, op.payload, args[0])
                case code:
                    value = functions[code](*args)
            values.append(value)
    return values
