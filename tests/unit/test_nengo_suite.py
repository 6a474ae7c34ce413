"""A quick selection of Nengo's own tests for backends; all of them: ``python benchmarks/peer_suites/nengo.py``."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from inspect import signature
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import pytest

from neuromorph import Reference

nengo = pytest.importorskip("nengo")

CHOSEN = {
    "test_connection": (
        "test_neurons_to_node",
        "test_zerofilter",
        "test_decoder_probe",
        "test_neuron_advanced_indexing",
        "test_transform_probe",
    ),
    "test_ensemble": ("test_no_norm_encoders", "test_gain_bias"),
    "test_node": ("test_circular", "test_set_callable_output"),
    "test_probe": ("test_conn_output", "test_slice", "test_update_timing"),
    "test_learning_rules": ("test_pes_cycle",),
    "test_neurons": ("test_lif_zero_tau_ref",),
    "test_processes": ("test_present_input",),
}


def allclose(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, **_: Any) -> bool:
    """As the fixture of pytest-allclose, for arrays that are not shifted in time."""
    return bool(np.allclose(a, b, rtol=rtol, atol=atol))


@pytest.mark.parametrize(("module", "test"), [(m, t) for m, tests in CHOSEN.items() for t in tests])
def test_of_nengo(module: str, test: str, request: pytest.FixtureRequest) -> None:
    from neuromorph.nengo import Simulator

    given = {
        "Simulator": partial(Simulator, target=Reference("float64"), progress_bar=False),
        "PositiveNeuronType": nengo.LIF,
        "NonDirectNeuronType": nengo.LIF,
        "AnyNeuronType": nengo.LIFRate,
        "allclose": allclose,
        "seed": 1,
        "rng": np.random.RandomState(1),
        "plt": MagicMock(),
        "request": request,
    }
    function = getattr(import_module(f"nengo.tests.{module}"), test)
    function(**{name: given[name] for name in signature(function).parameters})
