"""Sources of a module: what they replay where nothing is given, and tables whose rows are events."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from neuromorph.errors import NetworkError
from neuromorph.network.population import Population
from neuromorph.network.sources import read_ids


class SourceRows(nn.Module):
    """A source: rows of event values.

    Attributes
    ----------
    table : Parameter (rows, size)
        Of a :class:`Lookup` alone.
    """

    _ids: Tensor

    def __init__(self, population: Population, dt: float, dtype: torch.dtype) -> None:
        super().__init__()
        self.name, self.size, self._dtype = population.name, population.size, dtype
        source: Any = population.neuron
        table = getattr(source, "table", None)
        self._lookup = table is not None
        if table is not None:
            self.table = nn.Parameter(torch.tensor(np.asarray(table), dtype=dtype))
            ids = np.zeros(0, np.int64) if source.ids is None else np.asarray(source.ids, np.int64)
            self.register_buffer("_ids", torch.from_numpy(ids.copy()), persistent=False)
        else:
            self._events = source.event_list(dt)

    @property
    def length(self) -> int:
        """Steps that it has events of its own for."""
        return len(self._ids) if self._lookup else len(self._events.step_ptr) - 1

    def given(self, x: Tensor, device: torch.device) -> Tensor:
        """What is given for it, as (steps, batch, size); values and ids are looked at on the CPU alone.

        Raises
        ------
        NetworkError
            It is no tensor of numbers, on another device or of another shape; a value is not finite, or an id no row.
        """
        if not isinstance(x, Tensor) or x.is_complex():
            got = f"a tensor of {x.dtype}" if isinstance(x, Tensor) else type(x).__name__
            raise NetworkError(f"source {self.name}: x is {got}; give a tensor of real numbers, as of torch.as_tensor")
        if x.device != device:
            raise NetworkError(f"source {self.name}: x is on {x.device}, the module on {device}; move one of them")
        if self._lookup and not x.is_floating_point() and x.ndim == 2:
            if x.device.type == "cpu":
                read_ids(f"source {self.name}: ids", x.numpy(), len(self.table))
            return self._rows(x)
        if x.ndim != 3 or x.shape[2] != self.size:
            ids = " or ids (steps, batch)" if self._lookup else ""
            raise NetworkError(
                f"source {self.name}: x has shape {tuple(x.shape)}; give (steps, batch, {self.size}){ids}",
                shape=tuple(x.shape),
            )
        if x.device.type == "cpu" and not torch.isfinite(x).all():
            raise NetworkError(f"source {self.name}: a value of x is not finite; look for it with torch.isfinite(x)")
        return x.to(self._dtype)

    def replayed(self, first: int, steps: int, batch: int, device: torch.device) -> Tensor:
        """Its own events of some steps: (steps, batch, size)."""
        if self._lookup:
            known = self._ids[first : first + steps]
            ids = functional.pad(known, (0, steps - len(known)), value=-1)
            return self._rows(ids[:, None].expand(-1, batch))
        rows = np.zeros((steps, self.size))
        stop = min(first + steps, self.length)
        if stop > first:
            ptr = self._events.step_ptr
            span = slice(ptr[first], ptr[stop])
            at = np.repeat(np.arange(stop - first), np.diff(ptr[first : stop + 1]))
            values = self._events.values
            rows[at, self._events.indices[span]] = 1.0 if values is None else values[span]
        return torch.from_numpy(rows).to(device, self._dtype)[:, None].expand(-1, batch, -1)

    def _rows(self, ids: Tensor) -> Tensor:
        """Rows of the table; -1 has no events."""
        rows = functional.embedding(ids.clamp(min=0), self.table)
        return torch.where((ids >= 0)[..., None], rows, torch.zeros((), dtype=rows.dtype, device=rows.device))


def source_rows(population: Population, dt: float, dtype: torch.dtype) -> SourceRows:
    """The source of a population."""
    return SourceRows(population, dt, dtype)
