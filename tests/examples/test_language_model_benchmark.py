"""The benchmark of language models runs, at sizes that take no time, and its report says what it found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from neuromorph import CPU, first_difference, ms
from neuromorph.models.egru_layers import EGRUWeights
from neuromorph.models.language_model import LanguageModel

ROOT = Path(__file__).resolve().parents[2]
IDS = np.random.default_rng(0).integers(0, 50, 12).astype(np.int32)


@pytest.fixture
def shape(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, with its neighbours importable."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import language_model_shape

    return language_model_shape


@pytest.fixture
def small(shape: ModuleType, monkeypatch: pytest.MonkeyPatch) -> LanguageModel:
    """The published model, far smaller."""
    monkeypatch.setattr(shape, "WIDTH", 12)
    monkeypatch.setattr(shape, "HIDDEN", (30, 20))
    monkeypatch.setattr(shape, "WORDS", 50)
    monkeypatch.setattr(shape, "ids", lambda: IDS)
    return shape.model(density=0.3)


def test_activity_and_density_are_as_wanted(shape: ModuleType, small: LanguageModel) -> None:
    x = small.embedding[IDS]
    for layer in small.layers:
        x = shape.outputs(layer, x, layer.threshold[0])
        assert np.count_nonzero(x) / x.size == pytest.approx(shape.ACTIVE, abs=0.02)
        assert np.count_nonzero(layer.kernel) / layer.kernel.size == pytest.approx(0.3, abs=0.05)
    trace = CPU().compile(small.network(IDS), dt=1 * ms, progress=False).run(len(IDS) + 3, progress=False)
    np.testing.assert_allclose(small.outputs(trace, 0, len(IDS)), x, atol=1e-6)
    assert x.any()


def test_layers_in_turn_fire_as_in_a_pipeline(shape: ModuleType, small: LanguageModel) -> None:
    pipeline = CPU().compile(small.network(IDS), dt=1 * ms, progress=False).run(len(IDS) + 3, progress=False)
    turns = CPU().compile(shape.in_turn(small, IDS), dt=1 * ms, progress=False).run(3 * len(IDS) + 1, progress=False)
    for k in (1, 2, 3):
        one, other = pipeline.events(f"egru{k}"), turns.events(f"egru{k}")
        word = np.asarray(one.steps).astype(int) - k
        np.testing.assert_array_equal(np.asarray(other.steps).astype(int), 3 * word + k)
        np.testing.assert_array_equal(other.ids, one.ids)
        np.testing.assert_allclose(other.values, one.values, rtol=1e-5)


def test_every_way_runs_and_is_reported(shape: ModuleType, small: LanguageModel, tmp_path: Path) -> None:
    import language_model
    import language_model_chip as chip
    from engine_report import machine
    from language_model_report import QUOTES, Classifier, Model, Result, page, read, readme, write
    from training_report import Job, Row

    names = {"chips": 1, "pes": 9, "partition": shape.by_synapses(small, 9)}

    def smaller(way: Any) -> Any:
        """The same on nine PEs."""
        target: Callable[[LanguageModel], dict[str, Any]] = way.target
        return replace(way, target=lambda model: {k: names.get(k, v) for k, v in target(model).items()})

    ways = [smaller(way) for way in chip.PUBLISHED_SHAPE if way.name in ("turns", "balanced", "decoder")]
    runs = language_model.on_chips(small, IDS, ways)
    turns, balanced, decoder = runs
    assert [run.pes for run in runs] == [9] * 3
    assert turns.seconds > balanced.seconds
    assert decoder.seconds > balanced.seconds
    for run in runs:
        assert sum(run.spent.values()) * len(IDS) == pytest.approx(run.seconds)
        assert sum(run.energy.values()) * len(IDS) == pytest.approx(run.joules)
        assert run.watts == pytest.approx(run.joules / run.seconds)

    rows = (
        Row("words_engine", "engine", "1", (2.0, 4.0), 10, "", (6.0, 7.0)),
        Row("x", "absent", "", (), 0, "not here"),
    )
    counted = language_model.counts(small)
    assert counted["weights"] == 3 * (12 * 30 + 30 * 30 + 30 * 20 + 20 * 20 + 20 * 12 + 12 * 12)
    model = Model("shape", "small", len(IDS), **counted, runs=runs, jobs=(Job("live", rows),), difference=1e-7)
    classifier = Classifier("braille", "int8", 0.97, 4, 1e-3, 2e-6)
    result = Result(machine(), 1, "the CPU", "no power meter", (model,), (classifier,))
    write(result, tmp_path)
    assert read(tmp_path / "language_model.json") == result
    text = (tmp_path / "language_model.md").read_text()
    assert text == page(result)
    for wanted in ("88.3 of 96 kB", "no power meter", "braille, 97.0% right", "not here", "583 mJ", "250 ms"):
        assert wanted in text, wanted
    assert all(f"{quote.watts:g} W" in readme(result) for quote in QUOTES)
    assert (tmp_path / "language_model.png").stat().st_size > 10_000


def test_ways_that_fire_otherwise_are_refused(
    shape: ModuleType, small: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    import language_model
    import language_model_chip as chip

    answers = iter([np.arange(5, dtype=np.uint32), np.arange(1, 6, dtype=np.uint32)])
    run = chip.Run("a", "a", 1, 1, 1, 1, 1, 1, 1, 1.0, 1.0, 1.0, 1.0, {}, {}, {"egru1": 0.1})
    monkeypatch.setattr(chip, "run", lambda *_: (run, {"egru1": next(answers)}))
    with pytest.raises(SystemExit, match="other units fire"):
        language_model.on_chips(small, IDS, chip.PUBLISHED_SHAPE[1:3])


def test_contestants_read_alike(shape: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    from peers import Setup, words_engine, words_engine_int8, words_loop, words_module

    layers = tuple(EGRUWeights.random(a, b, threshold=0.05, seed=a) for a, b in ((12, 30), (30, 12)))
    table = np.random.default_rng(1).normal(0, 1, (40_000, 12)).astype(np.float32)
    model = LanguageModel(table, layers, np.zeros(len(table), np.float32)).stored()
    model.save(tmp_path / "model.h5")
    outputs = []
    for module in (words_engine, words_module, words_loop, words_engine_int8):
        folder = tmp_path / module.__name__
        folder.mkdir()
        run = module.NETWORKS["words_live"]({"words": 9}, Setup(threads=1, seed=0, folder=folder)).run
        assert run(1).results["active"] > 0.01
        outputs.append(np.load(folder / "outputs.npy"))
        assert outputs[-1].shape == (9, 12)
    for other in outputs[1:3]:
        np.testing.assert_allclose(other, outputs[0], atol=1e-6)
    assert np.abs(outputs[3] - outputs[0]).max() > 1e-6
    program = CPU().compile(model.network(np.arange(3)), dt=1 * ms, progress=False)
    assert first_difference(program.run(5, progress=False), program.run(5, reset=True, progress=False)) is None


def test_meters(shape: ModuleType, tmp_path: Path) -> None:
    import power

    meter, why = power.processor(tmp_path / "absent")
    assert meter is None
    assert "does not exist" in why
    assert "no RAPL" in power.processor(tmp_path)[1]
    package = tmp_path / "intel-rapl:0"
    package.mkdir()
    (package / "max_energy_range_uj").write_text("999999\n")
    (package / "energy_uj").write_text("900000\n")
    meter, why = power.processor(tmp_path)
    assert meter is not None
    assert "packages: 1" in why
    assert meter() == 0
    (package / "energy_uj").write_text("100000\n")  # beyond the range, it began anew
    assert meter() == pytest.approx(0.2)
