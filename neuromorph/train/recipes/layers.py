"""Which weights of a module a recipe is about, and parametrizations on all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

from torch import Tensor, nn
from torch.nn.utils import parametrize

from neuromorph.errors import NetworkError
from neuromorph.train.modules.weights import ProjectionWeights

Chosen = Sequence[str] | Sequence[tuple[nn.Module, str]]
"""Names of layers that have a ``weight``, or pairs of a layer and the name of its parameter."""


def weights_of(module: nn.Module, chosen: Chosen | None = None) -> dict[str, tuple[nn.Module, str]]:
    """Layers and names of their parameters.

    Parameters
    ----------
    module : torch.nn.Module
        Layers are named by where they are in it; projections of a :class:`neuromorph.train.Module` by their names.
    chosen : sequence of str, or of (layer, parameter name), optional
        None: the weights of each projection that train, but for a number that all synapses share, and the ``weight``
        of each other layer if it has two axes or more.

    Raises
    ------
    NetworkError
        There is no such layer, or none at all.
    """
    found = _layers(module)
    if chosen is None:
        if not found:
            raise NetworkError("the module has no layer with a weight; give pairs of a layer and a parameter's name")
        return found
    result: dict[str, tuple[nn.Module, str]] = {}
    for each in chosen:
        if isinstance(each, str):
            if each not in found:
                raise NetworkError(f"there is no layer {each!r} with a weight; there are {', '.join(found) or 'none'}")
            result[each] = found[each]
        else:
            layer, name = each
            if not isinstance(getattr(layer, name, None), Tensor):
                raise NetworkError(f"{type(layer).__name__} has no parameter {name!r}")
            result[_name(module, layer, name)] = (layer, name)
    return result


def parametrise(module: nn.Module, make: Callable[[], nn.Module], chosen: Chosen | None = None) -> list[nn.Module]:
    """Register a new ``make()`` on every chosen weight, after what is there already; the parametrizations made.

    ``parametrise(module, lambda: Quantised(Int8()))`` trains all weights for 8 bits.
    """
    made = []
    for layer, name in weights_of(module, chosen).values():
        made.append(make())
        parametrize.register_parametrization(layer, name, made[-1])
    return made


def original(layer: nn.Module, name: str) -> Tensor:
    """The parameter itself, behind its parametrizations."""
    if parametrize.is_parametrized(layer, name):
        return cast(Tensor, parametrizations(layer, name).original)
    return cast(Tensor, getattr(layer, name))


def parametrizations(layer: nn.Module, name: str) -> nn.ModuleList:
    """What makes the weight out of its parameter, in this order; an empty list if nothing does."""
    if not parametrize.is_parametrized(layer, name):
        return nn.ModuleList()
    return cast(nn.ModuleList, cast(nn.ModuleDict, layer.parametrizations)[name])


def _layers(module: nn.Module) -> dict[str, tuple[nn.Module, str]]:
    found: dict[str, tuple[nn.Module, str]] = {}
    for path, layer in module.named_modules():
        if not isinstance(getattr(layer, "weight", None), Tensor):
            continue
        stored = original(layer, "weight")
        if isinstance(layer, ProjectionWeights):
            if isinstance(stored, nn.Parameter) and stored.ndim:
                found[path if layer.name in found else layer.name] = (layer, "weight")
        elif stored.ndim >= 2:
            found[path or "weight"] = (layer, "weight")
    return found


def _name(module: nn.Module, layer: nn.Module, parameter: str) -> str:
    place = next((name for name, each in module.named_modules() if each is layer), type(layer).__name__)
    return f"{place}.{parameter}" if place else parameter
