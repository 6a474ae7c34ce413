"""Memory on chip that a pipeline takes, in bits, by what is in it."""

from __future__ import annotations

from dataclasses import dataclass

from neuromorph.errors import MappingError

from .graph import StageGraph


@dataclass(frozen=True, slots=True)
class Buffers:
    """Memory on chip, in bits.

    Attributes
    ----------
    streams : int
        FIFOs that hand over token by token, at full depth.
    tensors : int
        FIFOs that hand over whole tensors.
    kept : int
        Activations that stages keep to themselves: windows of rows, whole K and V.
    weights, tables : int
    """

    streams: int
    tensors: int
    kept: int
    weights: int
    tables: int

    @property
    def activations(self) -> int:
        """All activations."""
        return self.streams + self.tensors + self.kept

    @property
    def total(self) -> int:
        """All of it."""
        return self.activations + self.weights + self.tables


def buffers(graph: StageGraph) -> Buffers:
    """Bits of all FIFOs and memories of a graph.

    Raises
    ------
    MappingError
        A memory of a kind that is none of "weights", "table", "activations".
    """
    kinds = dict.fromkeys(("weights", "table", "activations"), 0)
    for stage in graph.stages:
        for memory in stage.memories:
            if memory.kind not in kinds:
                raise MappingError(
                    f"stage {stage.name!r}: memory {memory.name!r} is of kind {memory.kind!r}; expected one of "
                    f"{', '.join(kinds)}",
                    name=stage.name,
                )
            kinds[memory.kind] += memory.words * memory.bits
    return Buffers(
        streams=sum(fifo.depth * fifo.bits for fifo in graph.fifos if fifo.grain == 1),
        tensors=sum(fifo.depth * fifo.bits for fifo in graph.fifos if fifo.grain > 1),
        kept=kinds["activations"],
        weights=kinds["weights"],
        tables=kinds["table"],
    )
