"""Where each part of a network goes: traffic between parts, placement algorithms, their cost and their checker."""

from .chips import metis_qap, spread
from .cost import PlacementCost, check_placement, placement_cost
from .orders import cuthill_mckee, hilbert, row_major
from .portfolio import METHODS, anneal, place, refine
from .traffic import Traffic, traffic

__all__ = [
    "METHODS",
    "PlacementCost",
    "Traffic",
    "anneal",
    "check_placement",
    "cuthill_mckee",
    "hilbert",
    "metis_qap",
    "place",
    "placement_cost",
    "refine",
    "row_major",
    "spread",
    "traffic",
]
