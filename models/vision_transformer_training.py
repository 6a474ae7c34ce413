"""The vision transformer of :mod:`vision_transformer` in PyTorch, and its training, in float and quantised."""

from __future__ import annotations

from collections.abc import Iterator
from os import PathLike
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrize

from neuromorph import train
from neuromorph.errors import TrainingError

from .vision_transformer import EPSILON, LINEAR, OUTER_BITS, SIGNED, UNSIGNED, Architecture, Weights, patches

#: Samples in a batch, weight decay, label smoothing, and share of the rate that a learned step has.
BATCH, DECAY, SMOOTHING, STEP_RATE = 100, 0.05, 0.1, 0.2
#: Epochs and learning rate by precision; those with bits go on from the float model.
RECIPES: dict[str | int, tuple[int, float]] = {"float": (40, 1.5e-3), 8: (6, 3e-4), 4: (20, 7e-4), 3: (20, 7e-4)}

_OF_WEIGHT = ".parametrizations.weight.0"  # ends the path of what quantises a layer's weight


class Block(nn.Module):
    """Attention and MLP of a pre-norm transformer, each added to the residual stream.

    What an operator gives passes through ``values[name]``, which quantises it if it is there.
    """

    def __init__(self, of: Architecture) -> None:
        super().__init__()
        c = of.channels
        self.heads = of.heads
        self.norm1, self.norm2 = nn.LayerNorm(c, EPSILON), nn.LayerNorm(c, EPSILON)
        self.q, self.k, self.v, self.o = (nn.Linear(c, c) for _ in range(4))
        self.fc1, self.fc2 = nn.Linear(c, of.hidden), nn.Linear(of.hidden, c)
        self.values = nn.ModuleDict({name: nn.Identity() for name in (*SIGNED, *UNSIGNED)})

    def forward(self, x: Tensor) -> Tensor:
        """(samples, tokens, channels), before and after."""
        y, values = self.values["norm1"](self.norm1(x)), self.values
        q, k, v = (self._split(values[name](layer(y))) for name, layer in (("q", self.q), ("k", self.k), ("v", self.v)))
        scores = (q @ k.transpose(-1, -2)) * q.shape[-1] ** -0.5
        found = values["softmax"](scores.softmax(-1)) @ v
        x = x + self.o(values["a"](found.transpose(1, 2).flatten(2)))
        y = values["norm2"](self.norm2(x))
        return cast(Tensor, x + self.fc2(values["gelu"](functional.gelu(self.fc1(y)))))

    def _split(self, x: Tensor) -> Tensor:
        """(samples, heads, tokens, channels of a head)."""
        parts: Tensor = x.unflatten(-1, (self.heads, -1))
        return parts.transpose(1, 2)


class VisionTransformer(nn.Module):
    """A vision transformer; called as ``logits, None = module(patches)``, as :class:`neuromorph.train.Trainer` does.

    Patches are what :func:`.vision_transformer.patches` gives, (samples, patches, pixels), whole numbers to 255.
    """

    def __init__(self, shape: Architecture | None = None) -> None:
        super().__init__()
        self.shape = of = shape or Architecture()
        self.bits: int | None = None
        self.patch = nn.Linear(of.inputs, of.channels, bias=False)
        self.position = nn.Parameter(torch.empty(of.tokens, of.channels))
        self.blocks = nn.ModuleList(Block(of) for _ in range(of.blocks))
        self.norm = nn.LayerNorm(of.channels, EPSILON)
        self.read: nn.Module = nn.Identity()
        self.head = nn.Linear(of.channels, of.classes)
        nn.init.trunc_normal_(self.position, std=0.02)
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.xavier_uniform_(layer.weight)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def forward(self, inputs: Tensor, state: None = None) -> tuple[Tensor, None]:
        """Logits (samples, classes)."""
        tokens = self.patch(inputs.to(self.position.dtype) / 255)
        x = functional.pad(tokens, (0, 0, 1, 0)) + self.position  # the class token comes first
        for block in self.blocks:
            x = block(x)
        logits: Tensor = self.head(self.read(self.norm(x[:, 0])))
        return logits, None

    def quantise(self, bits: int) -> VisionTransformer:
        """Train from now on with so many bits in the blocks, by learned steps (LSQ), one for each tensor."""
        if self.bits is not None:
            raise TrainingError(f"VisionTransformer: it has {self.bits} bits already; begin with a float one")
        self.bits, of = bits, self.shape
        blocks = [cast(Block, block) for block in self.blocks]
        for block in blocks:
            for name in (*SIGNED, *UNSIGNED):
                size = of.tokens * {"softmax": of.tokens * of.heads, "gelu": of.hidden}.get(name, of.channels)
                block.values[name] = train.Quantised(train.LSQ(bits, signed=name in SIGNED, size=size))
        self.read = train.Quantised(train.LSQ(OUTER_BITS, size=of.channels))
        inner = [(getattr(block, name), "weight") for block in blocks for name in LINEAR]
        train.parametrise(self, lambda: train.Quantised(train.LSQ(bits)), inner)
        outer = [(self.patch, "weight"), (self.head, "weight")]
        train.parametrise(self, lambda: train.Quantised(train.LSQ(OUTER_BITS)), outer)
        return self

    def weights(self) -> Weights:
        """The model as plain arrays."""
        arrays: dict[str, Tensor] = {"position": self.position}
        for path, layer in self.named_modules():
            name = _name(path)
            if isinstance(layer, nn.LayerNorm):
                arrays |= {f"{name}.weight": layer.weight, f"{name}.bias": layer.bias}
            elif isinstance(layer, nn.Linear):
                arrays |= _linear(name, layer)
            elif isinstance(layer, train.Quantised) and "parametrizations" not in path:
                arrays[f"{name}.scale"] = cast(train.LSQ, layer.format).step
        found = {name: value.detach().cpu().numpy().astype(np.float32) for name, value in arrays.items()}
        return Weights(self.shape, self.bits, found)


def _name(path: str) -> str:
    """What a part of the module is called among :class:`Weights`."""
    plain = path.replace("blocks.", "block", 1).replace(".values.", ".")
    return "norm" if plain == "read" else plain


def _linear(name: str, layer: nn.Linear) -> dict[str, Tensor]:
    """Weight and bias of a layer; where it is quantised, codes and their scale."""
    found: dict[str, Tensor] = {} if layer.bias is None else {f"{name}.bias": layer.bias}
    if not parametrize.is_parametrized(layer, "weight"):
        return found | {f"{name}.weight": layer.weight}
    kept: Any = cast(nn.ModuleDict, layer.parametrizations)["weight"]
    codes = cast(train.LSQ, kept[0].format).codes(kept.original)
    return found | {f"{name}.weight": codes.codes, f"{name}.weight_scale": codes.scale}


def module_of(weights: Weights) -> VisionTransformer:
    """The module that gives the same logits as it did when :meth:`VisionTransformer.weights` was called."""
    module = VisionTransformer(weights.shape)
    state = module.state_dict()
    for path in state:
        name, _, kind = _name(path).rpartition(".")
        linear = kind == "weight" and weights[f"{name}.weight"].ndim == 2
        state[path] = torch.from_numpy(np.array(weights.weight(name) if linear else weights[_name(path)]))
    module.load_state_dict(state)
    if weights.bits is None:
        return module
    module.quantise(weights.bits)
    for path, layer in module.named_modules():
        if isinstance(layer, train.Quantised):
            of_weight = path.endswith(_OF_WEIGHT)
            name = f"{_name(path.removesuffix(_OF_WEIGHT))}.weight_scale" if of_weight else f"{_name(path)}.scale"
            format = cast(train.LSQ, layer.format)
            format.start.take(format.step, torch.from_numpy(np.array(weights[name])))
    return module


class Digits:
    """Batches of images as patches, each image turned, scaled and moved a little; a function of seed and epoch alone.

    Turned by up to 10 degrees, scaled by up to 10 %, moved by up to 2 pixels, uniformly; brightness is rounded to whole
    numbers again.

    Parameters
    ----------
    images : uint8 (samples, pixels)
    labels : (samples,)
    """

    def __init__(
        self, images: npt.NDArray[np.uint8], labels: npt.NDArray[Any], of: Architecture, *, seed: int = 0
    ) -> None:
        self.images = torch.from_numpy(images.reshape(-1, 1, of.image, of.image).astype(np.float32))
        self.labels = torch.from_numpy(labels.astype(np.int64))
        self.of, self.seed = of, seed
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Draw the order and the changes of this epoch."""
        count, rng = len(self.labels), np.random.default_rng((self.seed, epoch))
        self._order = torch.from_numpy(rng.permutation(count))
        angle, scale = np.deg2rad(rng.uniform(-10, 10, count)), rng.uniform(0.9, 1.1, count)
        places = np.zeros((count, 2, 3), np.float32)
        places[:, 0, 0] = places[:, 1, 1] = np.cos(angle) * scale
        places[:, 0, 1], places[:, 1, 0] = -np.sin(angle) * scale, np.sin(angle) * scale
        places[:, :, 2] = rng.uniform(-2, 2, (count, 2)) * 2 / self.of.image
        self._places = torch.from_numpy(places)

    def __len__(self) -> int:
        return -(-len(self.labels) // BATCH)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for chosen in self._order.split(BATCH):
            images = self.images[chosen]
            grid = functional.affine_grid(self._places[chosen], list(images.shape), align_corners=False)
            moved = functional.grid_sample(images, grid, align_corners=False).round().clamp(0, 255)
            yield torch.from_numpy(patches(moved.numpy().astype(np.uint8), self.of)), self.labels[chosen]


def fit(
    module: VisionTransformer,
    images: npt.NDArray[np.uint8],
    labels: npt.NDArray[Any],
    *,
    epochs: int | None = None,
    seed: int = 0,
    folder: str | PathLike[str] | None = None,
    resume: bool = False,
    progress: bool = True,
) -> train.Fitted:
    """Train a module by the recipe of its precision.

    Parameters
    ----------
    images : uint8 (samples, pixels)
    labels : (samples,)
    epochs : int, optional
        Instead of the recipe's.
    seed : int
        Of the order of the images and of how they are moved.
    folder : path, optional
        For checkpoints and metrics, as :class:`neuromorph.train.Trainer` writes them.
    resume : bool
        Go on from the folder's checkpoint.
    progress : bool
    """
    usual, rate = RECIPES["float" if module.bits is None else module.bits]
    data, count = Digits(images, labels, module.shape, seed=seed), epochs or usual
    rates = {} if module.bits is None else {"step": rate * STEP_RATE}
    optimiser = torch.optim.AdamW(train.decay_groups(module, DECAY, rates=rates), lr=rate)
    warmup = min(200, len(data) * count // 4)
    schedule = train.CosineFrom(optimiser, warmup, len(data) * count, warmup=warmup)

    def loss(logits: Tensor, targets: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        found = functional.cross_entropy(logits, targets, label_smoothing=SMOOTHING)
        return found, {"correct": train.correct(logits, targets).mean()}

    trainer = train.Trainer(
        module, loss, optimiser, clip=1.0, each_step=[schedule], folder=folder, save_every=60.0, progress=progress
    )
    return trainer.fit(data, count, resume=resume)


def told(module: VisionTransformer, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """The class that a module gives each image (samples, pixels)."""
    before, inputs = module.training, torch.from_numpy(patches(images, module.shape))
    module.eval()
    with torch.no_grad():
        found = torch.cat([module(batch)[0].argmax(-1) for batch in inputs.split(BATCH)])
    module.train(before)
    return np.asarray(found.numpy(), np.int64)
