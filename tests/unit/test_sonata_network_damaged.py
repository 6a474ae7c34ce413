"""Damaged SONATA files and configurations: each ends in one clear error, none in a traceback of another library."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from sonata_circuits import circuit

from neuromorph import CheckError, NetworkError, from_sonata
from neuromorph.errors import NeuromorphError

pytestmark = pytest.mark.filterwarnings("ignore:SONATA circuit .* times between steps")

DAMAGES: dict[str, Callable[[np.ndarray], Any]] = {
    "text": lambda column: np.array([b"x"] * len(column)),
    "one number": lambda column: np.float64(1),
    "negative": lambda column: column.astype(np.int64) - 1000,
    "empty": lambda column: column[:0],
    "two dimensions": lambda column: np.stack([column, column]),
}


def columns(path: Path) -> list[str]:
    """Datasets of a file but for the indices, which only others read."""
    found: list[str] = []
    with h5py.File(path) as file:
        file.visititems(lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None)
    return [name for name in found if "indices" not in name]


@pytest.mark.parametrize("name", ["cells.h5", "inner.h5", "spikes.h5"])
def test_columns_of_another_kind(tmp_path: Path, name: str) -> None:
    given, path = circuit(tmp_path), tmp_path / name
    whole, refused = path.read_bytes(), 0
    for column in columns(path):
        for damage in DAMAGES.values():
            path.write_bytes(whole)
            with h5py.File(path, "r+") as file:
                attributes, values = dict(file[column].attrs), file[column][()]
                del file[column]
                file[column] = damage(values)
                file[column].attrs.update(attributes)
            try:
                from_sonata(given)
            except NeuromorphError:
                refused += 1
    assert refused >= 3 * len(columns(path))


@pytest.mark.parametrize("name", ["cells.h5", "inner.h5", "spikes.h5"])
def test_files_that_were_cut_off(tmp_path: Path, name: str) -> None:
    given, path = circuit(tmp_path), tmp_path / name
    whole = path.read_bytes()
    for size in (0, 100, len(whole) // 2):
        path.write_bytes(whole[:size])
        with pytest.raises((NetworkError, CheckError), match=name):
            from_sonata(given)


@pytest.mark.parametrize(
    ("section", "value", "message"),
    [
        ("components", [], r"components is \[\]; an object is expected"),
        ("networks", {"nodes": 3}, "networks/nodes is 3; a list of objects is expected"),
        ("networks", {"nodes": [3]}, r"networks/nodes is \[3\]; a list of objects"),
        ("inputs", {"a": 1}, "inputs/a is 1; an object is expected"),
        ("run", {"dt": "x"}, "run/dt is 'x'; a number is expected"),
        ("run", {"dt": -0.1}, "run/dt is -0.1; a number above 0 is expected"),
        ("run", {"random_seed": float("nan")}, "run/random_seed is nan; a number is expected"),
        ("reports", {"r": {"module": "membrane_report", "dt": [1]}}, r"reports/r/dt is \[1\]; a number is expected"),
        ("node_sets", 3, "node_sets is 3; an object is expected"),
        ("network", 3, "network is 3; text is expected"),
    ],
)
def test_configurations_of_another_kind(tmp_path: Path, section: str, value: Any, message: str) -> None:
    with pytest.raises(CheckError, match=message):
        from_sonata({**circuit(tmp_path), section: value})


def test_variables_that_the_manifest_does_not_have(tmp_path: Path) -> None:
    given = circuit(tmp_path)
    del given["manifest"]["$PARTS"]
    given["networks"]["nodes"][0]["nodes_file"] = "${BASES}/cells.h5"
    with pytest.raises(CheckError) as error:
        from_sonata(given)
    assert "networks/nodes/nodes_file is '${BASES}/cells.h5'; the manifest has no $BASES" in str(error.value)
    assert "components/synaptic_models_dir is '$PARTS'; the manifest has no $PARTS" in str(error.value)


def test_empty_sections_are_as_if_they_were_not_there(tmp_path: Path) -> None:
    given = {**circuit(tmp_path), "reports": None, "inputs": None, "node_sets": None}
    assert from_sonata(given)["outside"].neuron.count == 0


def test_types_and_groups_that_do_not_exist(tmp_path: Path) -> None:
    given = circuit(tmp_path)
    with h5py.File(tmp_path / "cells.h5", "r+") as file:
        file["nodes/cells/node_group_id"][2:] = 4
    with pytest.raises(NetworkError, match="nodes cells: 2 are of group 4; there are 0"):
        from_sonata(given)
    given = circuit(tmp_path)
    (tmp_path / "inner_types.csv").write_text("edge_type_id delay\n")
    with pytest.raises(NetworkError, match="type 3 missing from the edge type table, which has none"):
        from_sonata(given)


def test_spikes_of_nodes_that_do_not_exist(tmp_path: Path) -> None:
    given = circuit(tmp_path)
    with h5py.File(tmp_path / "spikes.h5", "r+") as file:
        file["spikes/outside/node_ids"][0] = 7
    with pytest.raises(CheckError, match="has spikes of node 7; outside has 2 nodes"):
        from_sonata(given)
    given["inputs"]["spikes"] |= {"module": "csv", "input_file": str(tmp_path / "spikes.csv")}
    (tmp_path / "spikes.csv").write_text("timestamps node_ids population\n1.0 0 outside\n2.0\n")
    with pytest.raises(CheckError, match="its rows are not as its header says"):
        from_sonata(given)
