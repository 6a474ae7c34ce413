"""Exact solution over one step of x' = A x + u + S xi, with u constant over the step and xi white noise.

    x(t + h) = P x(t) + F u + L n,    P = exp(A h),  F = integral of exp(A s) ds over the step,
    L L^T = integral of exp(A s) S S^T exp(A s)^T ds,  n independent standard normal numbers

F and the covariance are blocks of larger exponentials (C. F. Van Loan, IEEE Trans. Automat. Contr. 23, 1978), so A may
be singular. Everything is done for all systems at once: populations may have parameters of their own for each neuron.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Propagator:
    """What carries a linear system over one step, for each of m systems of n states.

    Attributes
    ----------
    state : float64 (m, n, n)
        P.
    drive : float64 (m, n, n)
        F, in seconds.
    noise : float64 (m, n, n)
        L, lower triangular.
    """

    state: Floats
    drive: Floats
    noise: Floats


def propagator(a: Floats, s: Floats, h: float) -> Propagator:
    """Propagator of m systems; equal systems are computed once.

    Parameters
    ----------
    a : float64 (m, n, n)
        In 1/s (mixed units of the states).
    s : float64 (m, n, k)
        Weight of each of k noises; k may be 0.
    h : float
        Length of a step in seconds.
    """
    m, n, _ = a.shape
    flat, back = np.unique(np.concatenate([a.reshape(m, -1), s.reshape(m, -1)], axis=1), axis=0, return_inverse=True)
    a, s = flat[:, : n * n].reshape(-1, n, n), flat[:, n * n :].reshape(len(flat), n, -1)
    if n == 1:
        z = a * h
        found = (np.exp(z), h * phi1_of(z), np.sqrt(h * phi1_of(2 * z) * np.sum(s * s, axis=2, keepdims=True)))
    else:
        found = _matrices(a, s, h)
    back = back.ravel()
    return Propagator(*(x[back] for x in found))


def phi1_of(z: Floats) -> Floats:
    """(exp(z) - 1) / z, 1 at 0."""
    return np.where(z == 0.0, 1.0, np.expm1(z) / np.where(z == 0.0, 1.0, z))


def _matrices(a: Floats, s: Floats, h: float) -> tuple[Floats, Floats, Floats]:
    m, n, _ = a.shape
    scale = scales(a, h)
    a = a * scale[:, None, :] / scale[:, :, None]
    s = s / scale[:, :, None]
    big = np.zeros((m, 2 * n, 2 * n))
    big[:, :n, :n] = a * h
    big[:, :n, n:] = np.eye(n) * h
    both = exponential(big)
    noise = _factor(_covariance(a, s, h)) if s.shape[2] else np.zeros((m, n, n))
    outer = scale[:, :, None] / scale[:, None, :]
    return both[:, :n, :n] * outer, both[:, :n, n:] * outer, noise * scale[:, :, None]


_TERMS = 12
_SMALL = 0.25  # 0.25**13 / 13! is below 1e-17


def exponential(a: Floats) -> Floats:
    """Exponential of m matrices, float64 (m, n, n): a Taylor polynomial of a / 2**k, squared k times.

    SciPy's does one matrix at a time, half a millisecond each.
    """
    norm = np.max(np.sum(np.abs(a), axis=1), axis=1)
    squarings = np.ceil(np.log2(np.maximum(norm, _SMALL) / _SMALL)).astype(np.int64)
    a = a * 2.0 ** -squarings[:, None, None]
    one = np.eye(a.shape[1])
    result = np.broadcast_to(one, a.shape)
    for k in range(_TERMS, 0, -1):
        result = one + (a @ result) / k
    for k in range(int(squarings.max(initial=0))):
        more = squarings > k
        result[more] = result[more] @ result[more]
    return result


def scales(a: Floats, h: float) -> Floats:
    """Powers of two, one for each state, that make couplings there and back alike.

    In SI units a current drives a voltage with 10**8 V/(A s) beside rates of 50/s, and the exponential of the raw
    matrix would lose eight digits to scaling and squaring. This is E. E. Osborne's balancing (J. ACM 7, 1960); the
    small couplings that it is given where there are none let it work on chains, too.
    """
    m, n, _ = a.shape
    scale = np.ones((m, n))
    coupling = (np.abs(a) + 1e-8 / h) * (1.0 - np.eye(n))
    for _ in range(2 * n):
        for i in range(n):
            row = np.sum(coupling[:, i, :] * scale, axis=1) / scale[:, i]
            column = np.sum(coupling[:, :, i] / scale, axis=1) * scale[:, i]
            scale[:, i] *= 2.0 ** np.rint(np.log2(row / column) / 2)
    return scale


def _covariance(a: Floats, s: Floats, h: float) -> Floats:
    """Covariance that noise adds in one step: Van Loan's block exponential over a short step, then doubling.

    Over a whole step that is long against a time constant exp(-A h) would swamp the result.
    """
    m, n, _ = a.shape
    norm = float(np.max(np.sum(np.abs(a), axis=2))) * h
    doublings = max(0, int(np.ceil(np.log2(norm)))) if norm > 0.0 else 0
    h = h / 2**doublings
    big = np.zeros((m, 2 * n, 2 * n))
    big[:, :n, :n] = -a * h
    big[:, :n, n:] = s @ s.transpose(0, 2, 1) * h
    big[:, n:, n:] = a.transpose(0, 2, 1) * h
    both = exponential(big)
    p = both[:, n:, n:].transpose(0, 2, 1)
    q = p @ both[:, :n, n:]
    for _ in range(doublings):
        q = q + p @ q @ p.transpose(0, 2, 1)
        p = p @ p
    return np.asarray((q + q.transpose(0, 2, 1)) / 2)


def _factor(q: Floats) -> Floats:
    """Lower triangular L with L L^T = q, for covariances that may be singular."""
    n = q.shape[1]
    factor = np.zeros_like(q)
    size = np.diagonal(q, axis1=1, axis2=2)
    for j in range(n):
        rest = q[:, j, j] - np.sum(factor[:, j, :j] ** 2, axis=1)
        # What is left of a pivot below rounding is rounding: that state's noise is a mix of the earlier ones.
        pivot = np.sqrt(np.where(rest > 1e-13 * size[:, j], rest, 0.0))
        factor[:, j, j] = pivot
        for i in range(j + 1, n):
            left = q[:, i, j] - np.sum(factor[:, i, :j] * factor[:, j, :j], axis=1)
            factor[:, i, j] = np.where(pivot > 0.0, left / np.where(pivot > 0.0, pivot, 1.0), 0.0)
    return factor
