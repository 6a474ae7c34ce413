"""A whole vision transformer in integers: patch embedding, encoder blocks, head."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuromorph.errors import MappingError
from neuromorph.progress import Progress, progress_for

from .operators import DynamicMatmul, GeluRequant, Matmul, PatchEmbedding, Requant, Residual
from .rows import LayerNorm, Softmax
from .words import Integers, real_values

Hook = Callable[[str, Integers], None]
"""Called with the name of an operator, as ``"attn0.softmax"``, and its results for a batch of images."""

IntegerOperator = PatchEmbedding | LayerNorm | Matmul | Requant | DynamicMatmul | Softmax | Residual


@dataclass(frozen=True, eq=False)
class Attention:
    """``residual(x, o(a(softmax(q k^T) v)))`` with ``q, k, v`` of ``norm(x)``; in all heads the same tables.

    Attributes
    ----------
    norm : LayerNorm
    q, k, v, o : Matmul
    requant : mapping of str to Requant
        ``"q"``, ``"k"``, ``"v"`` and ``"a"``, what ``o`` takes.
    qk, rv : DynamicMatmul
    softmax : Softmax
    residual : Residual
    heads : int
    """

    norm: LayerNorm
    q: Matmul
    k: Matmul
    v: Matmul
    requant: Mapping[str, Requant]
    qk: DynamicMatmul
    softmax: Softmax
    rv: DynamicMatmul
    o: Matmul
    residual: Residual
    heads: int

    def apply(self, values: Integers, hook: Hook, name: str) -> Integers:
        """(images, tokens, channels) gives the same shape."""

        def seen(part: str, found: Integers) -> Integers:
            hook(f"{name}.{part}", found)
            return found

        normed = seen("layernorm", self.norm.apply(values))
        heads: dict[str, Integers] = {}
        for part, matmul in (("q", self.q), ("k", self.k), ("v", self.v)):
            found = seen(part, matmul.apply(normed))
            heads[part] = self.split(seen(f"{part}_requant", self.requant[part].apply(found)))
        relation = seen("qk", self.qk.apply(heads["q"], heads["k"]))
        weights = seen("softmax", self.softmax.apply(relation))
        mixed = seen("rv", self.merge(self.rv.apply(weights, heads["v"].swapaxes(-1, -2))))
        attended = seen("a_requant", self.requant["a"].apply(mixed))
        return seen("residual", self.residual.apply(values, seen("o", self.o.apply(attended))))

    def split(self, values: Integers) -> Integers:
        """(images, tokens, channels) as (images, heads, tokens, channels a head)."""
        images, tokens, channels = values.shape
        return values.reshape(images, tokens, self.heads, channels // self.heads).swapaxes(1, 2)

    def merge(self, values: Integers) -> Integers:
        """The reverse of :meth:`split`."""
        images, heads, tokens, channels = values.shape
        return np.ascontiguousarray(values.swapaxes(1, 2)).reshape(images, tokens, heads * channels)


@dataclass(frozen=True, eq=False)
class Mlp:
    """``residual(x, fc2(gelu(fc1(norm(x)))))``.

    Attributes
    ----------
    norm : LayerNorm
    fc1, fc2 : Matmul
    gelu : GeluRequant
    residual : Residual
    """

    norm: LayerNorm
    fc1: Matmul
    gelu: GeluRequant
    fc2: Matmul
    residual: Residual

    def apply(self, values: Integers, hook: Hook, name: str) -> Integers:
        """(images, tokens, channels) gives the same shape."""

        def seen(part: str, found: Integers) -> Integers:
            hook(f"{name}.{part}", found)
            return found

        normed = seen("layernorm", self.norm.apply(values))
        hidden = seen("gelu", self.gelu.apply(seen("fc1", self.fc1.apply(normed))))
        return seen("residual", self.residual.apply(values, seen("fc2", self.fc2.apply(hidden))))


@dataclass(frozen=True, eq=False, repr=False)
class IntegerTransformer:
    """A vision transformer whose every value is an integer of a stated number of bits.

    Attributes
    ----------
    patch_embed : PatchEmbedding
    blocks : tuple of (Attention, Mlp)
    norm : LayerNorm
        Of the class token, before the head.
    head : Matmul
    input_scale : float
        Value of 1 in the patches. This and what follows is for people: the arithmetic does without.
    scales : mapping of str to float
        Value of 1 in what an operator gives, by its name (``qk`` with the division by the root of a head's channels).
    zeros : mapping of str to int
        Codes that stand for 0 where it is not 0 itself: of ``mlp{i}.gelu``.
    """

    patch_embed: PatchEmbedding
    blocks: tuple[tuple[Attention, Mlp], ...]
    norm: LayerNorm
    head: Matmul
    input_scale: float = 1.0
    scales: Mapping[str, float] = field(default_factory=dict)
    zeros: Mapping[str, int] = field(default_factory=dict)

    @property
    def logit_scale(self) -> float:
        """Value of 1 in the logits; 1 where no scales are known."""
        return self.scales.get("head.classes", 1.0)

    def encode(self, patches: NDArray[Any]) -> Integers:
        """Real-valued patches as the codes that :meth:`run` takes: rounded, and clamped to the input's word.

        Raises
        ------
        MappingError
            Patches that are no real numbers, or not finite.
        """
        word = self.patch_embed.matmul.input
        codes = np.rint(real_values(patches, "integer transformer: patches") / self.input_scale)
        return np.clip(codes, word.low, word.high).astype(np.int32)

    def run(
        self,
        patches: NDArray[Any],
        *,
        hook: Hook | None = None,
        batch: int | None = None,
        progress: bool | Progress = False,
    ) -> Integers:
        """Logits of images, as integers.

        Parameters
        ----------
        patches : ndarray of int, shape (images, patches, inputs) or (patches, inputs)
            Row 0 is not looked at where the class token takes its place.
        hook : callable, optional
            Sees the results of every operator, in the order of the work, for one batch after the other.
        batch : int, optional
            Images that are worked on at once; chosen for the cache if None. No influence on results.
        progress : bool or Progress
            Tell how far it is.

        Returns
        -------
        ndarray of int, shape (images, classes) or (classes,)

        Raises
        ------
        FormatError
            A value that outgrows its word; the message names operator and word.
        MappingError
            Patches that are no integers, or of another shape; a batch without images.
        """
        codes = np.asarray(patches)
        if not np.issubdtype(codes.dtype, np.integer) or codes.ndim not in (2, 3):
            raise MappingError(
                f"integer transformer: patches are {codes.dtype} of shape {codes.shape}; expected integers of "
                "(images, patches, inputs): encode() makes them from real values"
            )
        if codes.ndim == 2:
            one: Integers = self.run(codes[None], hook=hook, batch=batch)[0]
            return one
        if batch is not None and not (isinstance(batch, int | np.integer) and batch >= 1):
            raise MappingError(f"integer transformer: batch is {batch!r}; give a number of images, at least 1, or None")
        self.patch_embed.require(codes)
        size = batch or self._batch()
        logits = np.empty((len(codes), len(self.head.bias)), np.int64)
        with progress_for(progress) as shown:
            shown.stage("integer transformer", len(codes))
            for begin in range(0, len(codes), size):
                part = codes[begin : begin + size].astype(np.int64)
                logits[begin : begin + size] = self._run(part, hook or _nothing)
                shown.advance(len(part))
        return logits

    def operators(self) -> Iterator[tuple[str, IntegerOperator]]:
        """Every operator by the name that a hook gets, in the order of the work."""
        yield "patch_embed.project", self.patch_embed
        for number, (attention, mlp) in enumerate(self.blocks):
            yield f"attn{number}.layernorm", attention.norm
            for part in ("q", "k", "v"):
                yield f"attn{number}.{part}", getattr(attention, part)
                yield f"attn{number}.{part}_requant", attention.requant[part]
            for part in ("qk", "softmax", "rv"):
                yield f"attn{number}.{part}", getattr(attention, part)
            yield f"attn{number}.a_requant", attention.requant["a"]
            for part in ("o", "residual"):
                yield f"attn{number}.{part}", getattr(attention, part)
            yield f"mlp{number}.layernorm", mlp.norm
            for part in ("fc1", "gelu", "fc2", "residual"):
                yield f"mlp{number}.{part}", getattr(mlp, part)
        yield "head.layernorm", self.norm
        yield "head.classes", self.head

    def __repr__(self) -> str:
        tokens, channels = self.patch_embed.bias.shape
        return (
            f"<IntegerTransformer: {tokens} tokens of {channels} channels, {len(self.blocks)} blocks, "
            f"{len(self.head.bias)} classes>"
        )

    def _run(self, patches: Integers, hook: Hook) -> Integers:
        values = self.patch_embed.apply(patches)
        hook("patch_embed.project", values)
        for number, (attention, mlp) in enumerate(self.blocks):
            values = attention.apply(values, hook, f"attn{number}")
            values = mlp.apply(values, hook, f"mlp{number}")
        normed = self.norm.apply(values[:, 0])
        hook("head.layernorm", normed)
        logits = self.head.apply(normed)
        hook("head.classes", logits)
        return logits

    def _batch(self) -> int:
        """Images whose largest array has about a quarter of a million values."""
        tokens, channels = (int(size) for size in self.patch_embed.bias.shape)
        widest = [max(tokens * attention.heads, len(mlp.fc1.bias)) for attention, mlp in self.blocks]
        return max(1, (1 << 18) // (tokens * max(channels, *widest)))


def _nothing(name: str, values: Integers) -> None:
    """The hook of a run that nobody watches."""
