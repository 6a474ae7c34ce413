"""Networks that others trained, reproduced event by event on every target."""

from __future__ import annotations

import numpy as np
import pytest

from neuromorph import CPU, ms
from neuromorph.engine import Program, Target
from neuromorph.mapping.crossbar import Crossbar, load_machine
from neuromorph.mapping.hypergraph import Hypergraph, Limits
from neuromorph.mapping.pipeline import Pipeline
from neuromorph.mapping.spinnaker2 import SpiNNaker2
from neuromorph.models import braille, decoder, mnist
from neuromorph.trace import Trace


def scattered(graph: Hypergraph, limits: Limits, seed: int) -> np.ndarray:
    """Four neurons a part, drawn at random: as bad a partition as there is."""
    return np.random.default_rng(seed).permutation(np.arange(graph.n_vertices) // 4)


TARGETS = {
    "cpu": CPU(),
    "cpu-2-threads": CPU(threads=2),
    "crossbar": Crossbar("ideal"),
    "crossbar-small": Crossbar(load_machine("ideal", rows=48, columns=60), seed=1),
    "pipeline": Pipeline(),
    "spinnaker2": SpiNNaker2(),
    "spinnaker2-sequential": SpiNNaker2(partition="sequential"),
    "spinnaker2-2-chips": SpiNNaker2(chips=2),
    "spinnaker2-2-chips-scattered": SpiNNaker2(chips=2, partition=scattered, place="row_major"),
}


@pytest.fixture(params=TARGETS.values(), ids=TARGETS.keys())
def target(request: pytest.FixtureRequest) -> Target:
    return request.param


def dense(trace: Trace, population: str, delay: int, shape: tuple[int, int]) -> np.ndarray:
    """Values of a population's events as an array (steps, n), the pipeline's delay taken off."""
    events = trace.events(population)
    steps = np.asarray(events.steps) - delay
    inside = (steps >= 0) & (steps < shape[0])
    result = np.zeros(shape, np.float32)
    values = np.ones(len(steps), np.float32) if events.values is None else np.asarray(events.values)
    result[steps[inside], np.asarray(events.ids)[inside]] = values[inside]
    return result


def classify(program: Program, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Predictions and output events of the first ``count`` digits."""
    steps, window = mnist.STEPS + mnist.LATENCY, (mnist.LATENCY, mnist.STEPS + mnist.LATENCY)
    batch = program.run_batch({"pixels": {"pixel": mnist.images()[:count]}}, steps, window=window, progress=False)
    return batch.predictions("output"), batch.counts["output"]


def test_mnist_reaches_the_published_accuracy_exactly(target: Target) -> None:
    few = target is TARGETS["spinnaker2-2-chips-scattered"]  # takes four times as long as any other
    predictions, counts = classify(target.compile(mnist.classifier(), dt=1 * ms), 2_000 if few else 10_000)
    assert (predictions == mnist.labels()[: len(predictions)]).sum() == (1_881 if few else 9_532)
    assert counts.sum() == (42_584 if few else 211_380)


def test_mnist_with_one_neuron_a_pe_classifies_as_on_the_cpu() -> None:
    spread = SpiNNaker2(chips=48, neurons_per_pe=1, place="row_major").compile(mnist.classifier(), dt=1 * ms)
    assert spread.report().pes == 784 + 128 + 64 + 10
    _, expected = classify(CPU().compile(mnist.classifier(), dt=1 * ms), 500)
    assert np.array_equal(classify(spread, 500)[1], expected)


def test_egru_decoder_reproduces_its_recording(target: Target) -> None:
    recording = decoder.recording()
    network = decoder.decoder(recording.x)
    network.record(network["egru"], "c")
    network.record(network["velocity"], "y")
    steps = len(recording.x)
    trace = target.compile(network, dt=10 * ms).run(steps + decoder.LATENCY, progress=False)
    y = dense(trace, "egru", 2, recording.y.shape)
    assert np.array_equal(y != 0, recording.events.astype(bool))
    np.testing.assert_allclose(y, recording.y, rtol=0, atol=2e-6)
    np.testing.assert_allclose(trace.state("egru", "c").data[2 : steps + 2], recording.h, rtol=0, atol=2e-6)
    np.testing.assert_allclose(trace.state("velocity", "y").data[3 : steps + 3], recording.out, rtol=0, atol=1e-5)


def test_braille_reader_fires_as_snntorch_recorded(target: Target) -> None:
    recorded = braille.recorded_activity()
    steps = len(recorded)
    trace = target.compile(braille.reader(braille.sample()), dt=braille.DT).run(steps + 2, progress=False)
    hidden = dense(trace, "hidden", 1, recorded.shape)
    assert np.count_nonzero(hidden != recorded) == 0
    assert dense(trace, "letters", 2, (steps, 7)).sum(axis=0).tolist() == [10, 160, 112, 113, 103, 68, 121]
