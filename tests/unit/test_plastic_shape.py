"""The shape of the kernels of plastic projections, read from their machine code: asserted, never timed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from assembly import called, require_vectors, vector_loops

from neuromorph import CPU, Dense, Network, State, Synapse, ms, neuron
from neuromorph.models.plasticity import ALIF, Dopamine, DopamineSTDP, EProp, PairSTDP, PowerLawSTDP, TripletSTDP


@neuron
class Teacher:
    """A learning signal."""

    signal = State(0.1)
    signal.next = 0.9 * signal


def kernels(model: Synapse, dtype: Any) -> dict[str, str]:
    """The instructions of each kernel of a plastic projection."""
    net = Network()
    cells = net.population(ALIF, 8)
    third = net.population(Dopamine, 1) if model is DopamineSTDP else net.population(Teacher, 8)
    reads = any(view.end == "third" for view in model.views)
    net.project(cells, cells, Dense(np.full((8, 8), 0.1)), synapse=model, third=third if reads else None)
    compiled = CPU(dtype=dtype).compile(net, dt=1 * ms, progress=False).compiled
    return {name: kernel.assembly() for name, kernel in compiled.plastic[0].kernels.items()}


@pytest.mark.parametrize(
    ("model", "dtype"),
    [(m, "float32") for m in (PairSTDP, PowerLawSTDP, TripletSTDP, DopamineSTDP, EProp)] + [(PairSTDP, "float64")],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_states_advance_on_the_widest_vectors(model: Synapse, dtype: str) -> None:
    bits = require_vectors()
    made = kernels(model, dtype)
    assert set(made) - {"advance"} == {"neurons", "arrive"} | ({"after"} if model is not EProp else set())
    assert ("advance" in made) == (model in (DopamineSTDP, EProp))
    for name in ("advance", "neurons"):
        if name in made:
            loops = vector_loops(made[name], bits)
            assert [loop for loop in loops if any(i.is_store and i.bits == bits for i in loop)], name
    for assembly in made.values():
        assert not [callee for callee in called(assembly) if "kernel6kernel" not in callee]
        assert "ZeroDivision" not in assembly


def test_what_synapses_see_of_their_targets_is_gathered() -> None:
    require_vectors()
    loops = vector_loops(kernels(EProp, "float32")["advance"])
    assert [i for loop in loops for i in loop if i.name.startswith("vgatherqps") or i.name.startswith("vgatherdps")]
