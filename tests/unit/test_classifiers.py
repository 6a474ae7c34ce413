"""Trained classifiers: data, codings, the committed networks on the CPU engine and on SpiNNaker2, training them."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuromorph import CPU, Dense, EventSource, Network
from neuromorph.engine import Reference
from neuromorph.errors import NetworkError
from neuromorph.mapping.spinnaker2 import SpiNNaker2
from neuromorph.models import braille_letters, classifier, digits

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def test_braille_recordings() -> None:
    data = braille_letters.recordings()
    assert data.pressure.shape == (1080, braille_letters.STEPS, 4)
    assert np.bincount(data.letters).tolist() == [40] * 27
    assert data.names[:3] == ("Space", "A", "B")
    assert data.pressure.min() == 0
    assert 0.8 < data.pressure.max() < 1.3


@pytest.mark.parametrize(("split", "sizes"), [(braille_letters.split, (864, 216)), (digits.split, (8000, 2000))])
def test_splits_are_random_and_share_nothing(split, sizes) -> None:  # type: ignore[no-untyped-def]
    chosen, held_out = split(0)
    assert (len(chosen), len(held_out)) == sizes
    assert np.array_equal(np.sort(np.concatenate([chosen, held_out])), np.arange(sum(sizes)))
    assert not np.array_equal(held_out, split(1)[1])
    assert np.array_equal(held_out, split(0)[1])


def test_latency_of_a_pixel() -> None:
    image = np.zeros((1, 784), np.uint8)
    image[0, :5] = 255, 232, 231, 64, 63
    events = digits.latency(image)
    assert events.shape == (1, 11, 784)
    assert [tuple(place) for place in np.argwhere(events[0])] == [(0, 0), (0, 1), (1, 2), (7, 3)]


def test_scan_marks_where_ink_begins_and_ends() -> None:
    image = np.zeros((1, 28, 28), np.uint8)
    image[0, 3:5, 7], image[0, 27, 2], image[0, 9, 9] = 100, 255, 99
    events = digits.scan(image)
    assert events.shape == (1, 29, 56)
    assert [tuple(place) for place in np.argwhere(events[0])] == [(3, 7), (5, 28 + 7), (27, 2), (28, 28 + 2)]


def test_evidence_is_sent_once_and_is_the_sum() -> None:
    net = Network()
    source = net.population(EventSource(1, steps=[0, 2, 3], indices=[0, 0, 0], values=[1.0, 2.0, 4.0]), name="in")
    out = net.population(classifier.Evidence(last=3), 2, name="out")
    net.project(source, out.a, Dense([[1.0, -0.5]]))
    events = CPU().compile(net, dt=classifier.DT).run(8).events("out")
    assert events.steps is not None
    assert events.values is not None
    assert events.steps.tolist() == [3, 3]
    assert events.values.tolist() == [3.0, -1.5]


@pytest.mark.parametrize("kind", ["spiking", "egru"])
@pytest.mark.parametrize("weights", [None, "int8"])
def test_trained_braille_networks(kind, weights) -> None:  # type: ignore[no-untyped-def]
    data, (_, held_out) = braille_letters.recordings(), braille_letters.split(0)
    network, steps = braille_letters.trained(kind), braille_letters.RUN[kind]
    targets = {"cpu": CPU(weights=weights), "chips": SpiNNaker2(weights=weights)}
    cpu, chips = classifier.compare(targets, network, data.pressure[held_out], data.letters[held_out], steps)
    assert cpu["samples"] == 216
    assert cpu["accuracy"] >= 0.95
    assert chips["accuracy"] == cpu["accuracy"]
    assert chips["difference"] is None
    assert chips["model_joules_per_sample"] > 0


@pytest.mark.parametrize(("kind", "least"), [("spiking", 0.95), ("egru", 0.94)])
def test_trained_digit_networks(kind, least) -> None:  # type: ignore[no-untyped-def]
    task, (images, labels), held_out = digits.TASKS[kind], digits.images(), digits.split(0)[1]
    events = task.code(images[held_out])
    network = digits.trained(kind)
    assert classifier.classify(CPU(), network, events, task.steps).accuracy(labels[held_out]) >= least
    few = events[:50], labels[held_out[:50]]
    cpu, chips = classifier.compare({"cpu": CPU(), "chips": SpiNNaker2(neurons_per_pe=16)}, network, *few, task.steps)
    assert chips["difference"] is None
    assert chips["activity"] == cpu["activity"]


def test_difference_between_targets_is_told() -> None:
    data, network = braille_letters.recordings(), braille_letters.trained("egru")
    targets = {"float": CPU(), "int8": CPU(weights="int8"), "reference": Reference("float32")}
    rows = classifier.compare(targets, network, data.pressure[:2], data.letters[:2], braille_letters.RUN["egru"])
    assert rows[1]["difference"] is not None
    assert rows[2]["difference"] is None
    assert "first difference: none" in classifier.told(rows[2])
    assert rows[1]["difference"] in classifier.told(rows[1])


@pytest.mark.parametrize("make", [braille_letters.spiking, braille_letters.egru, digits.spiking, digits.egru])
def test_parameters_there_and_back(make, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    network, other = make(seed=1), make(seed=2)
    values = classifier.parameters(network)
    assert not all(np.array_equal(v, classifier.parameters(other)[name]) for name, v in values.items())
    classifier.save(tmp_path / "x.h5", network, {"split": 1})
    read = classifier.load(tmp_path / "x.h5", other)
    for name, value in classifier.parameters(read).items():
        assert np.array_equal(value, values[name].astype(np.float16).astype(np.float32)), name
    assert [p.name for p in read.populations] == [p.name for p in network.populations]
    assert classifier.with_parameters(other, values).text() == network.text()


def test_parameters_of_another_network_are_refused() -> None:
    values = classifier.parameters(braille_letters.egru(units=8))
    with pytest.raises(NetworkError, match=r"egru\.b_u is \(64,\), given \(8,\)"):
        classifier.with_parameters(braille_letters.egru(), values)
    del values["egru.b_u"]
    with pytest.raises(NetworkError, match=r"egru\.b_u is \(8,\), given none"):
        classifier.with_parameters(braille_letters.egru(units=8), values)


@pytest.mark.parametrize(("script", "epochs", "least"), [("train_braille", 3, 60), ("train_digits", 1, 80)])
def test_a_few_epochs_learn_much(script: str, epochs: int, least: float, capsys: Any) -> None:
    pytest.importorskip("torch")
    example = runpy.run_path(str(EXAMPLES / f"{script}.py"))
    network = example["trained"]("spiking", 0, epochs)
    found = re.search(r"(\d+\.\d+)% of", capsys.readouterr().out)
    assert found is not None
    assert float(found[1]) > least
    make = braille_letters.spiking if script == "train_braille" else digits.spiking
    assert network.text() != make().text()
