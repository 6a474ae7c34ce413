"""A language model that reads words one after another, batch 1: the jobs that are timed.

Every contestant loads ``model.h5`` beside its folder and reads the same words. Job ``sequence``: all words of a text
are known; ``live``: one word at a time, given from Python.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Protocol

import numpy as np
import numpy.typing as npt

from neuromorph.models import wikitext
from neuromorph.models.language_model import LanguageModel

from . import Build, Built, Measured, Parameters, Setup

Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int32]


class Reader(Protocol):
    """A model ready to read."""

    def sequence(self) -> Floats:
        """Read all words from the initial state; gives outputs (words, d)."""
        ...

    def live(self) -> None:
        """Read all words from wherever it is, each given by itself."""
        ...


@dataclass(frozen=True)
class Energy:
    """How a contestant measures itself.

    Attributes
    ----------
    meter : callable or None
        Joules since some moment.
    settle : callable
        Waits until what was started is done.
    """

    meter: Callable[[], float] | None
    settle: Callable[[], None]


Make = Callable[[LanguageModel, Ids, Setup], tuple[Reader, Energy]]


def networks(make: Make) -> dict[str, Build]:
    """Both jobs of a contestant, as its ``NETWORKS``."""

    def job(kind: str) -> Build:
        def build(parameters: Parameters, setup: Setup) -> Built:
            model = LanguageModel.load(setup.folder.parent / "model.h5")
            ids = wikitext.tokens("test")[: int(parameters["words"])]
            reader, energy = make(model, ids, setup)
            outputs = reader.sequence()
            np.save(setup.folder / "outputs.npy", outputs)
            once = reader.sequence if kind == "sequence" else reader.live

            def run(times: float) -> Measured:
                energy.settle()
                joules = energy.meter() if energy.meter else 0.0
                began = perf_counter()
                for _ in range(round(times)):
                    once()
                energy.settle()
                wall = perf_counter() - began
                measured = {"joules": energy.meter() - joules} if energy.meter else {}
                return Measured(wall, {"active": float((outputs != 0).mean()), **measured})

            return Built(run)

        return build

    return {f"words_{kind}": job(kind) for kind in ("sequence", "live")}
