"""Networks and recordings in the formats of others: NIR graphs, N-MNIST files."""

from neuromorph.interchange.nir import from_nir, latency
from neuromorph.interchange.nmnist import nmnist_frames

__all__ = ["from_nir", "latency", "nmnist_frames"]
