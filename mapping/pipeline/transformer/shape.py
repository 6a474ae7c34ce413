"""Shapes of vision transformers: DeiT's, and any own one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from neuromorph.errors import MappingError


@dataclass(frozen=True, slots=True)
class Bits:
    """Bits of a value, by where it stands.

    Attributes
    ----------
    weights, activations : int
        Inside the blocks: of matrices, and of what is multiplied with them.
    edge_weights, edge_activations : int
        Of patch embedding and head.
    residual : int
        Of the residual stream.
    """

    weights: int = 3
    activations: int = 3
    edge_weights: int = 8
    edge_activations: int = 8
    residual: int = 13

    def __post_init__(self) -> None:
        for name in ("weights", "activations", "edge_weights", "edge_activations", "residual"):
            if getattr(self, name) < 1:
                raise MappingError(f"bits of {name}: {getattr(self, name)}; at least 1", name=name)


@dataclass(frozen=True, slots=True)
class VisionTransformer:
    """A vision transformer: patches, ``blocks`` of attention and two-layer perceptron, and a head on its class token.

    Attributes
    ----------
    name : str
    tokens : int
        Rows that go through the blocks, the class token among them: 197 of a network of 196 patches whose class token
        has a row of its own, 196 where it takes the place of the first patch, as in HG-PIPE.
    channels, heads, blocks : int
        Channels of a token, heads of an attention (they divide the channels), and pairs of attention and perceptron.
    hidden : int
        Channels between the two layers of a perceptron.
    patch_inputs : int
        Values of a patch: 16 x 16 pixels of 3 colours are 768.
    classes : int
    bits : Bits
    output_bits : mapping of str to int
        Bits of what an operator writes, by its name, where they are known; of others as many as can never overflow.

    Raises
    ------
    MappingError
        A size below 1, or heads that do not divide the channels.
    """

    name: str
    tokens: int
    channels: int
    heads: int
    blocks: int
    hidden: int
    patch_inputs: int
    classes: int
    bits: Bits = Bits()
    output_bits: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for size in ("tokens", "channels", "heads", "blocks", "hidden", "patch_inputs", "classes"):
            if getattr(self, size) < 1:
                raise MappingError(f"{self.name}: {size} is {getattr(self, size)}; at least 1", name=self.name)
        if self.channels % self.heads:
            raise MappingError(
                f"{self.name}: {self.heads} heads do not divide {self.channels} channels evenly", name=self.name
            )

    @property
    def head_channels(self) -> int:
        """Channels of one head."""
        return self.channels // self.heads


def deit_tiny(tokens: int = 197, bits: Bits | None = None) -> VisionTransformer:
    """DeiT-tiny (Touvron et al., 2021): 192 channels, 3 heads, 12 blocks; 224 x 224 pixels in patches of 16 x 16.

    Parameters
    ----------
    tokens : int
        197, or 196 if the class token takes the place of the first patch.
    bits : Bits, optional
        3 bits by default.
    """
    return VisionTransformer("DeiT-tiny", tokens, 192, 3, 12, 768, 768, 1000, bits or Bits())


def deit_small(tokens: int = 197, bits: Bits | None = None) -> VisionTransformer:
    """DeiT-small (Touvron et al., 2021): 384 channels, 6 heads, 12 blocks; otherwise as :func:`deit_tiny`."""
    return VisionTransformer("DeiT-small", tokens, 384, 6, 12, 1536, 768, 1000, bits or Bits())
