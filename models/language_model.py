"""A word-level language model of EGRU layers: an embedding, layers, and a softmax that shares the embedding.

In step t the word ``ids[t]`` is looked up; layer k of n answers at step t + k; what the last layer emits at step t + n
is the model's output for word t. The probability of the next word w is the softmax of ``output @ embedding[w] +
bias[w]`` over all words. Outputs are scored by NumPy alone, so no target needs anything else.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.engine import Program
from neuromorph.errors import NetworkError
from neuromorph.network import Lookup, Network
from neuromorph.trace import Trace

from .egru_layers import EGRUWeights, egru_stack

_Array = npt.NDArray[Any]

_FORMAT = "neuromorph language model"
_PARTS = ("kernel", "recurrent_kernel", "bias", "recurrent_bias", "threshold")
_LOGITS = 1 << 24  # logits that exist at one time: 64 MiB
_PIECE = 4096  # words whose events exist at one time


@dataclass(frozen=True)
class LanguageModel:
    """Weights of a model of V words, of width d.

    Attributes
    ----------
    embedding : float32 (V, d)
        Input of the first layer, and the softmax's weights.
    layers : tuple of EGRUWeights
        The last has d units.
    bias : float32 (V,)
        Of the softmax.
    meta : mapping
        Whatever JSON can hold: how the model was made, its figures.

    Raises
    ------
    NetworkError
        If shapes do not agree.
    """

    embedding: _Array
    layers: tuple[EGRUWeights, ...]
    bias: _Array
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        words, width = self.embedding.shape
        if self.bias.shape != (words,):
            raise NetworkError(f"LanguageModel: bias has shape {self.bias.shape}; the embedding has {words} words")
        inputs = width
        for number, layer in enumerate(self.layers, 1):
            if layer.kernel.shape != (inputs, 3 * layer.units):
                raise NetworkError(
                    f"LanguageModel: kernel {number} has shape {layer.kernel.shape}, expected (inputs, 3 units) = "
                    f"({inputs}, {3 * layer.units})"
                )
            inputs = layer.units
        if inputs != width:
            raise NetworkError(f"LanguageModel: the last layer has {inputs} units; the embedding's width is {width}")

    @classmethod
    def random(
        cls, words: int, width: int, hidden: tuple[int, ...] = (), *, threshold: float = 0.03, seed: int = 0
    ) -> LanguageModel:
        """An untrained model with layers of ``hidden`` units and one of ``width`` units on top."""
        rng = np.random.default_rng(seed)
        embedding = rng.uniform(-0.1, 0.1, (words, width)).astype(np.float32)
        sizes = (width, *hidden, width)
        layers = tuple(
            EGRUWeights.random(inputs, units, threshold=threshold, seed=seed + number)
            for number, (inputs, units) in enumerate(pairwise(sizes), 1)
        )
        return cls(embedding, layers, np.zeros(words, np.float32))

    @property
    def latency(self) -> int:
        """Steps from a word to the output that it moves; a run over n words takes ``n + latency`` steps."""
        return len(self.layers)

    @property
    def output(self) -> str:
        """Name of the population whose events are the output."""
        return f"egru{len(self.layers)}"

    @property
    def size(self) -> dict[str, int]:
        """Numbers of parameters: ``embedding`` with the softmax's bias, ``layers``, and ``nonzero`` ones of these.

        Of two biases that act as their sum one counts.
        """
        parts = [part for layer in self.layers for part in _acting(layer)]
        return {
            "embedding": self.embedding.size + self.bias.size,
            "layers": sum(part.size for part in parts),
            "nonzero": sum(int(np.count_nonzero(part)) for part in parts),
        }

    def network(self, ids: npt.ArrayLike | None = None, *, window: int | None = None) -> Network:
        """The model in the public language: populations ``embedding`` and ``egru1``, ``egru2``, ...

        Parameters
        ----------
        ids : int array (steps,), optional
            Numbers of the words that are read; None: given while it runs.
        window : int, optional
            Set states to zero before every so many words and carry only the outputs on, as the published models do.
        """
        net = Network(name="language_model")
        source = net.population(Lookup(self.embedding, ids), name="embedding", record=False)
        egru_stack(net, source, self.layers, start=1, window=window)
        return net

    def outputs(self, trace: Trace, first: int, words: int) -> npt.NDArray[np.float32]:
        """What the last layer sent for ``words`` words from number ``first`` on: (words, d), 0 where none fired."""
        events = trace.events(self.output)
        y = np.zeros((words, self.embedding.shape[1]), np.float32)
        places = np.asarray(events.steps).astype(np.int64) - self.latency - first
        inside = (places >= 0) & (places < words)
        if events.values is not None:
            y[places[inside], events.ids[inside]] = events.values[inside]
        return y

    def read(self, program: Program, words: int) -> tuple[npt.NDArray[np.float32], dict[str, int]]:
        """Run a program of :meth:`network` over its first ``words`` words, on any target, in pieces.

        Returns
        -------
        outputs : (words, d)
            As :meth:`outputs` gives them.
        events : dict of str to int
            How many events each layer sent for these words.
        """
        y = np.empty((words, self.embedding.shape[1]), np.float32)
        events = dict.fromkeys((f"egru{k}" for k in range(1, self.latency + 1)), 0)
        done = 0
        while done < words:
            now = min(_PIECE, words - done)
            # first as many steps more as words need to come through
            trace = program.run(now if done else now + self.latency, reset=not done)
            y[done : done + now] = self.outputs(trace, done, now)
            done += now
            for layer, name in enumerate(events, 1):
                steps = np.asarray(trace.events(name).steps).astype(np.int64)
                events[name] += int(np.count_nonzero((steps >= layer) & (steps < words + layer)))
        return y, events

    def log_likelihood(self, outputs: _Array, targets: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Logarithm of the probability of each target, after a softmax over all words.

        Parameters
        ----------
        outputs : (n, d)
            What the last layer sent, see :meth:`outputs`.
        targets : int array (n,)
            The word that followed.

        Returns
        -------
        float32 array (n,)
        """
        targets = np.asarray(targets)
        if outputs.shape != (len(targets), self.embedding.shape[1]):
            raise NetworkError(
                f"LanguageModel: outputs have shape {outputs.shape}; {len(targets)} targets need "
                f"({len(targets)}, {self.embedding.shape[1]})"
            )
        result = np.empty(len(targets), np.float32)
        rows = max(_LOGITS // len(self.embedding), 1)
        for first in range(0, len(targets), rows):
            part = slice(first, first + rows)
            logits = outputs[part].astype(np.float32, copy=False) @ self.embedding.T
            logits += self.bias
            logits -= logits.max(axis=1, keepdims=True)
            own = logits[np.arange(len(logits)), targets[part]]
            result[part] = own - np.log(np.exp(logits, out=logits).sum(axis=1))
        return result

    def perplexity(self, outputs: _Array, targets: npt.ArrayLike) -> float:
        """Perplexity of the targets: exp of the mean negative log-likelihood, accumulated in float64."""
        return float(np.exp(-self.log_likelihood(outputs, targets).mean(dtype=np.float64)))

    def stored(self) -> LanguageModel:
        """The model as its file gives it back: rows of the embedding as int8 with a scale each, the rest as float16."""
        scales, rows = _int8(self.embedding)
        layers = tuple(EGRUWeights(*(_half(getattr(layer, name)) for name in _PARTS)) for layer in self.layers)
        return LanguageModel(_table(scales, rows), layers, _half(self.bias), self.meta)

    def save(self, path: str | os.PathLike[str], *, embedding: str | None = None) -> None:
        """Write the model to an HDF5 file: rows of the embedding as int8 with a scale each, the rest as float16.

        Parameters
        ----------
        embedding : str, optional
            Name of another model's file in the same folder: its embedding is linked to instead of being stored again.

        Raises
        ------
        NetworkError
            If that embedding is another one.
        """
        import h5py

        if embedding is not None:
            other = LanguageModel.load(Path(path).parent / embedding)
            if not np.array_equal(other.embedding, _table(*_int8(self.embedding))):
                raise NetworkError(f"LanguageModel: the embedding of {embedding} is not this model's; store it")
        packed = {"compression": "gzip", "compression_opts": 9, "shuffle": True}
        with h5py.File(path, "w") as file:
            file.attrs["format"] = _FORMAT
            file.attrs["meta"] = json.dumps(dict(self.meta))
            if embedding is None:
                scales, rows = _int8(self.embedding)
                file.create_dataset("embedding/rows", data=rows, **packed)
                file.create_dataset("embedding/scales", data=scales, **packed)
            else:
                file["embedding"] = h5py.ExternalLink(embedding, "/embedding")
            file.create_dataset("bias", data=self.bias.astype(np.float16), **packed)
            for number, layer in enumerate(self.layers, 1):
                for name in _PARTS:
                    data = getattr(layer, name).astype(np.float16)
                    file.create_dataset(f"layers/{number}/{name}", data=data, **packed)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> LanguageModel:
        """Read a file that :meth:`save` wrote; numbers become float32 again.

        Raises
        ------
        NetworkError
            If it is something else.
        """
        import h5py

        try:
            opened = h5py.File(path)
        except OSError as error:
            raise NetworkError(
                f"{path}: expected a file that LanguageModel.save wrote, found none ({error})"
            ) from error
        with opened as file:
            if file.attrs.get("format") != _FORMAT:
                raise NetworkError(
                    f"{path}: an HDF5 file, but no language model; give one that LanguageModel.save wrote"
                )
            table = _table(file["embedding/scales"][()], file["embedding/rows"][()])
            groups = [file[f"layers/{number}"] for number in range(1, len(file["layers"]) + 1)]
            layers = tuple(EGRUWeights(*(group[name][()].astype(np.float32) for name in _PARTS)) for group in groups)
            return cls(table, layers, file["bias"][()].astype(np.float32), json.loads(file.attrs["meta"]))


def _acting(layer: EGRUWeights) -> list[_Array]:
    gates, candidate = slice(0, 2 * layer.units), slice(2 * layer.units, None)
    biases = [layer.bias[gates] + layer.recurrent_bias[gates], layer.bias[candidate], layer.recurrent_bias[candidate]]
    return [layer.kernel, layer.recurrent_kernel, *biases, layer.threshold]


def _int8(table: _Array) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int8]]:
    """A scale for each row, and ``rint(row / scale)`` within -127 to 127.

    Scales have 17 bits: products with 7 more are exact in float32, so what was stored once is stored the same again.
    """
    mantissa, exponent = np.frexp(np.abs(table).max(axis=1).astype(np.float64) / 127)
    scales = np.ldexp(np.ceil(mantissa * 2**17) / 2**17, exponent).astype(np.float32)
    scales[scales == 0] = 1
    return scales, np.rint(table / scales[:, None]).astype(np.int8)


def _table(scales: _Array, rows: _Array) -> npt.NDArray[np.float32]:
    return rows.astype(np.float32) * scales[:, None]


def _half(values: _Array) -> npt.NDArray[np.float32]:
    return values.astype(np.float16).astype(np.float32)
