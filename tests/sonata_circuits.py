"""A small SONATA circuit as files, for tests to read, change and damage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from neuromorph.interchange.sonata.files import write_edges, write_nodes, write_spikes, write_types

SPIKES = {"input_type": "spikes", "module": "sonata"}


def circuit(folder: Path, **sections: Any) -> dict[str, Any]:
    """A configuration of four point neurons of two types, ``cells``, that two virtual nodes, ``outside``, drive."""
    write_nodes(folder / "cells.h5", "cells", np.array([7, 7, 9, 7]), {"x": np.arange(4.0), "y": np.zeros(4)})
    write_nodes(folder / "outside.h5", "outside", np.array([1, 1]), {})
    point = {"model_template": "nest:iaf_psc_exp"}
    write_types(
        folder / "cell_types.csv",
        "node_type_id",
        {
            7: {**point, "model_type": "point_neuron", "dynamics_params": "e.json", "ei": "e"},
            9: {**point, "model_type": "point_process", "dynamics_params": "i.json", "ei": "i"},
        },
    )
    write_types(folder / "outside_types.csv", "node_type_id", {1: {"model_type": "virtual"}})
    pre, post = np.array([0, 0, 1, 2, 2]), np.array([1, 2, 2, 0, 3])
    weights = {"syn_weight": np.array([10.0, 20.0, 30.0, -40.0, -50.0]), "nsyns": np.array([1, 2, 1, 1, 3])}
    write_edges(folder / "inner.h5", "inner", ("cells", "cells"), pre, post, (4, 4), 3, weights)
    write_types(
        folder / "inner_types.csv",
        "edge_type_id",
        {3: {"model_template": "static_synapse", "delay": 2.0, "dynamics_params": "static.json", "note": "a b"}},
    )
    write_edges(folder / "drive.h5", "drive", ("outside", "cells"), np.array([0, 1]), np.array([0, 3]), (2, 4), 5, {})
    write_types(folder / "drive_types.csv", "edge_type_id", {5: {"syn_weight": 800, "delay": 1.5}})
    write_spikes(folder / "spikes.h5", {"outside": (np.array([3.0, 5.0, 5.02]), np.array([0, 1, 1]))})
    (folder / "components").mkdir(exist_ok=True)
    for name, content in {"e.json": {"tau_m": 15.0}, "i.json": {"C_m": 100, "t_ref": 1.0}, "static.json": {}}.items():
        (folder / "components" / name).write_text(json.dumps(content))
    return {
        "manifest": {"$BASE": str(folder), "$PARTS": "${BASE}/components"},
        "components": {"point_neuron_models_dir": "$PARTS", "synaptic_models_dir": "$PARTS"},
        "networks": {
            "nodes": [
                {"nodes_file": "$BASE/cells.h5", "node_types_file": "$BASE/cell_types.csv"},
                {"nodes_file": "$BASE/outside.h5", "node_types_file": "$BASE/outside_types.csv"},
            ],
            "edges": [
                {"edges_file": "$BASE/inner.h5", "edge_types_file": "$BASE/inner_types.csv"},
                {"edges_file": "$BASE/drive.h5", "edge_types_file": "$BASE/drive_types.csv"},
            ],
        },
        "run": {"tstop": 20.0, "dt": 0.1},
        "inputs": {
            "spikes": {**SPIKES, "input_file": "$BASE/spikes.h5", "node_set": "outside"},
        },
        **sections,
    }
