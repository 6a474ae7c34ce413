"""IR drop: the effective matrix against reference sums of other solvers, a plain nodal solution and circuit theory."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import lil_matrix
from scipy.sparse.linalg import splu

from neuromorph.errors import MappingError
from neuromorph.mapping.crossbar.cells.wires import effective

Floats = npt.NDArray[np.float64]

TABLE = [
    # N, segment (ohm), ideal sum, exact sum, I_0 (ideal), I_N-1 (ideal), worst drop; in Vread / Rmin
    (16, 1.0, "66.400000", "65.793129", "4.242865", "4.266667", "3.765824", "3.806667", "1.15"),
    (32, 1.0, "254.400000", "245.595900", "7.844538", "8.000000", "6.996591", "7.300000", "4.37"),
    (64, 1.0, "1033.600000", "908.715005", "14.657960", "15.700000", "13.665007", "15.986667", "15.1"),
    (64, 5.0, "1033.600000", "621.837845", "11.749110", "15.700000", "8.590922", "15.986667", "47.7"),
    (128, 1.0, "4121.600000", "2696.967233", "24.776269", "31.300000", "19.213854", "32.606667", "41.5"),
    (256, 0.35, "16384.000000", "9478.100509", "46.528847", "63.373333", "32.429343", "64.226667", "49.8"),
]
R_MIN = 1e4


def plain(g: Floats, r_row: float, r_column: float, r_source: float = 0.0, r_sense: float = 0.0) -> Floats:
    """Kirchhoff's laws at every node, and one solution for every input."""
    rows, columns = g.shape
    nodes = 2 * rows * columns
    a, b = lil_matrix((nodes, nodes)), np.zeros((nodes, rows))

    def connect(i: int, j: int | None, conductance: float) -> None:
        a[i, i] += conductance
        if j is not None:
            a[j, j] += conductance
            a[i, j] -= conductance
            a[j, i] -= conductance

    for i in range(rows):
        for j in range(columns):
            row, column = 2 * (i * columns + j), 2 * (i * columns + j) + 1
            connect(row, column, g[i, j])
            if j:
                connect(row, row - 2, 1 / r_row)
            else:
                connect(row, None, 1 / (r_row + r_source))
                b[row, i] = 1 / (r_row + r_source)
            if i + 1 < rows:
                connect(column, column + 2 * columns, 1 / r_column)
            else:
                connect(column, None, 1 / (r_column + r_sense))
    voltages = splu(a.tocsc()).solve(b)
    last = 2 * ((rows - 1) * columns + np.arange(columns)) + 1
    return np.asarray((voltages[last] / (r_column + r_sense)).T)


@pytest.mark.parametrize("drive", ["rows", "columns"])
@pytest.mark.parametrize(("n", "r", "ideal", "exact", "first", "first0", "last", "last0", "worst"), TABLE)
def test_every_printed_digit_of_the_reference_table_from_both_sides(
    n: int, r: float, ideal: str, exact: str, first: str, first0: str, last: str, last0: str, worst: str, drive: str
) -> None:
    inputs, outputs = np.arange(n)[:, None], np.arange(n)
    g = (7 * outputs + 13 * inputs) % 16 / 15 / R_MIN
    v = 5 * np.arange(n) % 11 / 10
    current0 = v @ g * R_MIN
    current = v @ (effective(g, r, r) if drive == "rows" else effective(g.T, r, r, "columns").T) * R_MIN
    assert [f"{x:.6f}" for x in (current0.sum(), current.sum())] == [ideal, exact]
    assert [f"{x:.6f}" for x in (current[0], current0[0], current[-1], current0[-1])] == [first, first0, last, last0]
    digits = len(worst.split(".")[1])
    assert f"{100 * (1 - current / current0).max():.{digits}f}" == worst


resistances = st.one_of(st.just(0.0), st.floats(1e-3, 1e4))
shapes = st.tuples(st.integers(1, 11), st.integers(1, 11))


def conductances(shape: tuple[int, int], seed: int) -> Floats:
    """Seven decades, and cells that do not conduct."""
    rng = np.random.default_rng(seed)
    return np.asarray(10.0 ** rng.uniform(-11, -4, shape) * (rng.random(shape) < 0.8))


@settings(max_examples=60, deadline=None)
@given(shapes, st.integers(0, 99), st.floats(1e-3, 1e4), st.floats(1e-3, 1e4), resistances, resistances)
def test_equals_kirchhoffs_laws(
    shape: tuple[int, int], seed: int, r_row: float, r_column: float, r_source: float, r_sense: float
) -> None:
    g = conductances(shape, seed)
    found = effective(g, r_row, r_column, r_source=r_source, r_sense=r_sense)
    expected = plain(g, r_row, r_column, r_source, r_sense)
    # the sparse solution loses digits where wires conduct 10^14 times as well as cells
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9 * max(g.max(), 1e-12))
    assert (found >= 0.0).all()
    assert (found.sum(axis=0) <= g.sum(axis=0) * (1 + 1e-12)).all()


@settings(max_examples=60, deadline=None)
@given(shapes, st.integers(0, 99), resistances, resistances, resistances, resistances)
def test_reciprocity(
    shape: tuple[int, int], seed: int, r_row: float, r_column: float, r_source: float, r_sense: float
) -> None:
    """Sources and grounds change places: the same current flows, entry by entry, to nearly all digits."""
    g = conductances(shape, seed)
    forth = effective(g, r_row, r_column, r_source=r_source, r_sense=r_sense)
    turned = g[::-1, ::-1]
    back = effective(turned, r_row, r_column, "columns", r_source=r_sense, r_sense=r_source)[::-1, ::-1]
    np.testing.assert_allclose(forth, back, rtol=1e-11, atol=0.0)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (12, 1), (5, 7), (33, 20)])
def test_without_resistance_it_is_the_array_itself(shape: tuple[int, int]) -> None:
    g = conductances(shape, 1)
    np.testing.assert_array_equal(effective(g, 0.0, 0.0), g)
    np.testing.assert_array_equal(effective(np.zeros(shape), 1.0, 2.0, "columns"), np.zeros(shape))
    np.testing.assert_allclose(effective(g, 1e-12, 1e-12), g, rtol=1e-11, atol=1e-24)


def test_one_cell_is_its_resistances_in_series() -> None:
    g = effective(np.array([[1e-4]]), 3.0, 5.0, r_source=70.0, r_sense=11.0)
    assert g[0, 0] == pytest.approx(1 / (1e4 + 89.0), rel=1e-15)


@pytest.mark.parametrize("drive", ["rows", "columns"])
def test_without_resistance_along_one_direction_lines_are_ladders(drive: str) -> None:
    """Each column by itself, its cells fed from the voltages of their rows."""
    g = conductances((9, 3), 7) * 1e6
    r = 40.0
    a = np.zeros((9, 3))
    for j in range(3):
        ladder = np.diag(g[:, j] + 2 / r) - (np.eye(9, k=1) + np.eye(9, k=-1)) / r
        ladder[0, 0] -= 1 / r
        a[:, j] = np.linalg.inv(ladder)[-1] * g[:, j] / r
    found = effective(g, 0.0, r) if drive == "rows" else effective(g.T, r, 0.0, "columns").T
    np.testing.assert_allclose(found, a, rtol=1e-12, atol=1e-30)


def test_an_array_of_any_shape_is_filled_up_without_a_trace() -> None:
    """A line of cells that do not conduct, where the wires are open, changes nothing."""
    g = conductances((37, 21), 3)
    more = np.zeros((38, 22))
    more[1:, :21] = g
    np.testing.assert_allclose(effective(more, 2.0, 3.0)[1:, :21], effective(g, 2.0, 3.0), rtol=1e-12, atol=0.0)


@pytest.mark.parametrize(
    ("g", "r_row", "drive", "says"),
    [
        (np.ones(3), 1.0, "rows", "expected a matrix of finite conductances"),
        (np.ones((0, 3)), 1.0, "rows", "shape (0, 3)"),
        (np.array([[1.0, -1e-9]]), 1.0, "rows", "-1e-09 to 1 S"),
        (np.array([[1.0, np.nan]]), 1.0, "rows", "finite conductances"),
        (np.ones((2, 2)), -1.0, "rows", "r_row must be finite and at least 0 ohm, got -1"),
        (np.ones((2, 2)), np.inf, "rows", "r_row must be finite"),
        (np.ones((2, 2)), 1.0, "both", "drive must be 'rows' or 'columns', got 'both'"),
    ],
)
def test_what_cannot_be_is_refused(g: Floats, r_row: float, drive: str, says: str) -> None:
    with pytest.raises(MappingError, match=says.replace("(", r"\(").replace(")", r"\)")):
        effective(g, r_row, 0.0, drive)  # type: ignore[arg-type]
