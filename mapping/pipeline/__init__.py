"""Networks laid out in space: a pipeline of stages that FIFOs join.

=========================  ==============================================================
what a pipeline is         ``design`` (operators, parallelism), ``graph`` (stages,
                           FIFOs), ``stages`` (parts that graphs are made of),
                           ``starts``, ``schedule`` (fine, coarse, hybrid)
how long it takes          ``closed`` (at once), ``simulate`` and ``stepwise`` (cycle
                           by cycle), ``timing``, ``deadlock``, ``depths``
what it takes of a board   ``board``, ``resources`` of ``arithmetic`` and ``storage``,
                           ``placement``, ``buffers``, ``energy`` of ``actions``;
                           ``balance`` chooses among ``candidates``
what is shown              ``report``, ``comparison``, ``beside``, ``timeline``,
                           ``figures``
vision transformers        ``transformer`` (their stages), ``integer`` (their numbers)
networks of neuromorph     ``target``, ``program``, ``network``; ``chips``: the same
                           overlap on SpiNNaker2
=========================  ==============================================================
"""

from .balance import Budget
from .design import Parallel
from .network.traffic import traffic
from .target import Pipeline

__all__ = ["Budget", "Parallel", "Pipeline", "traffic"]
