"""Recipes: how language models are made and trained, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Cell = Literal["egru", "gru", "lstm"]


@dataclass(frozen=True)
class Recipe:
    """Shape of a model and how it is trained; lengths and rates count words, batches and epochs as said.

    Attributes
    ----------
    width : int
        Of the embedding, and units of the last layer.
    hidden : tuple of int
        Units of the layers before the last.
    epochs, batch : int
        Passes over the text; pieces of it that run side by side.
    window, jitter : int, float
        Words through which gradients go back, and the standard deviation of that number.
    carry : {"all", "outputs"}
        What passes from one window to the next: everything, or the outputs alone, as published.
    rate, warmup, cosine_from, floor : float, int, float, float
        Learning rate; batches over which it rises; the epoch from which it falls as half a cosine; the last factor.
    betas, decay, clip
        Of AdamW; weight decay of matrices; largest norm of the gradient.
    word_dropout, embedding_dropout, forward_dropout, connect_dropout : float
        Of whole words; of the embedding's and of every layer's outputs, one mask a window; of recurrent weights.
    samples : int or None
        Words in the sample from which the softmax is estimated; None: all words.
    thresholds : float
        Mean of the thresholds, which are not trained.
    spread : bool
        Thresholds are drawn from Beta(3 m / (1 - m), 3), as EvNN does, instead of all being equal.
    dampening, support : float
        Of the triangle that stands for the derivative of the event.
    gain : float
        Factor on the first layer's input weights, whose inputs are small at first.
    watched : int
        Words of the validation text after each epoch.
    """

    width: int
    hidden: tuple[int, ...]
    epochs: int
    batch: int
    window: int = 70
    jitter: float = 0.0
    carry: Literal["all", "outputs"] = "all"
    rate: float = 4e-3
    warmup: int = 50
    cosine_from: float = 0
    floor: float = 0.02
    betas: tuple[float, float] = (0.9, 0.99)
    decay: float = 0.01
    clip: float = 0.5
    word_dropout: float = 0.0
    embedding_dropout: float = 0.1
    forward_dropout: float = 0.1
    connect_dropout: float = 0.0
    samples: int | None = 1024
    thresholds: float = 0.03
    spread: bool = False
    dampening: float = 1.0
    support: float = 1.0
    gain: float = 3.0
    watched: int = 40_000

    @property
    def cut(self) -> int | None:
        """Words after which the states of an EGRU begin anew, also when it is scored; None: they never do."""
        return self.window if self.carry == "outputs" else None


#: ``small`` trains on two CPU cores in half an hour, ``long`` in less than two hours; ``published`` is the WikiText-2
#: recipe of EvNN's benchmark, for a GPU.
RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        "small": Recipe(width=256, hidden=(256,), epochs=5, batch=32),
        "long": Recipe(
            width=320,
            hidden=(512,),
            epochs=12,
            batch=32,
            rate=3e-3,
            embedding_dropout=0.2,
            forward_dropout=0.2,
            samples=2048,
        ),
        "published": Recipe(
            width=750,
            hidden=(1350, 1350),
            epochs=800,
            batch=128,
            jitter=5.0,
            carry="outputs",
            rate=1e-3,
            warmup=0,
            cosine_from=400,
            floor=0.0,
            betas=(0.0, 0.999),
            decay=0.12,
            clip=0.1,
            word_dropout=0.1,
            embedding_dropout=0.7,
            forward_dropout=0.25,
            connect_dropout=0.7,
            samples=None,
            thresholds=0.01,
            spread=True,
            dampening=3.6,
            support=3.6,
            gain=1.0,
            watched=217_646,
        ),
    }
)
