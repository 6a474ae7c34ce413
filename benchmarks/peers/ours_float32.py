"""Our CPU engine with float32 weights, where the headline has int8."""

from __future__ import annotations

from functools import partial

from . import Build
from .ours import egru, version

__all__ = ["NETWORKS", "version"]

NETWORKS: dict[str, Build] = {"egru": partial(egru, weights=None)}
