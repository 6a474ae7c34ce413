"""Networks in the formats of others: Brian 2, Nengo, NIR graphs, SONATA circuits."""

from neuromorph.interchange.brian2 import from_brian2
from neuromorph.interchange.nengo import from_nengo
from neuromorph.interchange.nir import from_nir, latency, to_nir
from neuromorph.interchange.sonata import from_sonata, to_sonata

__all__ = ["from_brian2", "from_nengo", "from_nir", "from_sonata", "latency", "to_nir", "to_sonata"]
