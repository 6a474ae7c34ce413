"""SONATA: circuits of nodes and edges in HDF5 and type tables, their configurations, in and out.

=================  ====================================================================================
Module             What it does
=================  ====================================================================================
``config``         circuit and simulation configurations as one mapping, manifest variables filled in
``schema``         what its sections have to be
``attributes``     type tables and the columns of groups, as arrays
``circuit``        files as data: ``Circuit``, ``Nodes``, ``Edges``
``neurons``        the point neurons of NEURON and NEST, step by step as they compute them
``conductances``   those whose synapses are conductances
``glif``           glif_psc, made for the parameters that it has
``templates``      model templates: which neuron, what its parameters are called, where events arrive
``groups``         nodes to populations
``edges``          edges to projections
``timing``         the steps that times belong to
``stdp``           NEST's stdp_synapse
``inputs``         node sets and spike files
``clamps``         current clamps
``reports``        what is recorded; what the configuration says of the run
``network``        ``from_sonata``: all of it together
``files``          nodes, edges with indices, type tables and spikes, written
``configs``        configurations, written
``export``         ``to_sonata``
=================  ====================================================================================
"""

from neuromorph.interchange.sonata.circuit import Circuit, read_circuit
from neuromorph.interchange.sonata.export import save_spikes, to_sonata
from neuromorph.interchange.sonata.network import from_sonata, sonata_nodes
from neuromorph.interchange.sonata.templates import TEMPLATES, Template

__all__ = [
    "TEMPLATES",
    "Circuit",
    "Template",
    "from_sonata",
    "read_circuit",
    "save_spikes",
    "sonata_nodes",
    "to_sonata",
]
