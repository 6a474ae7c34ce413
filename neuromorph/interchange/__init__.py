"""Networks and recordings in the formats of others: Brian 2, Nengo, NIR graphs, N-MNIST files."""

from neuromorph.interchange.brian2 import from_brian2
from neuromorph.interchange.nengo import from_nengo
from neuromorph.interchange.nir import from_nir, latency
from neuromorph.interchange.nmnist import nmnist_frames

__all__ = ["from_brian2", "from_nengo", "from_nir", "latency", "nmnist_frames"]
