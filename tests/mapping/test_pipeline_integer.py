"""Integer operators of a pipelined transformer: equal to plain Python for all inputs, and to HG-PIPE's own results."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from neuromorph.errors import FormatError, MappingError
from neuromorph.mapping.pipeline.integer import (
    DynamicMatmul,
    Exponential,
    GeluRequant,
    LayerNorm,
    Matmul,
    PatchEmbedding,
    Requant,
    Residual,
    Segment,
    Softmax,
    Width,
    reference,
)
from neuromorph.mapping.pipeline.integer.published import attention, layer_norm, lookup, mlp, softmax

DATA = Path(__file__).parents[1] / "data" / "hgpipe" / "block0.npz"
BLOCKS = (0, 4, 11)


@cache
def excerpt() -> Mapping[str, NDArray[Any]]:
    with np.load(DATA) as file:
        return {name: file[name] for name in file}


def widths(block: str) -> dict[str, Width]:
    found = {}
    for line in excerpt()[f"{block}.widths"]:
        name, kind = str(line).split("=")
        found[name] = Width(int(kind.partition("int")[2]), signed=not kind.startswith("u"))
    return found


def array(name: str, columns: int) -> NDArray[np.int64]:
    return excerpt()[name].astype(np.int64).reshape(-1, columns)


@cache
def softmax_of(number: int) -> Softmax:
    return softmax(excerpt(), f"attn_{number}_softmaxq", widths(f"ATTN{number}"), "softmax")


@cache
def norm_of(block: str, number: int) -> LayerNorm:
    types = widths(f"{'ATTN' if block == 'attn' else 'MLP'}{number}")
    taken = types[f"{block}_if_t"]
    given = types["attn_lnq_t" if block == "attn" else "mlp_ln_t"]
    return layer_norm(excerpt(), f"{block}_{number}_lnq", types, taken, given, "layernorm")


def tables() -> list[tuple[str, Requant]]:
    found = []
    for number in BLOCKS:
        types = widths(f"ATTN{number}")
        for part in "qkva":
            kind, name = Requant, f"attn_{number}_{part}_q"
            found.append((name, lookup(kind, excerpt(), name, types[f"attn_{part}_t"], Width(3), name)))
        name, taken = f"mlp_{number}_geluq", widths(f"MLP{number}")["mlp_m1_t"]
        found.append((name, lookup(GeluRequant, excerpt(), name, taken, Width(3, signed=False), name)))
    return found


# --------------------------------------------------------------------------------------------- published results


def test_first_published_block_gives_its_recorded_outputs_bit_for_bit() -> None:
    first = attention(excerpt(), 0, widths("ATTN0"))
    second = mlp(excerpt(), 0, widths("MLP0"))
    seen: dict[str, NDArray[Any]] = {}
    middle = first.apply(array("attn_0_input", 192)[None], seen.__setitem__, "attn0")
    assert np.array_equal(middle[0], array("attn_0_output", 192))
    assert np.array_equal(second.apply(middle, seen.__setitem__, "mlp0")[0], array("mlp_0_output", 192))
    assert np.array_equal(seen["attn0.softmax"][0, 0, :4], array("attn_0_softmaxq_output", 196))
    assert np.array_equal(seen["mlp0.gelu"][0, :4], array("mlp_0_geluq_output", 768))


@pytest.mark.parametrize("number", BLOCKS)
def test_published_tables_give_recorded_rows(number: int) -> None:
    found = softmax_of(number).apply(array(f"attn_{number}_softmaxq_input", 196))
    assert np.array_equal(found, array(f"attn_{number}_softmaxq_output", 196))
    for block in ("attn", "mlp"):
        found = norm_of(block, number).apply(array(f"{block}_{number}_lnq_input", 192))
        assert np.array_equal(found, array(f"{block}_{number}_lnq_output", 192))
    gelu = dict(tables())[f"mlp_{number}_geluq"]
    assert np.array_equal(gelu.apply(array(f"mlp_{number}_geluq_input", 768)), array(f"mlp_{number}_geluq_output", 768))


# ------------------------------------------------------------------------- every input of the domain, one by one


@pytest.mark.parametrize(("name", "operator"), tables())
def test_every_input_of_a_published_table(name: str, operator: Requant) -> None:
    domain = np.arange(operator.input.low, operator.input.high + 1)
    assert operator.apply(domain).tolist() == [reference.requant(operator, int(value)) for value in domain]


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_every_input_of_any_table(data: st.DataObject) -> None:
    word = Width(data.draw(st.integers(1, 9)), data.draw(st.booleans()))
    table = data.draw(st.lists(st.integers(-8, 7), min_size=1, max_size=20))
    operator = Requant(
        data.draw(st.integers(-600, 600)), data.draw(st.integers(0, 10)), np.array(table), word, Width(4)
    )
    domain = np.arange(word.low, word.high + 1)
    assert operator.apply(domain).tolist() == [reference.requant(operator, int(value)) for value in domain]


def test_every_input_of_a_published_residual() -> None:
    multiplier, shift = (int(value) for value in excerpt()["attn_0_scalars"])
    operator = Residual(multiplier, shift, Width(13), Width(13), Width(16))
    domain = np.arange(operator.carried.low, operator.carried.high + 1)
    main = np.resize([-4096, -1, 0, 17, 4095], len(domain))
    expected = [reference.residual(operator, int(one), int(other)) for one, other in zip(domain, main, strict=True)]
    assert operator.apply(domain, main).tolist() == expected


SMALL = np.array(list(itertools.product(range(-6, 8), repeat=3)))
"""All rows of three values."""


@pytest.mark.parametrize("offset", [-3, 0, 5])
def test_every_row_of_a_small_layer_norm(offset: int) -> None:
    operator = LayerNorm(
        mean_multiplier=21845,
        mean_shift=16,
        offset=offset,
        shift=2,
        table=np.array([4095, 2300, 1500, 1100, 900, 700, 500, 450]),
        weight=np.array([90, -70, 33]),
        bias=np.array([5000, -200000, 1 << 15]),
        output_shift=16,
        input=Width(4),
        sum=Width(6),
        product=Width(22),
        mean=Width(5),
        difference=Width(5),
        variance=Width(9, signed=False),
        affine=Width(30),
        output=Width(4),
    )
    assert operator.apply(SMALL).tolist() == [reference.layer_norm(operator, row) for row in SMALL.tolist()]


def small_softmax(anchor: Any, segments: int) -> Softmax:
    exponential = {
        "maximum": Exponential(1, 1, np.array([256, 120, 57, 20, 9, 3, 1])),
        "minimum": Exponential(13, 1, np.array([1, 3, 9, 20, 57, 120])),
        "zero": Exponential(6, 1, np.array([2, 3, 9, 20, 57, 256]), "zero"),
    }[anchor]
    parts = (
        Segment(-240, 5, np.array([247, 222, 200]), 1 << 11, 12),
        Segment(-200, 6, np.array([255, 230, 199, 170, 150, 111, 90]), 1 << 12, 13),
    )
    return Softmax(
        replace(exponential, anchor=anchor),
        parts[-segments:],
        input=Width(4),
        difference=Width(6),
        sum=Width(10, signed=False),
        product=Width(17, signed=False),
        output=Width(4, signed=False),
    )


@pytest.mark.parametrize(("anchor", "segments"), list(itertools.product(["maximum", "minimum", "zero"], [1, 2])))
def test_every_row_of_a_small_softmax(anchor: str, segments: int) -> None:
    operator = small_softmax(anchor, segments)
    assert operator.apply(SMALL).tolist() == [reference.softmax(operator, row) for row in SMALL.tolist()]


def wide(operator: Any) -> Any:
    """The same operator with accumulators for any row: the published ones fit the rows that the network has."""
    words = {"input": 16, "sum": 24, "product": 42, "mean": 16, "difference": 16, "variance": 40, "affine": 52}
    return replace(operator, **{word: Width(bits) for word, bits in words.items() if hasattr(operator, word)})


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_rows_of_published_operators(data: st.DataObject) -> None:
    number = data.draw(st.sampled_from(BLOCKS))
    spread, seed = data.draw(st.integers(0, 500)), data.draw(st.integers(0, 2**32))
    row = np.random.default_rng(seed).integers(-spread, spread + 1, 196).tolist()
    operator = wide(softmax_of(number))
    assert operator.apply(np.array([row])).tolist() == [reference.softmax(operator, row)]
    norm = wide(norm_of(data.draw(st.sampled_from(["attn", "mlp"])), number))
    assert norm.apply(np.array([row[:192]])).tolist() == [reference.layer_norm(norm, row[:192])]


@pytest.mark.parametrize("number", BLOCKS)
def test_every_entry_of_a_published_root_is_reached(number: int) -> None:
    norm = wide(norm_of("attn", number))
    spread = np.arange(0, 1400, 2)
    rows = np.stack([np.where(np.arange(192) % 2, value, -value) for value in spread])
    found, squares = norm.parts(rows)[2], norm.parts(rows)[1]
    index = np.clip((squares + norm.offset) >> norm.shift, 0, 127)
    assert index.min() == 0
    assert index.max() == 127
    assert found.tolist() == [reference.layer_norm(norm, row) for row in rows.tolist()]


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_products_equal_sums_of_python_integers(data: st.DataObject) -> None:
    inputs, outputs, rows = (data.draw(st.integers(1, 6)) for _ in range(3))
    bits = data.draw(st.sampled_from([3, 8, 20]))  # the last takes sums beyond what float32 can hold
    generator = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    word = Width(bits)
    weight = generator.integers(word.low, word.high + 1, (outputs, inputs))
    bias = generator.integers(-(1 << 2 * bits), 1 << 2 * bits, outputs)
    values = generator.integers(word.low, word.high + 1, (rows, inputs))
    operator = Matmul(weight, bias, word, word, Width(2 * bits + 5))
    assert operator.apply(values).tolist() == [reference.matmul(operator, row) for row in values.tolist()]
    dynamic = DynamicMatmul(inputs, word, word, Width(2 * bits + 5))
    expected = [reference.dynamic_matmul(dynamic, row, weight.tolist()) for row in values.tolist()]
    assert dynamic.apply(values, weight).tolist() == expected


@pytest.mark.parametrize("extra", [False, True])
def test_patch_embedding_places_the_class_token(extra: bool) -> None:
    generator = np.random.default_rng(3)
    matmul = Matmul(generator.integers(-8, 8, (4, 5)), np.zeros(4), Width(4), Width(4), Width(12))
    bias, token = generator.integers(-500, 500, (3, 4)), np.array([700, -3, 129, -128])
    operator = PatchEmbedding(matmul, bias, token, 4, Width(9), extra)
    patches = generator.integers(-8, 8, (2, 3 - extra, 5))
    found = operator.apply(patches)
    assert found.tolist() == [reference.patch_embedding(operator, image) for image in patches.tolist()]
    assert found[0, 0].tolist() == [44, 0, 8, -8]


# ------------------------------------------------------------------------------------------------------ overflow


def narrowed(operator: Any, word: str) -> Any:
    old = getattr(operator, word)
    return replace(operator, **{word: Width(old.bits - 6, old.signed)})


@pytest.mark.parametrize("word", ["sum", "product", "mean", "variance", "affine"])
def test_overflow_of_layer_norm_names_the_word(word: str) -> None:
    rows = array("attn_0_lnq_input", 192)
    with pytest.raises(FormatError, match=f"layernorm: {word} reaches -?\\d+, but it has"):
        narrowed(norm_of("attn", 0), word).apply(rows)


@pytest.mark.parametrize("word", ["input", "difference", "sum", "product"])
def test_overflow_of_softmax_names_the_word(word: str) -> None:
    with pytest.raises(FormatError, match=f"softmax: {word} reaches"):
        narrowed(softmax_of(0), word).apply(array("attn_0_softmaxq_input", 196))


OVERFLOWS: list[tuple[str, Callable[[], Any]]] = [
    ("requant: input reaches 8", lambda: Requant(0, 0, np.zeros(2), Width(4), Width(3)).apply(np.array([8]))),
    ("requant: table reaches 4", lambda: Requant(0, 0, np.array([4]), Width(4), Width(3))),
    (
        "residual: sum reaches 14",
        lambda: Residual(1 << 4, 4, Width(4), Width(4), Width(4)).apply(np.array([7]), np.array([7])),
    ),
    (
        "matmul: accumulator reaches 98",
        lambda: Matmul([[7, 7]], [0], Width(4), Width(4), Width(7)).apply(np.array([[7, 7]])),
    ),
    ("matmul: weight reaches -9", lambda: Matmul([[-9]], [0], Width(4), Width(4), Width(7))),
    (
        "dynamic_matmul: accumulator reaches -56",
        lambda: DynamicMatmul(1, Width(4), Width(4), Width(6)).apply(np.array([[7]]), np.array([[-8]])),
    ),
]


@pytest.mark.parametrize(("message", "work"), OVERFLOWS, ids=[message for message, _ in OVERFLOWS])
def test_overflow_names_operator_and_word(message: str, work: Callable[[], Any]) -> None:
    with pytest.raises(FormatError, match=message):
        work()


def test_a_message_says_how_many_bits_are_needed() -> None:
    with pytest.raises(FormatError, match=r"8 bits \(signed, -128 to 127\); give it 10 bits"):
        Width(8).check(np.array([-300, 5]), "x", "sum")


def test_operators_refuse_what_cannot_be() -> None:
    with pytest.raises(MappingError, match="expected 192"):
        norm_of("attn", 0).apply(np.zeros((2, 5), np.int64))
    with pytest.raises(MappingError, match="anchor 'top'"):
        Exponential(0, 1, np.array([1]), "top")  # type: ignore[arg-type]
    with pytest.raises(MappingError, match="the output has no sign"):
        replace(softmax_of(0), output=Width(3))
    row = np.zeros((1, 1 << 20), np.int8)
    with pytest.raises(MappingError, match="beyond 2\\^53"):
        DynamicMatmul(1 << 20, Width(20), Width(20), Width(61)).apply(row, row)
