"""Who solves an array with resistive wires: ours, a sparse factorisation, badcrossbar and CrossSim."""

from __future__ import annotations

import logging
import time
import tracemalloc
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from math import inf
from typing import Any

import numpy as np
import numpy.typing as npt
from crossbar_peers import G_MAX, crosssim_parameters
from scipy.sparse import coo_matrix
from scipy.sparse.linalg import splu

from neuromorph.mapping.crossbar.cells.wires import effective

Floats = npt.NDArray[Any]
Solver = Callable[[Floats, Floats, float], Floats]
"""``(voltages (n, rows), conductances (rows, columns), segment) -> currents (n, columns)``"""

PATTERN = ((16, 1.0), (32, 1.0), (64, 1.0), (64, 5.0), (128, 1.0), (256, 0.35))


@dataclass
class Currents:
    """Currents of the test pattern by one solver, beside ours."""

    size: int
    segment: float
    solver: str
    total: float
    difference: float = 0.0
    problem: str = ""


@dataclass
class Matrix:
    """An effective matrix by one solver."""

    size: int
    solver: str
    seconds: float = inf
    megabytes: float = 0.0
    problem: str = ""


def ours(voltages: Floats, g: Floats, segment: float) -> Floats:
    """Nested dissection between the ends of the wires."""
    return np.asarray(voltages @ effective(g, segment, segment))


def sparse(voltages: Floats, g: Floats, segment: float) -> Floats:
    """Nodal analysis with SuperLU: one factor, and one solution for each vector."""
    rows, columns = g.shape
    row = np.arange(g.size).reshape(g.shape)
    column = row + g.size
    wire = 1 / segment
    pairs = [
        (row.ravel(), column.ravel(), g.ravel()),
        (row[:, :-1].ravel(), row[:, 1:].ravel(), np.full(rows * (columns - 1), wire)),
        (column[:-1].ravel(), column[1:].ravel(), np.full((rows - 1) * columns, wire)),
    ]
    ends = np.concatenate([row[:, 0], column[-1]])
    i, j, value = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
    where = (np.concatenate([i, j, i, j, ends]), np.concatenate([j, i, i, j, ends]))
    values = np.concatenate([-value, -value, value, value, np.full(len(ends), wire)])
    factor = splu(coo_matrix((values, where)).tocsc(), permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True})
    driven = np.zeros((2 * g.size, len(voltages)))
    driven[row[:, 0]] = voltages.T * wire
    return np.asarray(factor.solve(driven)[column[-1]].T * wire)


def badcrossbar(voltages: Floats, g: Floats, segment: float) -> Floats:
    """badcrossbar's solver; what it draws with need not be installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import badcrossbar
    logging.disable(logging.INFO)
    with np.errstate(divide="ignore"):
        found = badcrossbar.compute(voltages.T, 1 / g, r_i=segment, node_voltages=False, all_currents=False)
    return np.asarray(found.currents.output)


def crosssim(voltages: Floats, g: Floats, segment: float) -> Floats:
    """CrossSim's iterations, to a tolerance of 1e-7."""
    from simulator import AnalogCore

    p = crosssim_parameters(max(g.shape), 1.0)
    wires = p.xbar.array.parasitics
    wires.enable, wires.Rp_row, wires.Rp_col = True, segment, segment
    p.simulation.Verr_th_mvm, p.simulation.Niters_max_parasitics = 1e-7, 100_000
    analog = AnalogCore(g.T / G_MAX, p)
    return np.array([analog @ v for v in voltages]) * G_MAX


OTHERS: tuple[tuple[str, str, Solver, int], ...] = (
    ("SciPy, sparse LU", "scipy", sparse, 256),
    ("badcrossbar", "badcrossbar", badcrossbar, 128),
    ("CrossSim, tolerance 1e-7", "simulator", crosssim, 64),
)
"""Name, package, solver and the largest array whose effective matrix it is asked for."""


def currents(largest: int) -> list[Currents]:
    """The test pattern by every solver."""
    found = []
    for n, segment in PATTERN:
        if n > largest:
            continue
        g = (7 * np.arange(n) + 13 * np.arange(n)[:, None]) % 16 / 15 * G_MAX
        v = 5 * np.arange(n)[None] % 11 / 10
        expected = ours(v, g, segment)
        total = float(expected.sum()) / G_MAX
        for name, package, solver, _ in OTHERS:
            line = Currents(n, segment, name, total)
            found.append(line)
            if find_spec(package) is None:
                line.problem = "not installed"
                continue
            line.difference = float(np.max(abs(solver(v, g, segment) / expected - 1)))
    return found


def matrices(largest: int) -> list[Matrix]:
    """Time and memory of effective matrices: the currents of one volt at each row in turn."""
    found = []
    rng = np.random.default_rng(0)
    for n in (32, 64, 128, 256, 512, 1024):
        if n > largest:
            continue
        g = rng.random((n, n)) * G_MAX
        for name, package, solver, most in (("ours", "numpy", ours, 1024), *OTHERS):
            if n > most:
                continue
            line = Matrix(n, name)
            found.append(line)
            if find_spec(package) is None:
                line.problem = "not installed"
                continue
            tracemalloc.start()
            start = time.process_time()
            solver(np.eye(n), g, 1.0)
            line.seconds = time.process_time() - start
            line.megabytes = tracemalloc.get_traced_memory()[1] / 1e6
            tracemalloc.stop()
            print(f"  {n}, {name}: {line.seconds:.3g} s", flush=True)
    return found
