"""Our CPU engine, int8 weights."""

from __future__ import annotations

from functools import partial

from . import Build
from .words import networks
from .words_engine import made, version

__all__ = ["NETWORKS", "version"]

NETWORKS: dict[str, Build] = networks(partial(made, weights="int8"))
