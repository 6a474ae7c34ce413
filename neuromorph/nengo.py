"""A backend for Nengo: ``neuromorph.nengo.Simulator`` in place of ``nengo.Simulator``."""

from neuromorph.interchange.nengo.simulator import Simulator

__all__ = ["Simulator"]
