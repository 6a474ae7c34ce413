"""NIR graphs that are broken, by hand or on a disk: each is read, or refused with what is wrong, and nothing else."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from nir_graphs import Graph, chain, node, out, primitives, put, relay

from neuromorph import CheckError, NetworkError, from_nir, ms

pytest.importorskip("nir")
PRIMITIVES = primitives()
FOLDER = Path(__file__).parents[1] / "data"
FILES = [FOLDER / "nir_lif" / "lif_norse.nir", FOLDER / "nir_braille" / "braille_noDelay_bias_zero_subgraph.nir"]

WRONG: list[Any] = [
    *(None, np.nan, np.inf, -1, 0, 10**9, 1e300, "word", "same", b"\xff", 1j, {"a": 1}, [1, [2, 3]]),
    *(np.zeros(0), np.zeros((2, 3)), -np.ones(4), np.full(4, np.nan), np.ones((1, 1, 1, 1)), np.array(2.5)),
]


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def refused(source: Any) -> str:
    """The message, or nothing if the graph is read; any other error is this test's failure."""
    try:
        from_nir(source, dt=0.5 * ms)
    except (CheckError, NetworkError) as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", PRIMITIVES)
def test_a_wrong_value_is_told_with_its_node_and_name(name: str) -> None:
    shape, good = PRIMITIVES[name]
    values = {key: value for key, value in good.to_dict().items() if key != "metadata"}
    told = 0
    for key in values.keys() - {"type"}:
        for wrong in WRONG:
            for edges in ([("input", "x"), ("x", "output")], [("x", "output")]):
                nodes = {"input": put(shape), "x": {**values, key: wrong}, "output": out((1,))}
                message = refused(Graph(nodes, edges))
                told += bool(message)
                assert not message or "node x" in message, (key, wrong, message)
    assert told > 3 or name == "Flatten"  # which says nothing that the signal does not


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_file_with_a_wrong_or_missing_entry(file: Path, tmp_path: Path) -> None:
    with h5py.File(file) as source:
        names: list[str] = []
        source.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
    for number, name in enumerate(names):
        kinds = (None, {}, WRONG[number % len(WRONG)])
        for wrong in kinds if file is FILES[0] else kinds[number % 3 :][:1]:
            copy = shutil.copyfile(file, tmp_path / "copy.nir")
            with h5py.File(copy, "a") as target:
                del target[name]
                if isinstance(wrong, dict):
                    target.create_group(name)
                elif wrong is not None and not isinstance(wrong, list):
                    text = isinstance(wrong, str | bytes)
                    target.create_dataset(name, data=wrong, dtype=h5py.string_dtype() if text else None)
            message = refused(copy)
            ignored = name in ("version", "node/type") or name.endswith(("output/shape", "w_in", "nodes/input/shape"))
            assert message or wrong is not None or ignored, name


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_truncated_or_damaged_file(file: Path, tmp_path: Path) -> None:
    whole, copy = file.read_bytes(), tmp_path / "copy.nir"
    for length in (0, 4, 100, 1000, len(whole) // 2, len(whole) - 10):
        copy.write_bytes(whole[:length])
        assert "not a NIR file, which is HDF5, or not a whole one" in refused(copy)
    rng = np.random.default_rng(0)
    for _ in range(30):
        damaged = bytearray(whole)
        for place in rng.integers(0, len(whole), 20):
            damaged[place] = rng.integers(256)
        copy.write_bytes(damaged)
        refused(copy)


@pytest.mark.parametrize("edges", [np.zeros((2, 3)), "word", 3, [("input", "c", "output")]])
def test_edges_that_are_no_pairs(edges: Any) -> None:
    graph = Graph({"input": put(2), "c": relay(2)}, edges)
    assert "holds no NIR graph; expected a group 'node' with 'nodes' and 'edges'" in refused(graph)


def test_signals_and_delays_that_are_too_large() -> None:
    pool = node("SumPool2d", kernel_size=np.array([1, 1]), stride=np.array([1, 1]), padding=np.array([10**9, 0]))
    assert "node pool (SumPool2d): what leaves it has shape" in refused(chain((1, 2, 2), pool=pool))
    assert "its delays are from 0 to 2e+19 steps" in refused(chain((2,), d=node("Delay", delay=np.array([0.0, 1e16]))))
    assert "shape is [1000000 1000000], expected lengths of axes" in refused(chain((10**6, 10**6), c=relay(1)))


def test_a_time_constant_shorter_than_the_step_is_told() -> None:
    one = np.ones(1)
    cells = node("LIF", tau=1e-4 * one, r=one, v_leak=0 * one, v_threshold=one)
    with pytest.warns(UserWarning, match=r"node c \(LIF\): tau is .* less than half a step of .* time_unit="):
        from_nir(chain((1,), c=cells), dt=1 * ms)
