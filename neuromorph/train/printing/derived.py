"""Derived parameters in PyTorch: what lowering computed once from parameters, computed again so that gradients flow."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neuromorph.errors import NetworkError
from neuromorph.lowering.linear import Solved
from neuromorph.lowering.propagator import scales
from neuromorph.lowering.statics import Static
from neuromorph.train.printing.runtime import phi1
from neuromorph.train.recipes.formats import straight_through

_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "div": torch.div,
    "neg": torch.neg,
    "abs": torch.abs,
    "sqrt": torch.sqrt,
    "exp": torch.exp,
    "log": torch.log,
    "tanh": torch.tanh,
    "sin": torch.sin,
    "cos": torch.cos,
    "sigmoid": torch.sigmoid,
    "pow": torch.pow,
    "floor": torch.floor,
    "rint": lambda a: straight_through(a, torch.round(a)),
    "trunc": torch.trunc,
    "phi1": phi1,
    "lt": torch.lt,
    "le": torch.le,
    "gt": torch.gt,
    "ge": torch.ge,
    "eq": torch.eq,
    "ne": torch.ne,
    "and": torch.logical_and,
    "or": torch.logical_or,
    "not": torch.logical_not,
    "select": torch.where,
    "min": lambda a, b: torch.where(a < b, a, b),
    "max": lambda a, b: torch.where(a > b, a, b),
    "float": lambda a: a.to(torch.float64),
    "int": lambda a: a.to(torch.int64),
}


def depends(static: Static, names: frozenset[str]) -> bool:
    """Whether a static was made of one of these parameters."""
    if static.op == "param":
        return static.payload in names
    return any(depends(a, names) for a in static.args)


def obstacle(static: Static, names: frozenset[str]) -> str | None:
    """What keeps a gradient from parameters to a static: the name of a value that is an int, or None."""
    if not depends(static, names):
        return None
    if static.value.dtype.kind == "i":
        return static.name
    return next((found for a in static.args if (found := obstacle(a, names)) is not None), None)


class Evaluation:
    """Statics as float64 tensors of given parameters; each formula once.

    Parameters
    ----------
    params : mapping of str to Tensor
        Trained parameters in SI units, float64, shape () or (neurons,).
    device : torch.device
    """

    def __init__(self, params: Mapping[str, Tensor], device: torch.device) -> None:
        self._params = params
        self._names = frozenset(params)
        self._device = device
        self._known: dict[Hashable, Tensor] = {}

    def __call__(self, static: Static) -> Tensor:
        """Value of a static."""
        if static.key not in self._known:
            self._known[static.key] = self._value(static)
        return self._known[static.key]

    def _value(self, static: Static) -> Tensor:
        if not depends(static, self._names):
            return torch.as_tensor(np.asarray(static.value), device=self._device)
        if static.op == "param":
            return self._params[static.payload]
        if static.op == "propagator":
            solved, kind, i, j = static.payload
            matrix = self._propagator(solved, static.key[:2] if isinstance(static.key, tuple) else static.key, kind)
            return matrix[..., i, j]
        args = [self(a) for a in static.args]
        if static.op == "steps":
            return torch.round(args[0] / static.payload).clamp(min=0.0).to(torch.int64)
        return torch.as_tensor(_FUNCTIONS[static.op](*args))

    def _propagator(self, solved: Solved, key: Hashable, kind: str) -> Tensor:
        known = ("matrix", key)
        if known not in self._known:
            self._known[known] = self._solve(solved, kind)
        return self._known[known]

    def _solve(self, solved: Solved, kind: str) -> Tensor:
        """P ("exp"), F ("phi") or L ("noise") of :mod:`neuromorph.lowering.propagator`, shape (..., n, n)."""
        n, h = solved.states, solved.dt
        args = [self(a) for a in solved.args]
        shape = torch.broadcast_shapes(*(a.shape for a in args)) if args else ()
        a = self._matrix(solved.a, args[: len(solved.a)], shape, (n, n))
        s = self._matrix(solved.s, args[len(solved.a) :], shape, (n, max(solved.noises, 1)))
        if n == 1:
            if kind == "exp":
                return torch.exp(a * h)
            if kind == "phi":
                return h * phi1(a * h)
            return torch.sqrt(h * phi1(2 * a * h) * (s * s).sum(-1, keepdim=True))
        flat = a.detach().reshape(-1, n, n)
        scale = torch.ones(flat.shape[:2], dtype=a.dtype, device=a.device)
        if a.device.type != "meta":
            scale = torch.as_tensor(scales(flat.cpu().numpy(), h), device=a.device)
        scale = scale.reshape(*shape, n)
        a = a * scale[..., None, :] / scale[..., :, None]
        if kind == "noise":
            return _factor(_covariance(a, s / scale[..., :, None], h)) * scale[..., :, None]
        both = torch.zeros((*shape, 2 * n, 2 * n), dtype=a.dtype, device=a.device)
        both[..., :n, :n] = a * h
        both[..., :n, n:] = torch.eye(n, dtype=a.dtype, device=a.device) * h
        solution = torch.matrix_exp(both)
        outer = scale[..., :, None] / scale[..., None, :]
        return (solution[..., :n, :n] if kind == "exp" else solution[..., :n, n:]) * outer

    def _matrix(
        self, places: tuple[tuple[int, int], ...], values: list[Tensor], shape: tuple[int, ...], size: tuple[int, int]
    ) -> Tensor:
        result = torch.zeros((*shape, *size), dtype=torch.float64, device=self._device)
        for (i, j), value in zip(places, values, strict=True):
            result[..., i, j] = value
        return result


def _covariance(a: Tensor, s: Tensor, h: float) -> Tensor:
    """Covariance that noise adds in one step: a short step, then doubling, as for the engines."""
    n = a.shape[-1]
    norm = float(a.detach().abs().sum(-1).max()) * h if a.device.type != "meta" else 1.0
    doublings = max(0, int(np.ceil(np.log2(norm)))) if norm > 0.0 else 0
    h = h / 2**doublings
    big = torch.zeros((*a.shape[:-2], 2 * n, 2 * n), dtype=a.dtype, device=a.device)
    big[..., :n, :n] = -a * h
    big[..., :n, n:] = s @ s.mT * h
    big[..., n:, n:] = a.mT * h
    both = torch.matrix_exp(big)
    p = both[..., n:, n:].mT
    q = p @ both[..., :n, n:]
    for _ in range(doublings):
        q = q + p @ q @ p.mT
        p = p @ p
    return (q + q.mT) / 2


def _factor(q: Tensor) -> Tensor:
    """Lower triangular L with L L^T = q, for covariances that may be singular."""
    n = q.shape[-1]
    columns: list[Tensor] = []  # of L
    for j in range(n):
        rest = q[..., :, j]
        for column in columns:
            rest = rest - column * column[..., j, None]
        size = rest[..., j]
        positive = size > 1e-13 * q[..., j, j]
        pivot = torch.sqrt(torch.where(positive, size, torch.ones_like(size)))
        below = torch.arange(n, device=q.device) >= j
        keep = positive[..., None] & below
        columns.append(torch.where(keep, rest / pivot[..., None], torch.zeros_like(rest)))
    return torch.stack(columns, -1)


def require_gradient(subject: str, name: str, statics: tuple[Static, ...]) -> None:
    """Raise a NetworkError if no gradient can reach a parameter.

    Parameters
    ----------
    subject : str
        Of the message.
    statics : tuple of Static
        All that a step takes of parameters.
    """
    names = frozenset({name})
    used = [static for static in statics if depends(static, names)]
    stopped = [found for static in used if (found := obstacle(static, names)) is not None]
    if len(stopped) == len(used):
        why = f"it is used in {', '.join(stopped)} alone, which is an int" if used else "no equation uses it"
        raise NetworkError(f"{subject}: no gradient can reach {name}: {why}; do not name it in trainable=", name=name)
