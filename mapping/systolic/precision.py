"""Which layers an array computes in wider operands than the rest, as its machine file tells it for each network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from neuromorph.errors import MappingError

from .layers import Layer
from .machine import Array

OTHER = "wide.other"
"""The rule for networks that a machine file does not name: "ends" (the first and the last layer) or "all"."""


def with_precision(array: Array, layers: Sequence[Layer], network: str | None = None) -> Array:
    """The array with the wider operands of single layers that its machine file gives to a network.

    Files name layers under ``[wide]``; an array without that section has the same bits in every layer and comes back
    as it is. Products of two activations (attention) keep the array's own bits: no published list has them.

    Parameters
    ----------
    array : Array
    layers : sequence of Layer
        Of the network, all of them or some.
    network : str, optional
        A name of :func:`.shapes.network_names`; others, and None, follow the rule of :data:`OTHER`.

    Raises
    ------
    MappingError
        If the file names layers that the network does not have, which are not its layers then.
    """
    if OTHER not in array.prices:
        return array
    weighted = [layer.name for layer in layers if layer.second == "weights"]
    key = f"wide.{network}"
    if network is not None and key in array.prices:
        names = set(array.prices[key].value)
        if weighted and names and not names & set(weighted):
            raise MappingError(
                f"array {array.name}: of the layers with other bits in {network} ({', '.join(sorted(names)[:3])}, ...) "
                f"the layers given have none ({', '.join(weighted[:3])}, ...): are they those of {network}?",
                network=network,
            )
    else:
        names = set(weighted if array.prices[OTHER].value == "all" else weighted[:1] + weighted[-1:])
    wide = array.prices.count("wide.bits")
    return replace(array, bits={name: (wide, wide) for name in weighted if name in names})
