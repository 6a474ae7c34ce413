"""Machines and how a network gets onto them: partition, place, route, tables, and a folder for each target.

:mod:`.graph` turns built projections and a cost model into a :class:`Hypergraph`; :mod:`.partition` splits it into
parts that fit a processing element exactly, :mod:`.place` puts the parts on a :mod:`.machine`, :mod:`.route` gives
every neuron a key and every packet a way.
"""

from .graph import Block, CostModel, kernel_blocks, population_positions
from .hypergraph import Hypergraph, Limits

__all__ = ["Block", "CostModel", "Hypergraph", "Limits", "kernel_blocks", "population_positions"]
