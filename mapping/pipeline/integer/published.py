"""The public integer DeiT-tiny of HG-PIPE: its text files as an `IntegerTransformer`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from neuromorph.errors import MappingError

from .network import Attention, IntegerTransformer, Mlp
from .operators import DynamicMatmul, GeluRequant, Matmul, PatchEmbedding, Requant, Residual
from .rows import Exponential, LayerNorm, Segment, Softmax
from .words import Width

Widths = Mapping[str, Width]
"""Words of a block by the name of their type in the source, without underscores at the ends: "attn_q_t"."""

_Kind = TypeVar("_Kind", bound=Requant)

_TYPE = re.compile(r"typedef\s+ap_(u?)int\s*<\s*(\d+)\s*>\s*__(\w+)\s*;")
_SAME = re.compile(r"typedef\s+__(\w+)\s+__(\w+)\s*;")


@dataclass(frozen=True)
class PublishedFiles(Mapping[str, NDArray[Any]]):
    """The folder ``case`` of the public source: arrays by the name of their file in ``refs``, read when asked for.

    Attributes
    ----------
    folder : Path
        Holds ``ATTN0.cpp`` and the other blocks, with the widths of their words, and ``refs``.
    """

    folder: Path

    def __getitem__(self, name: str) -> NDArray[Any]:
        path = self.folder / "refs" / f"{name}.txt"
        try:
            text = path.read_text()
        except FileNotFoundError:
            raise MappingError(
                f"published transformer: {path} is missing; the folder is 'case' of the public source", name=name
            ) from None
        return np.array([int(word) for word in text.replace(",", " ").split()], np.int64)

    def __iter__(self) -> Iterator[str]:
        return (path.stem for path in sorted((self.folder / "refs").glob("*.txt")))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def widths(self, block: str) -> dict[str, Width]:
        """Words of ``"ATTN0"``, ``"MLP0"``, ``"PATCH_EMBED"`` or ``"HEAD"``."""
        path = self.folder / f"{block}.cpp"
        try:
            text = path.read_text()
        except FileNotFoundError:
            raise MappingError(f"published transformer: {path} is missing", name=block) from None
        found = {name: Width(int(bits), signed=not unsigned) for unsigned, bits, name in _TYPE.findall(text)}
        return found | {name: found[other] for other, name in _SAME.findall(text) if other in found}


def published(folder: str | Path) -> IntegerTransformer:
    """The public DeiT-tiny in 3 bits, from the folder ``case`` of its source.

    196 tokens: the class token takes the place of patch 0.

    Raises
    ------
    MappingError
        A file that is missing.
    """
    files = PublishedFiles(Path(folder))
    blocks = tuple(
        (attention(files, number, files.widths(f"ATTN{number}")), mlp(files, number, files.widths(f"MLP{number}")))
        for number in range(12)
    )
    patch, head = files.widths("PATCH_EMBED"), files.widths("HEAD")
    weight = files["patch_embed_matmul_weight"].reshape(192, -1)
    embedding = PatchEmbedding(
        Matmul(weight, np.zeros(192), patch["if_t"], patch["we_t"], patch["ml_t"], "patch_embed.project"),
        files["patch_embed_matmul_bias"].reshape(-1, 192),
        files["patch_embed_cls"],
        int(files["patch_embed_scalars"][0]),
        patch["of_t"],
    )
    return IntegerTransformer(
        embedding,
        blocks,
        layer_norm(files, "head_lnq", head, head["if_t"], head["ln_t"], "head.layernorm"),
        _matmul(files, "head_matmul", head["ln_t"], head["we_t"], head["mc_t"], "head.classes"),
    )


def attention(files: Mapping[str, NDArray[Any]], number: int, widths: Widths, heads: int = 3) -> Attention:
    """One attention block, from arrays named as the public files."""
    name, label = f"attn_{number}", f"attn{number}"
    normed = widths["attn_lnq_t"]
    matmul = {
        part: _matmul(
            files,
            f"{name}_gen_{part}_matmul",
            normed,
            widths[f"{part}_we_t"],
            widths[f"attn_{part}_t"],
            f"{label}.{part}",
        )
        for part in "qkv"
    }
    requant = {
        part: lookup(
            Requant,
            files,
            f"{name}_{part}_q",
            widths[f"attn_{part}_t"],
            widths[f"attn_{part}q_t"],
            f"{label}.{part}_requant",
        )
        for part in "qkva"
    }
    channels = len(matmul["q"].bias)
    tokens = len(files[f"{name}_input"]) // channels
    multiplier, shift = (int(value) for value in files[f"{name}_scalars"])
    return Attention(
        norm=layer_norm(files, f"{name}_lnq", widths, widths["attn_if_t"], normed, f"{label}.layernorm"),
        q=matmul["q"],
        k=matmul["k"],
        v=matmul["v"],
        requant=requant,
        qk=DynamicMatmul(
            channels // heads, widths["attn_qq_t"], widths["attn_kq_t"], widths["attn_r_t"], f"{label}.qk"
        ),
        softmax=softmax(files, f"{name}_softmaxq", widths, f"{label}.softmax"),
        rv=DynamicMatmul(tokens, widths["attn_rq_t"], widths["attn_vq_t"], widths["attn_a_t"], f"{label}.rv"),
        o=_matmul(
            files, f"{name}_gen_o_matmul", widths["attn_aq_t"], widths["o_we_t"], widths["attn_o_t"], f"{label}.o"
        ),
        residual=Residual(
            multiplier, shift, widths["attn_if_t"], widths["attn_o_t"], widths["attn_of_t"], f"{label}.residual"
        ),
        heads=heads,
    )


def mlp(files: Mapping[str, NDArray[Any]], number: int, widths: Widths) -> Mlp:
    """One perceptron block, from arrays named as the public files."""
    name, label = f"mlp_{number}", f"mlp{number}"
    multiplier, shift = (int(value) for value in files[f"{name}_scalars"])
    return Mlp(
        norm=layer_norm(files, f"{name}_lnq", widths, widths["mlp_if_t"], widths["mlp_ln_t"], f"{label}.layernorm"),
        fc1=_matmul(
            files, f"{name}_matmul1", widths["mlp_ln_t"], widths["m1_we_t"], widths["mlp_m1_t"], f"{label}.fc1"
        ),
        gelu=lookup(GeluRequant, files, f"{name}_geluq", widths["mlp_m1_t"], widths["mlp_ge_t"], f"{label}.gelu"),
        fc2=_matmul(
            files, f"{name}_matmul2", widths["mlp_ge_t"], widths["m2_we_t"], widths["mlp_m2_t"], f"{label}.fc2"
        ),
        residual=Residual(
            multiplier, shift, widths["mlp_if_t"], widths["mlp_m2_t"], widths["mlp_of_t"], f"{label}.residual"
        ),
    )


def layer_norm(
    files: Mapping[str, NDArray[Any]], name: str, widths: Widths, taken: Width, given: Width, label: str
) -> LayerNorm:
    """A LayerNorm, from the arrays whose names begin with ``name``."""
    multiplier, mean_shift, offset, shift, bound, output_shift, bits = (int(v) for v in files[f"{name}_scalars"])
    return LayerNorm(
        multiplier,
        mean_shift,
        offset,
        shift,
        files[f"{name}_rsqrt_table_m"][: bound + 1].astype(np.int32),
        files[f"{name}_lnw_m"],
        files[f"{name}_lnb_m"],
        output_shift,
        input=taken,
        sum=widths["ln_sum_t"],
        product=widths["ln_divc_t"],
        mean=widths["ln_mu_t"],
        difference=taken,
        variance=widths["ln_var_t"],
        affine=widths["ln_affine_t"],
        output=Width(bits, given.signed),
        name=label,
    )


def softmax(files: Mapping[str, NDArray[Any]], name: str, widths: Widths, label: str) -> Softmax:
    """A softmax, from the arrays whose names begin with ``name``."""
    scalars = [int(value) for value in files[f"{name}_scalars"]]
    offset, shift, bound = scalars[:3]
    segments = []
    for part, (first, by, last, half, down) in (("one", scalars[3:8]), ("two", scalars[8:13])):
        table = files[f"{name}_recip_scaled_table_m_{part}"][: last + 1].astype(np.int32)
        segments.append(Segment(first, by, table, half, down))
    table = files[f"{name}_exp_opp_table_m"][: bound + 1].astype(np.int32)
    return Softmax(
        Exponential(offset, shift, table),
        tuple(segments),
        input=widths["attn_r_t"],
        difference=widths["softmax_minus_t"],
        sum=widths["softmax_acc_t"],
        product=widths["softmax_affine_t"],
        output=Width(scalars[13], signed=False),
        name=label,
    )


def lookup(
    kind: type[_Kind], files: Mapping[str, NDArray[Any]], name: str, taken: Width, given: Width, label: str
) -> _Kind:
    """A table of rescaling or GeLU, from the arrays whose names begin with ``name``."""
    offset, shift, bound = (int(value) for value in files[f"{name}_scalars"])
    table = files[f"{name}_table_m"][: bound + 1].astype(np.int32)
    return kind(offset, shift, table, taken, given, label)


def _matmul(
    files: Mapping[str, NDArray[Any]], name: str, taken: Width, kept: Width, given: Width, label: str
) -> Matmul:
    bias = files[f"{name}_bias"]
    return Matmul(files[f"{name}_weight"].reshape(len(bias), -1), bias, taken, kept, given, label)
