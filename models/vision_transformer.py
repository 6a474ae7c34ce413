"""A small vision transformer that reads digits, in float and with weights and activations of 8, 4 and 3 bits.

The shape is DeiT's (Touvron et al. 2021) at the size of MNIST: patches of 4 x 4 pixels, a class token before them,
blocks of pre-norm attention and GeLU MLP. What is quantised, and how, is HG-PIPE's (Guo et al. 2024): integers with
one scale for each tensor, signed inside of the blocks but for the outputs of softmax and GeLU, which have no sign; 8
bits in the patch embedding and the head whatever the blocks have; a residual stream that is not narrowed.

Trained by ``benchmarks/vision_transformer.py train``. As in :mod:`digits`, only MNIST's 10,000 test images are in this
repository: 8,000 of them train, 2,000 are held out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from neuromorph.errors import NetworkError

_DATA = Path(__file__).parent / "data" / "vision_transformer"
_Array = npt.NDArray[Any]

#: Precision of a model: "float", or the bits of weights and activations in the blocks.
Precision = Literal["float", 8, 4, 3]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)

#: Bits of the weights of patch embedding and head, and of the values that the head reads.
OUTER_BITS = 8
#: Activations of a block that are rounded, by the operators that they come from: with a sign, and without.
SIGNED = ("norm1", "q", "k", "v", "a", "norm2")
UNSIGNED = ("softmax", "gelu")
#: Layers of a block that have weights.
LINEAR = ("q", "k", "v", "o", "fc1", "fc2")
#: Added to the variance in LayerNorm.
EPSILON = 1e-5


@dataclass(frozen=True)
class Architecture:
    """Sizes of a vision transformer.

    Attributes
    ----------
    image, patch : int
        Pixels along a side.
    channels, heads, blocks, hidden : int
        Of the residual stream, of attention, and of the MLP's middle.
    classes : int
    """

    image: int = 28
    patch: int = 4
    channels: int = 64
    heads: int = 4
    blocks: int = 3
    hidden: int = 128
    classes: int = 10

    def __post_init__(self) -> None:
        for name in _FIELDS:
            if (size := getattr(self, name)) not in range(1, 1 << 31):
                raise NetworkError(f"Architecture: {name} is {size!r}; it must be a whole number of at least 1")
        if self.image % self.patch or self.channels % self.heads:
            raise NetworkError(
                f"Architecture: patches of {self.patch} must fill {self.image} pixels, and {self.heads} heads share "
                f"{self.channels} channels evenly"
            )

    @property
    def tokens(self) -> int:
        """Patches and the class token, which is the first."""
        return (self.image // self.patch) ** 2 + 1

    @property
    def inputs(self) -> int:
        """Pixels of a patch."""
        return self.patch**2


def patches(images: npt.NDArray[np.uint8], of: Architecture | None = None) -> npt.NDArray[np.uint8]:
    """Images cut into patches, row by row: (samples, patches, pixels of a patch).

    Parameters
    ----------
    images : uint8 (samples, pixels)

    Raises
    ------
    NetworkError
        Images of another type or size.
    """
    of = of or Architecture()
    if images.dtype != np.uint8 or images.size != len(images) * of.image**2:
        raise NetworkError(
            f"vision transformer: images are {images.dtype} of shape {images.shape}; expected uint8 of (samples, "
            f"{of.image**2}), brightness from 0 to 255"
        )
    side = of.image // of.patch
    cut = images.reshape(-1, side, of.patch, side, of.patch).transpose(0, 1, 3, 2, 4)
    return np.ascontiguousarray(cut).reshape(len(cut), side * side, of.inputs)


@dataclass(frozen=True)
class Weights:
    """A trained vision transformer as plain arrays.

    Attributes
    ----------
    shape : Architecture
    bits : int or None
        Of weights and activations in the blocks; None: float.
    arrays : mapping of str to array
        float32, by name. ``patch.weight`` (channels, pixels of a patch) times brightness / 255, plus ``position``
        (tokens, channels), of which row 0 is the class token; then of block i ``block{i}.norm1.weight``, ``.bias``,
        ``block{i}.q.weight`` (out, in), ``.bias``, ...; ``norm`` and ``head``. Where ``bits`` is a number, weights of
        linear layers are whole numbers, and ``LAYER.weight_scale`` is the value of 1; ``block{i}.OPERATOR.scale`` is
        the value of 1 among what the operator gives (:data:`SIGNED`, :data:`UNSIGNED`), ``norm.scale`` the same for
        what the head reads.
    """

    shape: Architecture
    bits: int | None
    arrays: Mapping[str, _Array]

    def __getitem__(self, name: str) -> _Array:
        return self.arrays[name]

    def weight(self, layer: str) -> _Array:
        """What a linear layer multiplies with, as real numbers: (out, in)."""
        stored = self.arrays[f"{layer}.weight"]
        return stored if self.bits is None else stored * self.arrays[f"{layer}.weight_scale"]

    def state(self) -> dict[str, _Array]:
        """Real numbers by name, as an integer pipeline takes them, of a network that reads patches in units of 1 / 255.

        Weights of linear layers are real numbers, scales are as in ``arrays``. The class token stands alone,
        ``class_token``, and row 0 of ``position`` is zeros; ``patch.bias`` is zeros, too. ``input.scale`` is 1 / 255,
        without a sign (``input.signed`` is 0), ``epsilon`` that of every LayerNorm.
        """
        found = dict(self.arrays)
        for layer in ("patch", "head", *(f"block{i}.{name}" for i in range(self.shape.blocks) for name in LINEAR)):
            found[f"{layer}.weight"] = self.weight(layer)
        found["class_token"] = self["position"][0]
        found["position"] = np.concatenate([np.zeros_like(self["position"][:1]), self["position"][1:]])
        found["patch.bias"] = np.zeros(self.shape.channels, np.float32)
        return found | {
            "input.scale": np.array(1 / 255),
            "input.signed": np.array(0),
            "epsilon": np.array(EPSILON),
        }

    def save(self, path: str | PathLike[str], about: Mapping[str, Any] | None = None) -> None:
        """Write a ``.npz``: whole numbers as int8, the other arrays of two axes in 16 bits, the rest in 32.

        ``about`` are numbers and words to be kept beside: ``about.NAME``.
        """
        kept: dict[str, Any] = {name: _narrow(name, value, self.bits) for name, value in self.arrays.items()}
        kept["shape"] = np.array([getattr(self.shape, name) for name in _FIELDS])
        kept["bits"] = np.array(self.bits or 0)
        np.savez_compressed(path, **kept, **{f"about.{name}": value for name, value in (about or {}).items()})

    @classmethod
    def read(cls, path: str | PathLike[str]) -> Weights:
        """What :meth:`save` wrote.

        Raises
        ------
        NetworkError
            The file holds something else.
        """
        with np.load(path) as file:
            if not {"shape", "bits"} <= set(file):
                raise NetworkError(f"{path}: holds no vision transformer; give a file that Weights.save() wrote")
            shape = Architecture(*(int(each) for each in file["shape"]))
            bits = int(file["bits"]) or None
            names = [name for name in file if name not in ("shape", "bits") and not name.startswith("about.")]
            return cls(shape, bits, {name: file[name].astype(np.float32) for name in names})


_FIELDS = ("image", "patch", "channels", "heads", "blocks", "hidden", "classes")


def _narrow(name: str, value: _Array, bits: int | None) -> _Array:
    if bits is not None and value.ndim == 2 and name.endswith(".weight"):
        return value.astype(np.int8)
    return value.astype(np.float16 if value.ndim == 2 else np.float32)


def load(precision: Precision = "float") -> Weights:
    """The model of a precision that comes with neuromorph, trained on ``digits.split(0)``.

    Raises
    ------
    NetworkError
        There is no model of this precision.
    """
    if precision not in PRECISIONS:
        known = ", ".join(repr(each) for each in PRECISIONS)
        raise NetworkError(f"vision transformer: no model of precision {precision!r}; there are {known}")
    return Weights.read(_DATA / f"{precision}.npz")
