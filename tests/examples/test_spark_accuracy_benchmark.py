"""The benchmark of SPARK's accuracy: what it calls a format is that format, and parts are kept beside others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from neuromorph import CPU, ms
from neuromorph.formats import spark_table
from neuromorph.models import wikitext
from neuromorph.models.language_model import LanguageModel

ROOT = Path(__file__).resolve().parents[2]
pytest.importorskip("torch")

pytestmark = pytest.mark.usefixtures("one_torch_thread")


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, with its neighbours importable."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import spark_accuracy

    return spark_accuracy


def test_stored_weights_are_the_formats(benchmark: ModuleType) -> None:
    rng = np.random.default_rng(0)
    matrices = {
        "a": rng.laplace(0, 0.1, (30, 20)).astype(np.float32),
        "b": rng.normal(0, 1, (20, 8)).astype(np.float32),
    }
    sizes = {}
    for name in benchmark.FORMATS:
        found = benchmark.stored(matrices, name)
        counts = benchmark.counted(
            matrices, lambda key, w, name=name: benchmark.format_of(name, w), benchmark.axis_of(name)
        )
        for key, w in matrices.items():
            error = np.abs(found[key] - w).max() / np.abs(w).max()
            assert error < {"float32": 1e-9, "int8": 0.005}.get(name, 0.36), (name, error)
        sizes[name] = counts["bits"]
    assert (sizes["float32"], sizes["int8"], sizes["int4"]) == (32, 8, 4)
    assert 5 < sizes["spark_to_15"] < sizes["spark_to_47"] < sizes["spark"] <= 9
    kept = spark_table("paper")[np.rint(np.abs(matrices["a"]) * (255 / np.abs(matrices["a"]).max())).astype(int)]
    stored = benchmark.stored(matrices, "spark")["a"]
    np.testing.assert_allclose(np.abs(stored), kept * np.abs(matrices["a"]).max() / 255, rtol=1e-5)


@pytest.mark.parametrize("name", ["spark", "spark_learned"])
def test_what_was_trained_under_the_code_is_stored_without_loss(benchmark: ModuleType, name: str) -> None:
    task = replace(benchmark.TASKS["braille"], epochs=1)
    start = task.start(0)
    found = benchmark.trained_under(task, start, 0, 1, name)
    format = benchmark.format_used(found.module, name)
    matrices = benchmark.matrices_of(found.network)
    assert set(matrices) == {projection.name for projection in start.projections}
    for key, w in matrices.items():
        again = format(key, w).encode(w).decode()
        np.testing.assert_allclose(again, w, rtol=1e-5, err_msg=key)
    counts = benchmark.counted(matrices, format, None)
    assert counts["lossy"] == 0
    assert 5 <= counts["bits"] == pytest.approx(9 - 4 * counts["short"])


def test_layers_of_a_language_model_are_stored_gate_by_gate(benchmark: ModuleType) -> None:
    model = LanguageModel.random(50, 8, (12,), seed=3)
    matrices = benchmark.gates(model)
    assert len(matrices) == 12
    same = benchmark.with_gates(model, matrices)
    assert all(np.array_equal(a.kernel, b.kernel) for a, b in zip(same.layers, model.layers, strict=True))
    coded = benchmark.with_gates(model, benchmark.stored(matrices, "int4"))
    gate = coded.layers[0].kernel[:, :12]
    assert len(np.unique(np.abs(gate))) <= 8
    matrix = np.zeros((4, 5), np.float32)
    matrix[1, 2] = 3.0
    assert benchmark.synapses({"": matrix})[""].tolist() == [[3.0]]


def test_parts_are_kept_beside_others(benchmark: ModuleType, tmp_path: Path) -> None:
    from spark_accuracy_report import Row, read

    first = [Row("braille", "float32", False, 0, 1.0, 32, 0, 0), Row("braille", "spark", True, 0, 0.98, 6.5, 0.6, 0.1)]
    benchmark.keep(tmp_path, first, 100)
    benchmark.keep(tmp_path, [Row("egru", "float32", False, 0, 100.0, 32, 0, 0),
                                      Row("egru", "int8", False, 0, 101.0, 8, 0, 0)], 100)  # fmt: skip
    benchmark.keep(tmp_path, first, 100)
    with pytest.raises(SystemExit, match="read 100 words, not 200"):
        benchmark.keep(tmp_path, first, 200)
    found = read(tmp_path / "spark_accuracy.json")
    assert [row.network for row in found.rows] == ["braille"] * 2 + ["egru"] * 2
    text = (tmp_path / "spark_accuracy.md").read_text()
    assert "98.00% (-2.00) | 6.50 | 60% | 10.0%" in text
    assert "101.00 (+1.00 %)" in text


def test_the_stored_results_are_of_every_network(benchmark: ModuleType) -> None:
    from spark_accuracy_report import LANGUAGE, page, read

    folder = ROOT / "benchmarks" / "results"
    found = read(folder / "spark_accuracy.json")
    assert {row.network for row in found.rows} == {*benchmark.TASKS, *LANGUAGE}
    assert (folder / "spark_accuracy.md").read_text() == page(found)
    assert len(wikitext.tokens("test")) > found.words
    every: dict[tuple[str, str, bool], list[float]] = {}
    for row in found.rows:
        every.setdefault((row.network, row.format, row.trained), []).append(row.score)
    scores = {key: np.mean(splits) for key, splits in every.items()}
    for task in benchmark.TASKS:  # what the pages say of training under the code
        assert scores[task, "spark", True] > scores[task, "float32", False] - 0.01
    for model in LANGUAGE:  # and of rounding afterwards
        assert scores[model, "spark", False] > scores[model, "int8", False]


def test_values_of_events_are_in_the_format_too(benchmark: ModuleType) -> None:
    task = benchmark.TASKS["braille"]
    network = task.start(0)
    ranges = benchmark.seen(task, network, 0)
    assert set(ranges) == {"egru"}, "what neurons send to others; the inputs and the verdict stay"
    assert not ranges["egru"].signed
    made = benchmark.with_events(network, "spark_events", ranges)
    assert benchmark.with_events(network, "spark", ranges) is network
    x = next(task.epoch(0, np.random.default_rng(0)))[0][:4]
    trace = CPU(threads=1).compile(made, dt=1 * ms, progress=False).run_batch({"touch": x}, 40, progress=False)
    assert trace.counts["egru"].sum() > 0
    levels = np.unique(benchmark.seen(task, made, 0)["egru"].largest / ranges["egru"].largest * 255)
    assert np.rint(levels[0]) in np.unique(spark_table("paper"))
    assert levels[0] == pytest.approx(np.rint(levels[0]), abs=1e-3)
