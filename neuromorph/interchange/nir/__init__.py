"""Networks in the exchange format NIR.

NIR: Pedersen et al. (2024), "Neuromorphic intermediate representation: A unified instruction set for interoperable
brain-inspired computing", Nature Communications 15, 8122.
"""

from neuromorph.interchange.nir.read import from_nir, latency, written_dt
from neuromorph.interchange.nir.write import to_nir

__all__ = ["from_nir", "latency", "to_nir", "written_dt"]
