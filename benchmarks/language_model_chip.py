"""Language models on simulated SpiNNaker2, in several ways; what each takes, by the models of the target."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import language_model_shape as shape
import numpy as np
import numpy.typing as npt

from neuromorph import ms
from neuromorph.mapping.spinnaker2 import Decoder, SpiNNaker2, SpiNNaker2Report
from neuromorph.mapping.spinnaker2.ledger import PHASES
from neuromorph.models.language_model import LanguageModel

USABLE = {"chip__usable_pes": shape.PES}
"""The published run had two PEs more than applications usually get."""


@dataclass(frozen=True)
class Way:
    """A way to run a model.

    Attributes
    ----------
    turns : bool
        One layer at work at a time; else all at once, each on a word of its own.
    target : callable
        From the model, what is given to :class:`SpiNNaker2`.
    """

    name: str
    title: str
    turns: bool
    target: Callable[[LanguageModel], Mapping[str, Any]]


@dataclass(frozen=True)
class Run:
    """What a run took on the machine.

    Attributes
    ----------
    data_mean, data_most : float
        Bytes of a PE in use beside its code: mean, and of the fullest.
    per_synapse : float
        Bytes of synapses and look-up over the number of synapses.
    seconds, joules : float
        Of the whole text, the filling of the pipeline included.
    latency : float
        Seconds from a word to its answer.
    spent : mapping of str to float
        Seconds a word by what the busiest PE, which is waited for, did.
    energy : mapping of str to float
        Joules a word by cause.
    active : mapping of str to float
        Share of each layer's units that fire for a word.
    """

    name: str
    title: str
    words: int
    synapses: int
    pes: int
    chips: int
    data_mean: float
    data_most: float
    per_synapse: float
    seconds: float
    latency: float
    joules: float
    watts: float
    spent: Mapping[str, float]
    energy: Mapping[str, float]
    active: Mapping[str, float] = field(default_factory=dict)

    @property
    def bound(self) -> str:
        """What most of the time goes into."""
        return max(self.spent, key=lambda name: self.spent[name])


def busy(model: LanguageModel, active: float = shape.ACTIVE) -> dict[str, float]:
    """Expected rates for the mapping: every entry of a word, and a share of each layer's units."""
    return {"embedding": 1.0} | {f"egru{k + 1}": active for k in range(len(model.layers))}


def _published(model: LanguageModel) -> dict[str, Any]:
    return {"chips": 1, "partition": shape.by_synapses(model), "dvfs": "low", "constants": USABLE}


def _balanced(model: LanguageModel) -> dict[str, Any]:
    return {"chips": 1, "pes": shape.PES, "rates": busy(model), "dvfs": "low", "constants": USABLE}


def _decoded(arithmetic: str, fetch: str) -> Callable[[LanguageModel], dict[str, Any]]:
    def target(model: LanguageModel) -> dict[str, Any]:
        decoder = Decoder(
            model.output,
            model.embedding,
            model.bias,
            arithmetic=arithmetic,  # type: ignore[arg-type]
            fetch=fetch,  # type: ignore[arg-type]
            pes="all",
        )
        return _balanced(model) | {"decoder": decoder}

    return target


def _dense(pes: int, weights: str | None) -> Callable[[LanguageModel], dict[str, Any]]:
    return lambda model: {"pes": pes, "rates": busy(model), "dvfs": "low", "weights": weights, "place": "hilbert"}


def _high(model: LanguageModel) -> dict[str, Any]:
    return _balanced(model) | {"dvfs": "high"}


def _int8(model: LanguageModel) -> dict[str, Any]:
    return _balanced(model) | {"weights": "int8"}


PUBLISHED_SHAPE = (
    Way("turns", "layers in turn, PEs by weights", True, _published),
    Way("pipeline", "pipeline, PEs by weights", False, _published),
    Way("balanced", "pipeline, PEs by work", False, _balanced),
    Way("high", "pipeline, PEs by work, 0.8 V, 300 MHz", False, _high),
    Way("int8", "pipeline, PEs by work, int8", False, _int8),
    Way("decoder", "PEs by work, with softmax", False, _decoded("float32", "table")),
    Way("decoder_columns", "with softmax, columns of units that fired", False, _decoded("float32", "columns")),
    Way("decoder_int8", "with softmax, int8 on the MAC arrays", False, _decoded("int8", "table")),
)
"""Of the model with 5 % of its weights."""
DENSE_SHAPE = (
    Way("dense_int8", "all weights, int8", False, _dense(3 * 148, "int8")),
    Way("dense", "all weights, float32", False, _dense(10 * 148, None)),
)
"""Of the model with all weights."""


def trained_ways(active: float) -> tuple[Way, ...]:
    """Of a model small enough for one chip, whose units fire so often."""

    def spread(model: LanguageModel) -> dict[str, Any]:
        return {"chips": 1, "pes": 148, "rates": busy(model, active), "dvfs": "low"}

    def decoded(model: LanguageModel) -> dict[str, Any]:
        decoder = Decoder(model.output, model.embedding, model.bias, fetch="columns", pes="all")
        return spread(model) | {"decoder": decoder}

    return (
        Way("spread", "pipeline, PEs by work", False, spread),
        Way("spread_decoder", "with softmax, columns of units that fired", False, decoded),
    )


def run(model: LanguageModel, ids: npt.NDArray[np.int32], way: Way) -> tuple[Run, dict[str, npt.NDArray[np.uint32]]]:
    """Run a model over some words; gives what it took, and which units of each layer fired, in order."""
    depth, words = len(model.layers), len(ids)
    network = shape.in_turn(model, ids) if way.turns else model.network(ids)
    steps = depth * (words - 1) + depth + 1 if way.turns else words + depth
    program = SpiNNaker2(**way.target(model)).compile(network, dt=1 * ms, progress=False)
    trace = program.run(steps, progress=False)
    fired = {f"egru{k}": trace.events(f"egru{k}").ids for k in range(1, depth + 1)}
    report = program.report()
    active = {
        name: len(events) / words / layer.units
        for (name, events), layer in zip(fired.items(), model.layers, strict=True)
    }
    return _taken(report, way, words, active), fired


def _taken(report: SpiNNaker2Report, way: Way, words: int, active: Mapping[str, float]) -> Run:
    mapped = report.mapping
    data = mapped.bytes - mapped.machine.constants.count("memory.code")
    stored = sum(table for _, table in _regions(report, ("synapses", "rows", "kernels")))
    series = report.series
    spent = {name: float(series[f"last_{name}"].sum()) / words for name in (*PHASES, "wait", "network")}
    spent["barrier"] = float(series["time"].sum()) / words - sum(spent.values())
    if report.decoder is not None:
        spent["decoder"] = float(report.step_times.sum() - series["time"].sum()) / words
    assert report.energy is not None
    tokens = report.tokens
    assert tokens is not None
    return Run(
        name=way.name,
        title=way.title,
        words=words,
        synapses=report.synapses,
        pes=report.pes,
        chips=report.chips,
        data_mean=float(data.mean()),
        data_most=float(data.max()),
        per_synapse=stored / report.synapses,
        seconds=report.time,
        latency=report.time / words if way.turns else float(tokens.latency.mean()),
        joules=report.energy.total,
        watts=report.power,
        spent={name: value for name, value in spent.items() if abs(value) > 1e-12},
        energy={name: value / words for name, value in report.energy.by_cause.items()},
        active=active,
    )


def _regions(report: SpiNNaker2Report, names: tuple[str, ...]) -> list[tuple[str, int]]:
    from neuromorph.mapping.spinnaker2.layout import REGIONS

    return [(name, int(report.mapping.regions[:, REGIONS.index(name)].sum())) for name in names]
