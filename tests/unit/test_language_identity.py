"""A neuron's identity: copies with values, equality, hash and pickle, also from ``__main__``."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from dataclasses import FrozenInstanceError, dataclass

import numpy as np
import pytest

from neuromorph.errors import LanguageError, UnitError
from neuromorph.language import Neuron, State, neuron, normal
from neuromorph.units import TIME, VOLTAGE, Dimension, ms, mV, nA, second

SOURCE = """
from neuromorph.language import *
from neuromorph.units import *

@neuron
class LIF:
    "Leaky."
    i_in = Port(unit=nA)
    tau, r = Param(20 * ms), Param(10 * Mohm)
    n = Param(3, dtype=int)
    v = State(0 * mV)
    k = State(0, dtype=int)
    drive = r * i_in
    v.dot = (drive - v + 0.1 * mV * normal()) / tau
    k.next = k + n
    spike = Event(v > 15 * mV)
    v.reset = 0 * mV
"""


def _lif() -> Neuron:
    namespace: dict[str, object] = {"__name__": "somewhere"}
    exec(SOURCE, namespace)
    made = namespace["LIF"]
    assert isinstance(made, Neuron)
    return made


LIF = _lif()


@dataclass(frozen=True)
class Spread:
    """A distribution as far as the language is concerned."""

    scale: float
    dim: Dimension

    def sample(self) -> float:
        return self.scale


def test_values_are_kept_as_given() -> None:
    with_values = LIF(v=[1.0, 2.0] * mV, tau=10 * ms, n=4)
    assert [name for name, _ in with_values.values] == ["tau", "n", "v"]
    values = dict(with_values.values)
    assert values["tau"].value == 0.01
    assert str(values["tau"].unit) == "ms"
    assert values["n"] == 4
    assert values["v"].value.tolist() == [0.001, 0.002]
    assert LIF.values == ()
    again = with_values(tau=5 * ms)
    assert dict(again.values)["tau"].value == 0.005
    assert dict(again.values)["n"] == 4


def test_values_cannot_change_later() -> None:
    array = np.array([1.0, 2.0])
    made = LIF(v=array * mV)
    before = made.hash
    array[0] = 7.0
    assert made.hash == before
    with pytest.raises(ValueError, match="read-only"):
        dict(made.values)["v"].value[0] = 3.0
    with pytest.raises(FrozenInstanceError):
        made.name = "other"  # type: ignore[misc]


def test_brian2_quantities_are_values() -> None:
    brian2 = pytest.importorskip("brian2")
    made = LIF(tau=10 * brian2.ms, v=np.arange(3) * brian2.mV)
    assert made == LIF(tau=10 * ms, v=np.arange(3) * mV)
    assert type(dict(made.values)["v"].value) is np.ndarray


def test_distributions_are_values() -> None:
    spread = Spread(0.01, TIME)
    assert dict(LIF(tau=spread).values)["tau"] is spread
    with pytest.raises(UnitError, match=r"LIF.tau: expected time \(s\), got Spread.* \(voltage \(V\)\)"):
        LIF(tau=Spread(0.01, VOLTAGE))


@pytest.mark.parametrize(
    ("values", "error", "says"),
    [
        (
            {"tua": 3 * ms},
            LanguageError,
            r"LIF.tua is not a parameter or a state; did you mean 'tau'\? available: tau, r, n",
        ),
        ({"i_in": 3 * nA}, LanguageError, "LIF.i_in is a port, not a parameter or a state"),
        ({"tau": 3 * mV}, UnitError, r"LIF.tau: expected time \(s\), got 3 mV \(voltage \(V\)\)"),
        ({"tau": 3}, UnitError, r"got 3 \(dimensionless\); write it with a unit, as in 3 \* ms"),
        ({"tau": "3 ms"}, LanguageError, "LIF.tau: expected a number or a quantity, got str '3 ms'; give a number"),
        ({"n": 2.5}, LanguageError, "LIF.n: expected whole numbers because dtype=int, got 2.5"),
        ({"k": [1, 2**31]}, LanguageError, "LIF.k: an int holds 32 bits"),
        ({"n": True}, LanguageError, "LIF.n: expected a number, got True"),
        ({"v": float("nan") * mV}, LanguageError, "LIF.v: not a number"),
    ],
)
def test_wrong_values(values: dict[str, object], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        LIF(**values)


def test_values_go_by_name() -> None:
    with pytest.raises(LanguageError, match=r"give values by name, as in LIF\(tau=10 \* ms\)"):
        LIF(10 * ms)


def test_equal_content_is_equal() -> None:
    assert _lif() == LIF
    assert hash(_lif()) == hash(LIF)
    assert {LIF: 1}[_lif()] == 1
    assert LIF != 3
    different = [
        LIF,
        LIF(tau=10 * ms),
        LIF(tau=11 * ms),
        LIF(v=[1.0, 2.0] * mV),
        LIF(v=[1.0, 2.1] * mV),
        LIF.with_method("euler"),
        LIF(tau=Spread(1.0, TIME)),
    ]
    assert len({n.hash for n in different}) == len(different)
    assert LIF.with_method("euler").with_method("auto") == LIF


def test_every_part_is_in_the_hash() -> None:
    changes = {
        "unit=nA": "unit=pA",
        "20 * ms": "21 * ms",
        "Param(3,": "Param(4,",
        "State(0 * mV)": "State(1 * mV)",
        "r * i_in": "i_in * r",
        "- v +": "+ v +",
        "k + n": "k - n",
        "v > 15": "v >= 15",
        "v > 1": "v > 2",
        "v.reset = 0": "v.reset = 1",
        "spike =": "spark =",
        "class LIF": "class LIG",
        "drive": "power",
        "normal()": "uniform()",
        "spike = Event(v > 15 * mV)": "spike = Event(v > 15 * mV, value=v / mV)",
    }
    hashes = {LIF.hash}
    for old, new in changes.items():
        assert old in SOURCE
        namespace: dict[str, object] = {"__name__": "somewhere"}
        exec(SOURCE.replace(old, new), namespace)
        made = namespace.get("LIF", namespace.get("LIG"))
        assert isinstance(made, Neuron)
        hashes.add(made.hash)
    assert len(hashes) == len(changes) + 1


def test_copies_are_equal() -> None:
    made = LIF(v=[1.0, 2.0] * mV)
    for other in (copy.copy(made), copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        assert other == made
        assert other.equations() == made.equations()
        assert other.doc == "Leaky."


def test_pickle_keeps_shared_nodes_shared() -> None:
    again = pickle.loads(pickle.dumps(LIF))
    dot = again.state("v").dot
    assert dot is not None
    drive = dict(again.named)["drive"]
    assert dot.args[0].args[0].args[0] is drive
    assert drive.args[1] is again.state("v").dot.args[0].args[0].args[0].args[1]


def test_deep_graphs_pickle() -> None:
    @neuron
    class Deep:
        x = State(0.0)
        total = x
        for _ in range(3_000):
            total = total * 0.5 + 1.0
        x.next = total

    again = pickle.loads(pickle.dumps(Deep))
    assert again == Deep
    assert len(Deep.text()) < 200_000
    assert len(Deep._repr_html_()) < 100_000


def _python(code: str, *, seed: int) -> str:
    environment = os.environ | {"PYTHONHASHSEED": str(seed)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    return done.stdout.strip()


def test_a_neuron_of_main_unpickles_where_its_class_is_unknown() -> None:
    # As in a notebook: the class body stands in __main__ of one process, the pickle is read in another.
    code = SOURCE + "\nimport pickle\nprint(LIF.hash, pickle.dumps(LIF(tau=7 * ms)).hex())"
    digest, data = _python(code, seed=1).split()
    assert digest == LIF.hash
    assert pickle.loads(bytes.fromhex(data)) == LIF(tau=7 * ms)


def test_hash_does_not_depend_on_streams_drawn_before() -> None:
    normal()
    assert _lif().hash == LIF.hash


def test_a_default_and_the_same_value_given_are_told_apart() -> None:
    assert LIF(tau=20 * ms) != LIF  # the text says what was given; the equations are the same
    assert LIF(tau=20 * ms) == LIF(tau=0.02 * second)
