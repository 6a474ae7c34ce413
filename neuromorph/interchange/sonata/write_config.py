"""SONATA's configurations, written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from neuromorph.errors import NetworkError
from neuromorph.network import Network

CONDITIONS = {"celsius": 34.0, "v_init": -65.0}
"""NEURON wants these, though point neurons use neither."""


def circuit_config(nodes: list[dict[str, Any]], edges: list[dict[str, Any]]) -> dict[str, Any]:
    """A circuit's configuration of the entries of its files of nodes and edges."""
    return {
        "manifest": {"$NETWORK_DIR": "."},
        "components": {
            "point_neuron_models_dir": "$NETWORK_DIR/components",
            "synaptic_models_dir": "$NETWORK_DIR/components",
        },
        "networks": {"nodes": nodes, "edges": edges},
    }


def simulation_configs(
    network: Network, spikes: Mapping[str, str], dt: float, stop: float
) -> dict[str, dict[str, Any]]:
    """Configurations of the simulation by file name.

    There are two, as no name of the module that reads spikes is one that both the Brain Modeling Toolkit and libsonata
    take.

    Parameters
    ----------
    network : Network
    spikes : mapping of str to str
        Spike files of the sources.
    dt, stop : float
        In ms.
    """
    reports = {
        f"{network.populations[r.population].name}_{r.name}": {
            "cells": network.populations[r.population].name,
            "variable_name": r.name,
            "module": "membrane_report",
            "type": "compartment",
            "sections": "soma",
            "dt": r.every * dt,
            "start_time": 0.0,
            "end_time": stop,
            "file_name": f"{network.populations[r.population].name}_{r.name}.h5",
        }
        for r in network.recordings
    }
    shared = {
        "manifest": {"$NETWORK_DIR": "."},
        "network": "circuit_config.json",
        "node_sets_file": "$NETWORK_DIR/node_sets.json",
        "run": {"tstop": stop, "dt": dt, "random_seed": network.seed},
        "conditions": CONDITIONS,
        "output": {"output_dir": "$NETWORK_DIR/output", "spikes_file": "spikes.h5", "log_file": "log.txt"},
        "reports": reports,
    }
    allen = {name: {**_spikes(name), "module": "sonata", "input_file": _there(file)} for name, file in spikes.items()}
    replay = {
        name: {
            **_spikes(name),
            "module": "synapse_replay",
            "spike_file": _there(file),
            "delay": 0.0,
            "duration": stop,
        }
        for name, file in spikes.items()
    }
    return {
        "simulation_config.json": {**shared, "inputs": allen},
        "simulation_config_libsonata.json": {**shared, "inputs": replay},
    }


def _spikes(population: str) -> dict[str, str]:
    return {"input_type": "spikes", "node_set": population}


def _there(file: str) -> str:
    return f"$NETWORK_DIR/{file}"


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write one configuration or set of parameters; NetworkError if it cannot be written."""
    try:
        path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise NetworkError(f"{path}: cannot be written ({error})", path=str(path)) from error
