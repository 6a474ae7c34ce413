"""Integer transformers from float ones: calibration, its ablations, words, and what the operators cost."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from neuromorph.errors import FormatError, MappingError
from neuromorph.mapping.pipeline.integer import (
    IntegerTransformer,
    Norm,
    Recipe,
    TransformerParameters,
    Width,
    calibrate,
    calibrate_rows,
    calibrated,
    drawn,
    evaluate,
    from_float,
    from_state,
    operator_errors,
    reference,
)
from neuromorph.mapping.pipeline.integer.costs import costs
from neuromorph.mapping.pipeline.integer.parameters import ClassToken
from neuromorph.mapping.pipeline.transformer import Bits, TransformerDesign, VisionTransformer, published

SHAPE = VisionTransformer("small", tokens=10, channels=24, heads=2, blocks=2, hidden=48, patch_inputs=8, classes=5)


@cache
def parameters() -> TransformerParameters:
    return drawn(SHAPE, 1)


def images(count: int, seed: int = 7, *, rows: int = 9) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(size=(count, rows, 8))


@cache
def network(bits: int) -> IntegerTransformer:
    return calibrated(parameters(), images(16), Recipe(bits=bits))


# --------------------------------------------------------------------------------------------------- whole networks


@pytest.mark.parametrize(("bits", "least"), [(8, 0.995), (4, 0.9), (3, 0.6)])
def test_logits_follow_those_in_float(bits: int, least: float) -> None:
    patches = images(200, 8)
    found = network(bits).run(network(bits).encode(patches)) * network(bits).logit_scale
    assert np.corrcoef(found.ravel(), evaluate(parameters(), patches).ravel())[0, 1] > least


@pytest.mark.parametrize(("bits", "token"), [(3, "extra"), (8, "overwrite")])
def test_a_whole_network_equals_plain_python(bits: int, token: ClassToken) -> None:
    made = calibrated(drawn(SHAPE, 2, token=token), images(6, 3, rows=9 + (token == "overwrite")), Recipe(bits=bits))
    codes = made.encode(images(2, 4, rows=made.patch_embed.patches))
    assert made.run(codes).tolist() == [reference.transformer(made, image) for image in codes.tolist()]


def test_a_hook_sees_every_operator_of_the_design_in_its_order() -> None:
    seen: list[str] = []
    network(4).run(network(4).encode(images(2)), hook=lambda name, values: seen.append(name))
    assert seen == [name for name, _ in network(4).operators()]
    design = TransformerDesign(replace(SHAPE, bits=Bits(4, 4)))
    assert set(seen) == {operator.name for operator in design.operators}


def test_outputs_stay_within_the_words_that_operators_declare() -> None:
    words = {name: operator.output for name, operator in network(3).operators()}

    def look(name: str, values: NDArray[Any]) -> None:
        words[name].check(values, name, "output")

    network(3).run(network(3).encode(images(20, 9)), hook=look)
    assert words["attn0.q_requant"] == Width(3)
    assert words["mlp1.gelu"] == Width(3, signed=False)
    assert words["head.layernorm"] == Width(8)


def test_images_do_not_depend_on_the_batch_that_they_are_in() -> None:
    codes = network(3).encode(images(7))
    whole = network(3).run(codes)
    assert np.array_equal(whole, network(3).run(codes, batch=3))
    assert np.array_equal(whole[4], network(3).run(codes[4]))


def test_a_class_token_that_overwrites_loses_patch_0_and_no_other() -> None:
    made = calibrated(drawn(SHAPE, 1, token="overwrite"), np.random.default_rng(3).normal(size=(4, 10, 8)))
    codes = np.random.default_rng(5).integers(-100, 100, (1, 10, 8))
    changed = [codes.copy(), codes.copy()]
    changed[0][:, 0] += 20
    changed[1][:, 1] += 20
    assert np.array_equal(made.run(codes), made.run(changed[0]))
    assert not np.array_equal(made.run(codes), made.run(changed[1]))


def test_scales_of_a_trained_network_are_kept() -> None:
    block = parameters().blocks[0]
    scales = {"norm1": 0.5, "q": 0.4, "k": 0.4, "v": 0.3, "softmax": 0.06, "a": 0.2, "norm2": 0.5, "gelu": 0.2}
    linear = {name: replace(layer, scale=0.11) for name, layer in block.linear.items()}
    given = replace(block, scales=scales, linear=linear, gelu_zero=1)
    made = calibrated(replace(parameters(), blocks=(given,), input_scale=0.02, norm_scale=0.03), images(8))
    assert made.input_scale == 0.02
    attention, mlp = made.blocks[0]
    expected = np.clip(np.rint(block.linear["q"].weight / 0.11), -4, 3)
    assert np.array_equal(attention.q.weight, expected)
    # fc2's bias takes back what the code of 0 after GeLU adds to every sum
    bias = np.rint(block.linear["fc2"].bias / (0.2 * 0.11)) - mlp.fc2.weight.sum(1)
    assert np.array_equal(mlp.fc2.bias, bias)
    seen: dict[str, NDArray[Any]] = {}
    made.run(made.encode(images(8)), hook=seen.__setitem__)
    ratio = 0.5 * 0.11 / 0.4
    exact = np.clip(seen["attn0.q"] * ratio, -4, 3)
    assert np.abs(seen["attn0.q_requant"] - exact).max() < 0.5 + ratio * (1 << attention.requant["q"].shift)


def test_unsigned_patches() -> None:
    bright = replace(parameters(), input_signed=False, input_scale=1 / 255)
    made = calibrated(bright, np.random.default_rng(1).random((8, 9, 8)))
    assert made.patch_embed.matmul.input == Width(8, signed=False)
    assert made.encode(np.full((1, 9, 8), 1.0)).max() == 255


def test_an_image_beyond_the_residual_stream_is_told_by_name() -> None:
    made = calibrated(replace(parameters(), input_scale=0.02), images(8) * 0.05, Recipe(bits=8, headroom=0))
    with pytest.raises(FormatError, match=r"(attn|mlp)\d\.residual: sum reaches"):
        made.run(made.encode(images(8) * 2.0))


@pytest.mark.parametrize(
    ("patches", "message"),
    [
        (np.zeros((2, 9, 8)), "expected integers"),
        (np.zeros((2, 4, 8), np.int64), "expected 9 of 8"),
        (np.full((1, 9, 8), 200), "input reaches 200"),
        (np.full((1, 9, 8), 2**64 - 5, np.uint64), "input reaches 18446744073709551611"),
    ],
)
def test_patches_that_do_not_fit(patches: NDArray[Any], message: str) -> None:
    with pytest.raises((MappingError, FormatError), match=message):
        network(4).run(patches)


def test_images_without_values_and_batches_without_images() -> None:
    broken = images(3)
    broken[1, 2, 3] = np.nan
    for use in (network(4).encode, lambda x: calibrated(parameters(), x), lambda x: evaluate(parameters(), x)):
        with pytest.raises(MappingError, match=r"patches: the value at \(1, 2, 3\) is nan"):
            use(broken)
        with pytest.raises(MappingError, match="expected real numbers"):
            use(images(3) + 1j)
    for batch in (0, -1, 2.0):
        with pytest.raises(MappingError, match=f"batch is {batch}"):
            network(4).run(network(4).encode(images(2)), batch=batch)  # type: ignore[arg-type]
    assert network(4).run(network(4).encode(images(2))[:0]).shape == (0, 5)


def test_operators_take_integers_of_their_shape() -> None:
    attention, _ = network(4).blocks[0]
    with pytest.raises(MappingError, match=r"attn0\.q: rows of 3 values, expected 24"):
        attention.q.apply(np.zeros((2, 3), np.int64))
    with pytest.raises(MappingError, match=r"attn0\.q: input is an array of float64; expected integers"):
        attention.q.apply(np.zeros((2, 24)))
    for bits in (0, 63, 3.5, "3"):
        with pytest.raises(MappingError, match="1 to 62 are possible"):
            Width(bits)  # type: ignore[arg-type]
    one = drawn(replace(SHAPE, blocks=1), 1)
    with pytest.raises(MappingError, match="2 blocks and the parameters 1"):
        operator_errors(network(4), one, network(4).encode(images(2)))
    assert repr(network(4)) == "<IntegerTransformer: 10 tokens of 24 channels, 2 blocks, 5 classes>"


# ------------------------------------------------------------------------------------------------------ calibration


@pytest.mark.parametrize("gelu", [False, True])
def test_a_joint_range_loses_least(gelu: bool) -> None:
    # Most values are small, a few reach far: a range from the smallest to the largest spends its entries on those.
    generator = np.random.default_rng(0)
    values = np.rint(generator.standard_t(3, 20000) * 60).astype(np.int64).clip(-2000, 2000)
    errors = []
    for ranges in ("joint", "data", "type"):
        if gelu:
            table = calibrate.gelu_requant(
                values, 0.02, 0.4, input=Width(12), output=Width(3, signed=False), ranges=ranges
            )
            target = lambda x: calibrate.gelu(x * 0.02) / 0.4  # noqa: E731
        else:
            table = calibrate.requant(values, 0.02, input=Width(12), output=Width(3), ranges=ranges)
            target = lambda x: x * 0.02  # noqa: E731
        error, ideal = calibrate.squared_error(table, values, target)
        assert error >= ideal - 1e-12
        errors.append(error)
        assert len(table.table) == 64
    assert errors[0] < 0.95 * min(errors[1:])
    assert errors[0] < 1.1 * ideal


@pytest.mark.parametrize(("entries", "reach"), [(64, 20), (4096, 2000)])
def test_a_table_whose_bins_are_single_values_rounds_exactly(entries: int, reach: int) -> None:
    values = np.arange(-reach, reach)
    table = calibrate.requant(values, 4 / reach, input=Width(12), output=Width(4), entries=entries)
    exact = np.clip(values * 4 / reach, -8, 7)
    assert np.abs(table.apply(values) - exact).max() <= 0.5 + 1e-9


def test_residual_scales_to_a_millionth() -> None:
    operator = calibrate.residual(0.731, carried=Width(14), main=Width(10))
    carried = np.arange(-8192, 8192)
    assert np.abs(operator.apply(carried, np.zeros_like(carried)) - carried * 0.731).max() < 0.52


@pytest.mark.parametrize(("bits", "entries", "most"), [(3, 128, 0.56), (8, 2048, 0.7)])
def test_layer_norm_rounds_the_exact_result(bits: int, entries: int, most: float) -> None:
    generator = np.random.default_rng(2)
    rows = np.rint(generator.normal(size=(400, 32)) * generator.uniform(60, 240, (400, 1))).astype(np.int64)
    norm = Norm(generator.normal(1, 0.3, 32), generator.normal(0, 0.3, 32))
    scale = 6.0 / (1 << bits)
    made = calibrate_rows.layer_norm(
        rows, 0.01, norm, scale, input=Width(12), output=Width(bits), entries=entries, table_bits=13
    )
    difference = rows - rows.mean(1, keepdims=True)
    exact = difference / np.sqrt((difference**2).mean(1, keepdims=True) + 1e-6 / 0.01**2) * norm.weight + norm.bias
    exact = np.clip(exact / scale, made.output.low, made.output.high)
    error = np.abs(made.apply(rows) - exact)
    assert np.quantile(error, 0.99) < most
    assert error.max() < 2.0


def scores() -> NDArray[np.int64]:
    """Rows of which some have one large value and some many: sums of 1 to 60 largest terms."""
    generator = np.random.default_rng(4)
    rows = generator.normal(size=(300, 60)) * generator.uniform(10, 200, (300, 1))
    return np.rint(rows).astype(np.int64)


def softmax_error(**choices: Any) -> tuple[float, float]:
    rows, scale, unit = scores(), 0.03, 0.07
    made = calibrate_rows.softmax(rows, scale, unit, input=Width(11), output=Width(4, signed=False), **choices)
    exact = np.exp((rows - rows.max(1, keepdims=True)) * scale)
    exact /= exact.sum(1, keepdims=True)
    error = float(np.mean((made.apply(rows) - np.clip(exact / unit, 0, 15)) ** 2))
    return error, calibrate_rows.reciprocal_error(made, rows)


def test_inverted_exponential_and_segments_lose_less() -> None:
    best, reciprocal = softmax_error()
    assert best < softmax_error(anchor="minimum")[0]
    assert best < softmax_error(anchor="zero")[0]
    single, plain = softmax_error(segments=1)
    assert best < single
    assert reciprocal < plain / 4


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"bits": 1}, "bits is 1; 2 to 8"),
        ({"bits": 3.5}, r"bits is 3\.5"),
        ({"residual_bits": 0}, "residual_bits is 0; 3 to 32"),
        ({"headroom": -1}, "headroom is -1"),
        ({"segments": 3}, "segments is 3; 1 to 2"),
        ({"anchor": "mean"}, "anchor is 'mean'; it is one of maximum, minimum, zero"),
        ({"requant": "wide"}, "requant is 'wide'; it is one of joint, data, type"),
        ({"entries": {"sqrt": 4}}, "no table 'sqrt'"),
        ({"entries": {"exp": 0}}, "entries of exp is 0"),
        ({"contents": {"recip": 64}}, "contents of recip is 64; 2 to 31"),
    ],
)
def test_recipes_that_cannot_be(choices: dict[str, Any], message: str) -> None:
    with pytest.raises(MappingError, match=message):
        Recipe(**choices)


def test_operators_are_near_the_exact_functions_of_their_inputs() -> None:
    patches = images(12, 11)
    found = {error.name: error for error in operator_errors(network(4), parameters(), network(4).encode(patches))}
    tables = [name for name, _ in network(4).operators() if name.endswith(("norm", "requant", "softmax", "gelu"))]
    assert list(found) == tables
    assert all(each.error < 1.25 * each.rounding + 0.01 for each in found.values())
    naive = calibrated(parameters(), images(16), Recipe(bits=4, anchor="minimum", requant="type", segments=1))
    worse = {error.name: error for error in operator_errors(naive, parameters(), naive.encode(patches))}
    for name in ("attn0.q_requant", "attn0.softmax"):
        assert worse[name].error > 2 * found[name].error


# ------------------------------------------------------------------------------------------------------------ states


def state() -> dict[str, Any]:
    generator = np.random.default_rng(0)
    made: dict[str, Any] = {"position": generator.normal(size=(5, 8)), "class_token": np.ones(8)}
    sizes = {f"block0.{part}": (8, 8) for part in "qkvo"}
    sizes |= {"patch": (8, 3), "head": (4, 8), "block0.fc1": (16, 8), "block0.fc2": (8, 16)}
    for name, size in sizes.items():
        made |= {f"{name}.weight": generator.normal(size=size), f"{name}.bias": np.zeros(size[0])}
    for name in ("norm", "block0.norm1", "block0.norm2"):
        made |= {f"{name}.weight": np.ones(8), f"{name}.bias": np.zeros(8)}
    return made


def test_a_network_from_arrays_by_name() -> None:
    patches = np.random.default_rng(1).normal(size=(6, 4, 3))
    made = from_float(state() | {"block0.gelu.scale": 0.25, "epsilon": 1e-5}, patches, heads=2, bits=4)
    assert made.run(made.encode(patches)).shape == (6, 4)


@pytest.mark.parametrize(
    ("change", "heads", "message"),
    [
        ({"block0.q.weight": None}, 2, r"'block0\.q\.weight' is missing"),
        ({"block0.q.weight": np.ones((8, 7))}, 2, r"shape \(8, 7\), expected \(8, 8\)"),
        ({"block0.q.scales": 1.0}, 2, r"'block0\.q\.scales' is not a name"),
        ({"block0.q.scale": -1.0}, 2, "expected a number above 0"),
        ({"norm.bias": np.full(8, np.nan)}, 2, "not finite"),
        ({}, 3, "cannot be cut into 3 heads"),
    ],
)
def test_states_that_cannot_be(change: dict[str, Any], heads: int, message: str) -> None:
    changed = {name: value for name, value in (state() | change).items() if value is not None}
    with pytest.raises(MappingError, match=message):
        from_state(changed, heads)


# -------------------------------------------------------------------------------------------------------------- costs


@cache
def deit_tiny() -> Any:
    return published("deit-tiny-vck190")


def test_costs_of_the_published_design() -> None:
    design, parallel, _ = deit_tiny()
    found = costs(design, parallel)
    said = found.constants
    assert found.total("dsps", block="attn0.") == said.count("published.attention_dsps")
    assert found.total("dsps", block="mlp0.") == said.count("published.perceptron_dsps")
    assert found.total("dsps", block="head.") == said.count("published.head_dsps")
    blocks = sum(found.total("dsps", block=kind) for kind in ("attn", "mlp"))
    computed = sum(found.total("computed_dsps", block=kind) for kind in ("attn", "mlp"))
    assert blocks == said.count("published.table_dsps")
    assert computed == said.count("published.computed_dsps")
    softmax = next(cost for cost in found.operators if cost.name == "attn0.softmax")
    assert softmax.table_bits == 3 * (32 * 16 + 2 * 64 * 8)
    assert "3,024" in found.report()


def test_rescaled_softmax_would_cost_more_than_is_published() -> None:
    design, parallel, _ = deit_tiny()
    constants = costs(design, parallel).constants.replace(rescaled__softmax=1)
    found = costs(design, parallel, constants=constants)
    assert sum(found.total("computed_dsps", block=kind) for kind in ("attn", "mlp")) == 3096


def test_costs_need_a_parallelism_for_every_operator() -> None:
    design, parallel, _ = deit_tiny()
    with pytest.raises(MappingError, match=r"'attn0\.softmax' has no parallelism"):
        costs(design, {name: choice for name, choice in parallel.items() if name != "attn0.softmax"})
