"""The networks that engines are compared on: what they are called, how large they are, how long they run.

One place for the numbers that every simulator shares. What a network's equations are, each simulator says in its own
language: ours in ``models``, the others in ``peers``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

BRUNEL = {"g": 5.0, "eta": 2.0, "weight": 0.1, "delay": 1.5, "v_reset": 0.0}
"""Brunel's network as in NEST's examples; mV and ms. It fires at about 35 Hz."""


@dataclass(frozen=True)
class Case:
    """A network to measure.

    Attributes
    ----------
    name : str
    title : str
        For tables.
    network : str
        Which network of each simulator: a key of its ``NETWORKS``.
    parameters : mapping
        Its sizes and constants; mV and ms.
    seconds : float
        Biological seconds of a repetition.
    warm_up : float
        Biological seconds before the first.
    per : str
        What a time is divided by: a biological "second" or a "token" (1 ms each).
    tolerances : mapping of str to float
        Fraction by which a result may differ beside its spread over seeds; 2 % where nothing is said, since simulators
        order what happens in one step differently.
    left_out : mapping of str to str
        Peers, or peers with a number of threads (``"nest_simulator-1"``), that are not run unless asked for, and why.
    large : bool
        Only run when asked for.
    """

    name: str
    title: str
    network: str
    parameters: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 1.0
    warm_up: float = 0.1
    per: str = "second"
    tolerances: Mapping[str, float] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    large: bool = False

    def smaller(self, seconds: float, **parameters: float) -> Case:
        """The same with other sizes and a shorter run."""
        return replace(self, seconds=seconds, warm_up=0.0, parameters={**self.parameters, **parameters})


CASES = (
    Case("cuba", "CUBA, 4,000 LIF, 320,000 synapses", "cuba", {"n": 4000, "probability": 0.02}, 2.0, 1.0),
    Case(
        "cobahh",
        "COBAHH, 4,000 Hodgkin-Huxley, 320,000 synapses",
        "cobahh",
        {"n": 4000, "probability": 0.02},
        0.4,
        0.2,
    ),
    Case(
        "brunel_1e6",
        "Brunel, 10,000 LIF, 10^6 synapses",
        "brunel",
        BRUNEL | {"n": 10_000, "in_degree": 100, "weight": 0.5, "eta": 1.5},
        0.5,
    ),
    Case("brunel_1e7", "Brunel, 10,000 LIF, 10^7 synapses", "brunel", BRUNEL | {"n": 10_000, "in_degree": 1000}, 0.5),
    Case(
        "brunel_1e8",
        "Brunel, 100,000 LIF, 10^8 synapses",
        "brunel",
        BRUNEL | {"n": 100_000, "in_degree": 1000},
        0.1,
        0.05,
        left_out={
            "brian2_cython": "minutes for a turn",
            "nest_simulator": "minutes for a turn, and 8 GB",
            "annarchy": "three minutes to build, 9 GB, and slower than Brian 2",
        },
    ),
    Case(
        "brunel_1e9",
        "Brunel, 1,000,000 LIF, 10^9 synapses",
        "brunel",
        BRUNEL | {"n": 1_000_000, "in_degree": 1000},
        0.1,
        0.02,
        left_out=dict.fromkeys(
            ("brian2_standalone", "brian2_cython", "nest_simulator", "annarchy"),
            "14 GB or more, judging by 10^8 synapses",
        ),
        large=True,
    ),
    Case(
        "stdp",
        "STDP, 2,000 inputs, 5,000 LIF, 10^6 synapses",
        "stdp",
        {
            "inputs": 2000,
            "n": 5000,
            "probability": 0.1,
            "rate": 15.0,
            "w_max": 0.8,
            "a_plus": 0.01,
            "a_minus": 0.0105,
            "tau": 20.0,
        },
        0.5,
        # NEST applies events of targets when the source fires next, so its weights lag behind by some 70 ms
        tolerances={"deviation": 0.15},
    ),
    Case(
        "egru",
        "EGRU token, 1,350 inputs and units, 10 % active",
        "egru",
        {"inputs": 1350, "units": 1350, "threshold": 0.38, "gain": 2.0, "active": 0.1},
        0.5,
        0.05,
        per="token",
    ),
)
