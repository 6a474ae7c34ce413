"""The language model: its corpus, its network, its file, its score, and its training."""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np
import pytest

from neuromorph import CPU, Reference, ms
from neuromorph.errors import NetworkError, TrainingError
from neuromorph.models import language_model, wikitext
from neuromorph.models.egru_layers import EGRUWeights, read_egru_layer
from neuromorph.models.language_model import LanguageModel
from neuromorph.models.language_recipes import RECIPES, Recipe

WORDS = 50


@pytest.fixture
def model() -> LanguageModel:
    """Three layers, thresholds that are often crossed, biases that are not zero."""
    made = LanguageModel.random(WORDS, 6, (9, 7), threshold=0.05, seed=3)
    rng = np.random.default_rng(1)

    def moved(layer: EGRUWeights) -> EGRUWeights:
        bias, other = rng.normal(0, 0.3, (2, 3 * layer.units)).astype(np.float32)
        return replace(layer, kernel=4 * layer.kernel, bias=bias, recurrent_bias=other)

    bias = rng.normal(size=WORDS).astype(np.float32)
    return LanguageModel(made.embedding, tuple(map(moved, made.layers)), bias, {"note": "test"})


def words(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, WORDS, count)


def direct(model: LanguageModel, ids: np.ndarray, window: int | None = None) -> np.ndarray:
    """The last layer's outputs by EvNN's equations, layer after layer, in float64."""
    x = model.embedding[ids].astype(float)
    for layer in model.layers:
        h = layer.units
        c, y, ys = np.zeros(h), np.zeros(h), []
        for t, row in enumerate(x):
            if window and t % window == 0:
                c = np.zeros(h)
            a, b = row @ layer.kernel + layer.bias, y @ layer.recurrent_kernel + layer.recurrent_bias
            k, r = (1 / (1 + np.exp(-(a[s] + b[s]))) for s in (slice(0, h), slice(h, 2 * h)))
            c = k * c + (1 - k) * np.tanh(a[2 * h :] + r * b[2 * h :])
            fired = c > layer.threshold
            y = fired * c
            c = c - fired * layer.threshold
            ys.append(y)
        x = np.array(ys)
    return x


# --- corpus -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "count", "lines", "digest"),
    [
        ("train", 2_088_628, 36_718, "9e9fa1ad55b1c2c95b08e37dd8e653f638fac2c6de904b79e813611eefbc985f"),
        ("valid", 217_646, 3_760, "f0737ed31fc1329026e95cb8b98e19c2a182c39c240ab909dc31abf2f8af58e8"),
        ("test", 245_569, 4_358, "d790b833ef8cf03a90db7bf1271b7520b83c45ce07ba3c1a9699df81e239eca0"),
    ],
)
def test_the_corpus_is_the_usual_one(part: wikitext.Part, count: int, lines: int, digest: str) -> None:
    ids = wikitext.tokens(part)
    assert sha256(wikitext.text(part).encode()).hexdigest() == digest
    assert len(ids) == count
    assert np.count_nonzero(ids == wikitext.vocabulary().index(wikitext.END)) == lines
    assert wikitext.decode(ids[-9_000:]).split() == wikitext.text(part).replace("\n", " <eos> ").split()[-9_000:]
    with pytest.raises(ValueError, match="read-only"):
        ids[0] = 1


def test_words_are_numbered_as_they_first_occur() -> None:
    vocabulary, ids = wikitext.vocabulary(), wikitext.tokens("train")
    assert len(vocabulary) == len(set(vocabulary)) == 33_278
    seen = np.maximum.accumulate(ids)
    assert ids[0] == 0
    assert (np.diff(seen) <= 1).all()
    assert seen[-1] == 33_277


def test_texts_become_numbers_and_back() -> None:
    ids = wikitext.encode("The river floods in neuromorphia\n")
    assert wikitext.decode(ids) == "The river floods in <unk> <eos>"
    assert wikitext.encode("The river").tolist() == ids[:2].tolist()


# --- network ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("window", [None, 1, 7])
@pytest.mark.parametrize("target", [CPU("float64"), Reference("float64")], ids=["cpu", "reference"])
def test_the_network_does_what_the_equations_say(model: LanguageModel, target: object, window: int | None) -> None:
    ids = words(60)
    program = target.compile(model.network(ids, window=window), dt=1 * ms)  # type: ignore[attr-defined]
    y, events = model.read(program, len(ids))
    expected = direct(model, ids, window)
    assert 0.1 < np.count_nonzero(expected) / expected.size < 0.9
    np.testing.assert_allclose(y, expected, atol=1e-6)
    assert events["egru3"] == np.count_nonzero(expected)
    assert list(events) == ["egru1", "egru2", "egru3"]


def test_windows_matter(model: LanguageModel) -> None:
    assert not np.allclose(direct(model, words(60)), direct(model, words(60), 7))


def test_reading_in_pieces_changes_nothing(model: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = words(100)
    program = CPU().compile(model.network(ids), dt=1 * ms)
    whole = model.read(program, 100)
    monkeypatch.setattr(language_model, "_PIECE", 17)
    pieces = model.read(program, 100)
    assert np.array_equal(whole[0], pieces[0])
    assert whole[1] == pieces[1]


def test_sparse_matrices_become_lists_and_layers_can_be_read_back(model: LanguageModel) -> None:
    rng = np.random.default_rng(2)
    layer = model.layers[0]
    thin = replace(layer, kernel=layer.kernel * (rng.random(layer.kernel.shape) < 0.3))
    sparse = LanguageModel(model.embedding, (thin, *model.layers[1:]), model.bias)
    network = sparse.network(words(5))
    rules = {p.name: p.rule_name for p in network.projections}
    assert rules["embedding -> egru1.a_x"] == "Sparse"
    assert rules["egru1 -> egru1.a_y"] == "Dense"
    for number, given in enumerate(sparse.layers, 1):
        found = read_egru_layer(network, f"egru{number}")
        gates = slice(0, 2 * given.units)
        assert np.array_equal(found.kernel, given.kernel)
        assert np.array_equal(found.recurrent_kernel, given.recurrent_kernel)
        assert np.array_equal(found.threshold, given.threshold)
        assert np.array_equal((found.bias + found.recurrent_bias)[gates], (given.bias + given.recurrent_bias)[gates])
        assert np.array_equal(found.recurrent_bias[2 * given.units :], given.recurrent_bias[2 * given.units :])
    with pytest.raises(NetworkError, match="embedding: no layer of EGRU units"):
        read_egru_layer(network, "embedding")


def test_sizes_count_every_parameter(model: LanguageModel) -> None:
    expected = sum(3 * h * (i + h) + 5 * h for i, h in ((6, 9), (9, 7), (7, 6)))
    assert model.size == {"embedding": WORDS * 7, "layers": expected, "nonzero": expected}


def test_shapes_that_do_not_fit_are_refused(model: LanguageModel) -> None:
    with pytest.raises(NetworkError, match=r"kernel 2 has shape \(9, 21\), expected .* = \(6, 21\)"):
        LanguageModel(model.embedding, (EGRUWeights.random(6, 6), *model.layers[1:]), model.bias)
    with pytest.raises(NetworkError, match="last layer has 7 units; the embedding's width is 6"):
        LanguageModel(model.embedding, model.layers[:2], model.bias)
    with pytest.raises(NetworkError, match=r"bias has shape \(3,\); the embedding has 50 words"):
        LanguageModel(model.embedding, model.layers, model.bias[:3])


# --- score ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("logits", [1, 170, 1 << 24])
def test_likelihoods_are_those_of_a_softmax(model: LanguageModel, logits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from scipy.special import log_softmax

    monkeypatch.setattr(language_model, "_LOGITS", logits)
    y, targets = np.random.default_rng(4).normal(0, 20, (30, 6)).astype(np.float32), words(30)
    expected = log_softmax(y.astype(float) @ model.embedding.T + model.bias, axis=1)[np.arange(30), targets]
    found = model.log_likelihood(y, targets)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert model.perplexity(y, targets) == pytest.approx(np.exp(-expected.mean()), rel=1e-5)


def test_a_model_that_knows_nothing_is_as_perplexed_as_there_are_words(model: LanguageModel) -> None:
    blank = LanguageModel(model.embedding, model.layers, np.zeros(WORDS, np.float32))
    assert blank.perplexity(np.zeros((9, 6), np.float32), words(9)) == pytest.approx(WORDS, rel=1e-5)
    with pytest.raises(NetworkError, match=r"outputs have shape \(9, 5\); 9 targets need \(9, 6\)"):
        blank.perplexity(np.zeros((9, 5), np.float32), words(9))


# --- file -------------------------------------------------------------------------------------------------------------


def same(a: LanguageModel, b: LanguageModel) -> bool:
    parts = [(getattr(x, n), getattr(y, n)) for x, y in zip(a.layers, b.layers, strict=True) for n in x.__dict__]
    return all(np.array_equal(x, y) for x, y in [(a.embedding, b.embedding), (a.bias, b.bias), *parts])


def test_a_file_gives_the_stored_model_and_storing_is_settled_after_once(model: LanguageModel, tmp_path: Path) -> None:
    stored = model.stored()
    model.save(tmp_path / "a.h5")
    found = LanguageModel.load(tmp_path / "a.h5")
    assert same(found, stored)
    assert found.meta == {"note": "test"}
    assert same(found.stored(), found)
    assert found.embedding.dtype == found.layers[0].kernel.dtype == np.float32
    limit = np.abs(model.embedding).max(axis=1, keepdims=True) / 250
    assert (np.abs(found.embedding - model.embedding) <= limit).all()
    np.testing.assert_allclose(found.layers[2].kernel, model.layers[2].kernel, rtol=1e-3, atol=1e-7)


def test_rows_of_any_size_are_stored_the_same_twice() -> None:
    rng = np.random.default_rng(5)
    rows = (rng.normal(size=(2000, 16)) * 10.0 ** rng.uniform(-30, 30, (2000, 1))).astype(np.float32)
    rows[7] = 0
    once = language_model._int8(rows)
    again = language_model._int8(language_model._table(*once))
    assert all(np.array_equal(a, b) for a, b in zip(once, again, strict=True))
    assert np.abs(once[1].astype(int)).max() == 127


def test_two_models_can_share_an_embedding(model: LanguageModel, tmp_path: Path) -> None:
    model.save(tmp_path / "a.h5")
    other = replace(LanguageModel.load(tmp_path / "a.h5"), layers=LanguageModel.random(WORDS, 6, seed=9).layers)
    other.save(tmp_path / "b.h5", embedding="a.h5")
    assert same(LanguageModel.load(tmp_path / "b.h5"), other.stored())
    with h5py.File(tmp_path / "b.h5") as file:
        assert isinstance(file.get("embedding", getlink=True), h5py.ExternalLink)
    with pytest.raises(NetworkError, match=r"the embedding of a\.h5 is not this model's"):
        LanguageModel.random(WORDS, 6).save(tmp_path / "c.h5", embedding="a.h5")
    assert not (tmp_path / "c.h5").exists()


def test_other_files_are_refused(tmp_path: Path) -> None:
    h5py.File(tmp_path / "x.h5", "w").close()
    with pytest.raises(NetworkError, match=r"x\.h5: an HDF5 file, but no language model"):
        LanguageModel.load(tmp_path / "x.h5")
    (tmp_path / "text.h5").write_text("no HDF5")
    for name in ("text.h5", "missing.h5"):
        with pytest.raises(NetworkError, match=f"{name}: expected a file that LanguageModel.save wrote"):
            LanguageModel.load(tmp_path / name)


# --- training ---------------------------------------------------------------------------------------------------------

TINY = Recipe(
    width=6, hidden=(9,), epochs=2, batch=4, window=10, samples=None, rate=2e-2, warmup=2, thresholds=0.05, watched=100
)


def text(count: int) -> np.ndarray:
    """Words of which each mostly says what the next one is."""
    rng = np.random.default_rng(6)
    ids = np.cumsum(rng.choice([1, 2], count, p=[0.9, 0.1])) % WORDS
    return ids


@pytest.mark.parametrize("cell", ["egru", "gru", "lstm"])
def test_training_lowers_the_perplexity(cell: str, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from neuromorph.models import language_training as training

    torch.manual_seed(0)
    ids, watch = text(1600), text(200)
    counts = training.word_counts(ids, WORDS)
    model = training.WordModel(training.untrained(TINY, counts), TINY, counts, cell)  # type: ignore[arg-type]
    before = training.score(model.eval(), watch)["perplexity"]
    trainer, data = training.trainer(model, TINY, ids, watch, clock=lambda: 1.0, folder=tmp_path, progress=False)
    fitted = trainer.fit(data, TINY.epochs)
    after = training.score(model.eval(), watch)
    assert after["perplexity"] < 0.7 * before
    assert 0 < after["activity1"] <= 1
    assert set(after) == {"perplexity", "activity1", "activity2"}
    assert fitted.last["valid_perplexity"] > 1
    assert fitted.last["computing"] == 1.0


def test_a_trained_model_scores_the_same_on_the_engine(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from neuromorph.models import language_training as training

    torch.manual_seed(0)
    ids = text(600)
    counts = training.word_counts(ids, WORDS)
    model = training.WordModel(training.untrained(TINY, counts), TINY, counts)
    trainer, data = training.trainer(model, TINY, ids, ids, clock=lambda: 0.0, progress=False)
    trainer.fit(data, 1)
    found = training.score(model.eval(), ids)
    trained = model.language_model({"recipe": "tiny"})
    program = CPU().compile(trained.network(ids[:-1]), dt=1 * ms)
    y, events = trained.read(program, len(ids) - 1)
    assert trained.perplexity(y, ids[1:]) == pytest.approx(found["perplexity"], rel=1e-4)
    assert events["egru1"] / 9 / len(y) == pytest.approx(found["activity1"], abs=1e-3)
    ordered, same_events = training.read(trained, ids[:-1], ordered=True)
    assert np.array_equal(ordered, y)
    assert same_events == events
    plain, _ = training.read(trained, ids[:-1])
    np.testing.assert_allclose(plain[:200], y[:200], atol=1e-5)


def test_carrying_only_outputs_is_the_windowed_neuron(model: LanguageModel) -> None:
    pytest.importorskip("torch")
    from neuromorph.models import language_training as training

    ids = words(38)
    found, events = model.read(CPU().compile(model.network(ids, window=7), dt=1 * ms), len(ids))
    plain, same_events = training.read(model, ids, window=7)
    np.testing.assert_allclose(plain, found, atol=1e-5)
    ordered, _ = training.read(model, ids, window=7, ordered=True)
    assert np.array_equal(ordered, found)
    assert same_events == events
    counts = np.ones(WORDS, int)
    scored = training.WordModel(model, replace(TINY, hidden=(9, 7)), counts).eval()
    cut, whole = (training.score(scored, ids, window=window)["perplexity"] for window in (7, None))
    assert cut == pytest.approx(model.perplexity(found[:-1], ids[1:]), rel=1e-4)
    assert cut != pytest.approx(whole, rel=1e-4)


def test_batches_side_by_side_do_not_score_their_first_words() -> None:
    torch = pytest.importorskip("torch")
    from neuromorph.models import language_training as training

    torch.manual_seed(0)
    ids = text(400)
    counts = training.word_counts(ids, WORDS)
    model = training.WordModel(training.untrained(TINY, counts), TINY, counts).eval()
    nll = [np.log(training.score(model, piece)["perplexity"]) for piece in ids.reshape(4, 100)]
    assert np.log(training.score(model, ids, batch=4)["perplexity"]) == pytest.approx(np.mean(nll), rel=1e-5)


def test_sizes_of_the_cells_are_equal() -> None:
    pytest.importorskip("torch")
    from neuromorph.models import language_training as training

    for name in RECIPES:
        recipe = RECIPES[name]
        model = LanguageModel.random(1, recipe.width, recipe.hidden) if name == "small" else None
        aim = sum(3 * h * (i + h + 2) for i, h in pairs((recipe.width, *recipe.hidden, recipe.width)))
        assert training.equal_sizes("gru", recipe) == (recipe.width, *recipe.hidden, recipe.width)
        lstm = training.equal_sizes("lstm", recipe)
        assert lstm[0] == lstm[-1] == recipe.width
        assert sum(4 * h * (i + h + 2) for i, h in pairs(lstm)) == pytest.approx(aim, rel=0.01)
        if model is not None:
            assert model.size["layers"] == pytest.approx(aim, rel=0.01)


def pairs(sizes: tuple[int, ...]) -> list[tuple[int, int]]:
    return list(pairwise(sizes))


def test_the_published_recipe_trains_at_a_small_size() -> None:
    """Two batches with everything that is in it: jittered windows, outputs carried, DropConnect, frozen thresholds."""
    torch = pytest.importorskip("torch")
    from neuromorph.models import language_training as training

    recipe = replace(RECIPES["published"], width=12, hidden=(20, 20), epochs=1, batch=4, cosine_from=0, watched=200)
    torch.manual_seed(0)
    ids = text(4 * 140)
    counts = training.word_counts(ids, WORDS)
    start = training.untrained(recipe, counts)
    model = training.WordModel(start, recipe, counts)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    trainer, data = training.trainer(model, recipe, ids, ids, clock=lambda: 0.0, progress=False)
    assert trainer.carry == "outputs"
    fitted = trainer.fit(data, 1)
    assert fitted.steps == len(data)
    assert np.isfinite(fitted.last["loss"])
    moved = {name for name, p in model.named_parameters() if not torch.equal(p, before[name])}
    assert not any("theta" in name for name in moved)
    assert {"embedding", "bias"} <= moved
    assert sum("weight" in name for name in moved) == 18
    thresholds = np.concatenate([layer.threshold for layer in start.layers])
    assert thresholds.min() >= 0
    assert np.median(thresholds) < 0.01 < thresholds.max() < 1


def test_only_an_egru_becomes_a_network() -> None:
    torch = pytest.importorskip("torch")
    from neuromorph.models import language_training as training

    torch.manual_seed(0)
    counts = np.ones(WORDS, int)
    model = training.WordModel(training.untrained(TINY, counts), TINY, counts, "gru")
    with pytest.raises(TrainingError, match="only EGRU layers are a network"):
        model.language_model({})


@pytest.mark.parametrize("cell", ["egru", "gru", "lstm"])
def test_everything_stays_on_the_device(cell: str) -> None:
    torch = pytest.importorskip("torch")
    from neuromorph.models import language_training as training

    counts = np.ones(WORDS, int)
    recipe = replace(TINY, word_dropout=0.1, connect_dropout=0.2)
    model = training.WordModel(training.untrained(recipe, counts), recipe, counts, cell).to("meta")  # type: ignore[arg-type]
    ids = torch.zeros((10, 4), dtype=torch.long, device="meta")
    outputs, state = model(ids)
    model(ids, state)
    model.nll(outputs, ids).backward()
    assert outputs[-1].device.type == model.embedding.grad.device.type == "meta"


# --- what comes with the package --------------------------------------------------------------------------------------

TRAINED = Path(language_model.__file__).parent / "data" / "language_model"


@pytest.mark.parametrize("file", sorted(TRAINED.glob("*.h5")), ids=lambda path: path.stem)
def test_trained_models_are_what_their_figures_say(file: Path) -> None:
    figures = json.loads(file.with_suffix(".json").read_text())
    trained = LanguageModel.load(file)
    assert trained.meta["recipe"] == figures["recipe"]
    assert trained.size["layers"] == figures["layer_parameters"]
    assert trained.size["embedding"] == figures["embedding_parameters"]
    assert trained.size["nonzero"] == figures["layer_nonzero"]
    assert same(trained.stored(), trained)
    ids = wikitext.tokens("valid")[:2001]
    y, events = trained.read(CPU().compile(trained.network(ids[:-1]), dt=1 * ms), 2000)
    # the beginning of a text is not the whole of it
    assert trained.perplexity(y, ids[1:]) == pytest.approx(figures["valid_perplexity"], rel=0.25)
    for layer, weights in enumerate(trained.layers, 1):
        share = events[f"egru{layer}"] / 2000 / weights.units
        assert share == pytest.approx(figures[f"valid_activity{layer}"], rel=0.15)


def test_trained_models_are_small_and_have_their_licence() -> None:
    files = list(TRAINED.iterdir())
    assert {path.suffix for path in files} == {".h5", ".json", ".jsonl", ".md"}
    assert sum(path.stat().st_size for path in files) <= 15e6
    assert "CC BY-SA 3.0" in (TRAINED / "README.md").read_text()
    for path in files:
        if path.suffix == ".jsonl":
            last = json.loads(path.read_text().splitlines()[-1])
            figures = json.loads(path.with_suffix(".json").read_text())
            assert last["epoch"] == figures["epochs"]
            assert last["computing"] == figures["cpu_seconds"]
