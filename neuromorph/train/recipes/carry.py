"""What passes from one window of a sequence to the next: truncated back-propagation through time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor

from neuromorph.errors import TrainingError

Carry = Literal["all", "outputs"]


def detach(state: Any) -> Any:
    """The same state, cut off from the graph that made it; what has no ``detach()`` is looked into or left as it is."""
    return _each(state, "detach")


def move(data: Any, device: torch.device) -> Any:
    """Tensors, and tuples, lists and mappings of them, on ``device``."""
    return _each(data, "to", device)


def carried(state: Any, how: Carry | None) -> Any:
    """The state with which the next window begins.

    Parameters
    ----------
    state : any
        What a module returned: a tensor, a tuple, list or mapping of such, or an object with ``detach()``.
    how : {"all", "outputs", None}
        ``"all"``: everything, so the sequence is as if never cut, but for gradients. ``"outputs"``: only what the
        neurons have sent, their own states begin anew in each window; so the published EGRU language models were
        trained and judged (EvNN's ``state`` seeds the outputs alone). The state must have ``outputs_only()``, as
        :class:`neuromorph.train.State` has. None: nothing, each window begins anew.
    """
    if how is None:
        return None
    if how == "outputs":
        only = getattr(state, "outputs_only", None)
        if only is None:
            raise TrainingError(
                f"carry='outputs': a state of type {type(state).__name__} does not know what its outputs are; it needs "
                "a method outputs_only(). Use carry='all', or a neuromorph.train.Module"
            )
        state = only()
    return detach(state)


def _each(tree: Any, method: str, *arguments: Any) -> Any:
    if isinstance(tree, Tensor) or (hasattr(tree, method) and not isinstance(tree, (tuple, list, dict))):
        return getattr(tree, method)(*arguments)
    if isinstance(tree, Mapping):
        return {name: _each(value, method, *arguments) for name, value in tree.items()}
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*(_each(value, method, *arguments) for value in tree))
    if isinstance(tree, (tuple, list)):
        return type(tree)(_each(value, method, *arguments) for value in tree)
    return tree
