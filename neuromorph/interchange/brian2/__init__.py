"""Networks written for Brian 2.

Modules: `walk` says which objects there are and refuses those without a counterpart; `expressions` reads Brian 2's
strings, `names` what the identifiers in them stand for; `neuron` turns groups into neurons, `synapses` turns Synapses
into connections; `build` puts the network together.
"""

from neuromorph.interchange.brian2.build import from_brian2

__all__ = ["from_brian2"]
