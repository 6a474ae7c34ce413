"""Models written for Nengo: taken in as networks, or run step by step by ``neuromorph.nengo.Simulator``.

``nengo.builder.Model`` solves decoders and draws what is random, always. What it built is then taken over:

=================  ==========================================  ==================================================
Module             From Nengo                                  To
=================  ==========================================  ==================================================
``neurons``        a neuron type, its built states             a neuron: ``UPDATES[name](kind, initial, arriving,
                                                               present)`` gives its symbols and initial values
``filters``        a synapse (Lowpass, Alpha, LinearFilter)    a `Filter` behind a port; read-outs and relays
``processes``      a process, other synapses                   a series of values, a source, or a `Filter`
``transforms``     Dense, Sparse, Convolution, ...             the matrix or the shared weights of a projection
``learning``       a learning rule                             a plastic projection, or why there is none
``paths``          connections and passthrough nodes           a `Path` from a source to a target
``network``        a whole model                               a ``Network`` (``from_nengo``)
``linear``         chains of Nengo's linear operators          one matrix from each source to each target
``kernels``        a convolution among those operators         one kernel, still
``lift``           the operators of a built model              what a target runs: cells and relays; the rest stays
                                                               on the host
``factoring``      a decoded connection                        relays of its values, or pairs of neurons: the cheaper
``arrivals``       all that arrives at an ensemble             ports, with filters and factors
``circuit``        what was lifted                             a ``Network`` that makes several steps for one of
                                                               Nengo's
``host``           Nengo's order of a step                     operators that give to the target and take from it,
                                                               among those that stay
``simulator``      ``nengo.Simulator``'s contract              a live program and the host, in turns
=================  ==========================================  ==================================================

A neuron type, once in ``UPDATES``, is run by both. A learning rule stays on the host in the simulator: there the
decoders change, and the engine gets what they decode. ``network`` has no host and refuses what none of these modules
can say.
"""

from neuromorph.interchange.nengo.network import from_nengo

__all__ = ["from_nengo"]
