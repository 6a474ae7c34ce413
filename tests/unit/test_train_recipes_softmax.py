"""The sampled softmax estimates the full one; dropout drops what it says."""

from __future__ import annotations

import pytest

from neuromorph.errors import NetworkError

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402
from torch.nn import functional  # noqa: E402
from torch.nn.utils import parametrize  # noqa: E402

from neuromorph import train  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_torch_thread")

WORDS, ROWS = 40, 12


def problem(seed: int = 0, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=dtype).requires_grad_()

    targets = torch.randint(WORDS, (ROWS,), generator=generator)
    return normal(ROWS, 6), targets, normal(WORDS, 6), normal(WORDS)


PROPOSALS = {
    "log-uniform": train.log_uniform(WORDS),
    "unigram": train.unigram(torch.arange(WORDS) + 8),
    "uniform": train.unigram(torch.arange(WORDS), power=0),
}


@pytest.mark.parametrize("samples", [1, 9, 39])
@pytest.mark.parametrize("proposal", PROPOSALS)
def test_partition_function_is_unbiased(proposal: str, samples: int) -> None:
    hidden, targets, weight, bias = (each.detach() for each in problem(dtype=torch.float64))
    softmax = train.SampledSoftmax(PROPOSALS[proposal], samples)
    logits = hidden @ weight.T + bias
    own = logits.gather(1, targets[:, None]).squeeze(1)
    full = logits.exp().sum(1)
    torch.manual_seed(samples)
    drawn = torch.stack([(softmax(hidden, targets, weight, bias) + own).exp() for _ in range(600)])
    error = drawn.std(0) / len(drawn) ** 0.5 + 1e-6 * full
    assert ((drawn.mean(0) - full) / error).abs().max() < 4.5
    assert drawn.std(0).min() > 0


@pytest.mark.parametrize("proposal", PROPOSALS)
def test_words_come_as_often_as_they_are_corrected_for(proposal: str) -> None:
    softmax = train.SampledSoftmax(PROPOSALS[proposal], 15)
    torch.manual_seed(1)
    counts = torch.zeros(WORDS, dtype=torch.float64)
    for _ in range(1000):
        ids, offset = softmax.draw()
        assert len(ids) == 15
        # a word drawn twice stands once with its count in the offset, once with none
        counts.index_add_(0, ids, (offset - softmax.correction[ids]).double().exp())
    expected = (-softmax.correction.double()).exp()
    assert float(expected.sum()) == pytest.approx(15)
    assert ((counts / 1000 - expected) / (expected / 1000).sqrt()).abs().max() < 4


def test_all_words_sampled_is_the_full_softmax() -> None:
    full, sampled = problem(3), problem(3)
    softmax = train.SampledSoftmax(PROPOSALS["unigram"], WORDS)
    values = train.softmax_nll(*full), softmax(*sampled)
    torch.testing.assert_close(values[1], values[0])
    for value in values:
        value.sum().backward()
    for k in (0, 2, 3):
        torch.testing.assert_close(sampled[k].grad, full[k].grad)


def test_a_large_sample_is_close_from_below() -> None:
    hidden, targets, weight, bias = (each.detach() for each in problem(5))
    full = train.softmax_nll(hidden, targets, weight, bias).mean()
    torch.manual_seed(0)
    means = []
    for samples in (2, 8, 32):
        softmax = train.SampledSoftmax(PROPOSALS["log-uniform"], samples)
        means.append(torch.stack([softmax(hidden, targets, weight, bias).mean() for _ in range(200)]).mean())
    assert means[0] < means[1] < means[2] < full + 0.02
    assert full - means[2] < 0.2


def test_eval_mode_is_exact() -> None:
    softmax = train.SampledSoftmax(PROPOSALS["uniform"], 5).eval()
    assert torch.equal(softmax(*problem()), train.softmax_nll(*problem()))


@pytest.mark.parametrize("bias", [True, False])
def test_full_softmax_in_pieces_is_the_same(bias: bool) -> None:
    one, many = problem(1), problem(1)
    results = [
        train.softmax_nll(*one[:3], one[3] if bias else None),
        train.softmax_nll(*many[:3], many[3] if bias else None, logits=3 * WORDS),
    ]
    hidden, targets, weight, b = problem(1)
    expected = functional.cross_entropy(hidden @ weight.T + (b if bias else 0), targets, reduction="none")
    for result in results:
        torch.testing.assert_close(result, expected)
        result.mean().backward()
    for k in (0, 2, 3) if bias else (0, 2):
        torch.testing.assert_close(many[k].grad, one[k].grad)


def test_softmax_refuses() -> None:
    with pytest.raises(NetworkError, match="41 samples of 40 words"):
        train.SampledSoftmax(PROPOSALS["uniform"], 41)
    with pytest.raises(NetworkError, match="not a positive number"):
        train.SampledSoftmax(torch.zeros(3), 1)
    with pytest.raises(NetworkError, match="a table of 40 words; the proposal has 30"):
        train.SampledSoftmax(train.log_uniform(30), 3)(*problem())


def test_nothing_stays_on_the_cpu() -> None:
    """On the meta device every tensor that was made elsewhere would be an error."""
    device = torch.device("meta")
    hidden, targets, weight, bias = (each.detach().to(device).requires_grad_(each.requires_grad) for each in problem())
    softmax = train.SampledSoftmax(PROPOSALS["log-uniform"], 9).to(device)
    rows = train.WordDropout(0.3)(targets, weight)
    layer = nn.Linear(6, 6, device=device)
    parametrize.register_parametrization(layer, "weight", train.DropConnect(0.3))
    y = train.LockedDropout(0.3)(layer(rows + hidden)[:, None])
    softmax(y.squeeze(1), targets, weight, bias).mean().backward()
    torch.optim.AdamW([weight, bias, *layer.parameters()]).step()
    assert weight.grad is not None
    assert weight.grad.device == device


def test_word_dropout_drops_whole_words() -> None:
    torch.manual_seed(0)
    table = torch.ones(50, 3, requires_grad=True)
    ids = torch.arange(50).repeat(4, 1)
    dropout = train.WordDropout(0.5)
    rows = dropout(ids, table)
    assert rows.shape == (4, 50, 3)
    assert all(torch.equal(rows[0], row) for row in rows)
    values = rows[0].unique(dim=0)
    assert values.tolist() == [[0, 0, 0], [2, 2, 2]]
    rows.sum().backward()
    assert torch.equal(table.grad, 4 * rows[0])
    assert not torch.equal(dropout(ids, table), rows)
    assert torch.equal(dropout.eval()(ids, table), functional.embedding(ids, table))


def test_locked_dropout_holds_through_a_sequence() -> None:
    torch.manual_seed(0)
    dropout = train.LockedDropout(0.25)
    y = dropout(torch.ones(7, 30, 40))
    assert torch.equal(y, y[:1].expand_as(y))
    assert y.unique().tolist() == pytest.approx([0, 4 / 3])
    assert float(y.mean()) == pytest.approx(1, abs=0.06)
    assert not torch.equal(y[:, 0], y[:, 1])
    assert torch.equal(dropout.eval()(y), y)


def test_drop_connect_on_any_layer() -> None:
    torch.manual_seed(0)
    layer = nn.Linear(30, 20)
    weight = layer.weight
    parametrize.register_parametrization(layer, "weight", train.DropConnect(0.5))
    assert layer.parametrizations.weight.original is weight
    with parametrize.cached():
        found = layer.weight
        assert layer.weight is found
    kept = found != 0
    assert torch.equal(found[kept], 2 * weight[kept])
    assert 0.4 < float(kept.double().mean()) < 0.6
    layer.eval()
    assert torch.equal(layer.weight, weight)
    with pytest.raises(NetworkError, match=r"DropConnect: probability 1.0 of dropping"):
        train.DropConnect(1.0)
