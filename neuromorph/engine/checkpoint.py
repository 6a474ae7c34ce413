"""The complete state of a program between two steps, in memory and as an HDF5 file.

A checkpoint says what the network's semantics know and nothing of how an engine lays it out: states by name, the sums
that will arrive by port and step, the values that :meth:`Program.set` changed, and the step, on which random numbers
depend. So it can be restored by any engine of the same arithmetic, whatever its threads.

Layout of the file (suffix ``.h5``)::

    /                            format, network, key, dt, dtype, weights, step, target, digest
    /versions, /text             what wrote it, and the network as text
    /populations/<n>             name
        states/<state>           (neurons,) as the engine keeps it
        arriving/<port>          (steps, neurons): row k arrives in step + k; rows after the last one are zero
        values/<name>            float64 or int64, () or (neurons,), SI: what set() changed
    /plastic/<n>                 name; arrays of a projection whose synapses change, see neuromorph.engine.plastic.saved
    /extra/<name>                what only this kind of target knows, such as how late a machine's cores are
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import CheckpointError, TraceError

if TYPE_CHECKING:
    import h5py

Array = npt.NDArray[Any]

FORMAT = "neuromorph checkpoint"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class PopulationState:
    """One population between two steps.

    Attributes
    ----------
    states : mapping of state to (neurons,)
    arriving : mapping of port to (steps, neurons)
        Row k is the sum so far of what arrives in ``step + k``.
    values : mapping of parameter or state to () or (neurons,)
        Parameters and initial states that were changed since the network was compiled, in SI units.
    """

    states: Mapping[str, Array]
    arriving: Mapping[str, Array]
    values: Mapping[str, Array] = field(default_factory=dict)


@dataclass(frozen=True)
class Checkpoint:
    """Everything that the future of a program depends on.

    Attributes
    ----------
    network : str
        Its name.
    key : str
        Hash of the network without its name and what it records.
    dt : float
        Length of a step in seconds.
    dtype, weights : str
        Arithmetic: width of floats, and the width to which weights were quantised (``""``: not).
    step : int
        Number of the next step.
    populations : mapping of str to PopulationState
    extra : mapping of str to array
        What only this kind of target knows.
    plastic : mapping of str to mapping of str to array
        Of each projection whose synapses change; see :mod:`neuromorph.engine.plastic.saved`.
    about : mapping of str to str
        ``text`` of the network, ``target``, and the versions of what computed.
    """

    network: str
    key: str
    dt: float
    dtype: str
    weights: str
    step: int
    populations: Mapping[str, PopulationState]
    extra: Mapping[str, Array] = field(default_factory=dict)
    plastic: Mapping[str, Mapping[str, Array]] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(array.nbytes for _, array in self._arrays())

    def save(self, path: str | PathLike[str]) -> None:
        """Write to a file that appears whole or not at all; an older checkpoint of that name stays until then.

        Raises
        ------
        CheckpointError
            The file is there and not a checkpoint, or it cannot be written (disk full).
        """
        import h5py

        from neuromorph.trace.journal import CommittedFile, uninterrupted

        name = fspath(path)
        _refuse_foreign(name)
        try:
            file = CommittedFile(name)
        except OSError as error:
            raise CheckpointError(f"{name}: cannot be written ({error.strerror})", path=name) from error
        try:
            with uninterrupted():
                with h5py.File(file, "w") as h5:
                    self._write(h5)
                file.commit(durable=True)
        except (TraceError, OSError) as error:
            reason = error.__cause__ or error
            raise CheckpointError(
                f"{name}: writing failed ({reason}); what was there before is kept. Free some space, or "
                "choose another place",
                path=name,
            ) from error
        finally:
            file.close()

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Checkpoint:
        """Read a file that :meth:`save` wrote.

        Raises
        ------
        CheckpointError
            There is no such file, it is something else, or it is damaged.
        """
        import h5py

        name = fspath(path)
        _require_checkpoint(name)
        try:
            with h5py.File(name, "r") as h5:
                version, digest = int(h5.attrs["format_version"]), h5.attrs["digest"]
                made = cls._read(h5)
        except (OSError, KeyError, ValueError, RuntimeError, TypeError) as error:
            raise CheckpointError(f"{name}: the checkpoint is damaged ({error})", path=name) from error
        if version != FORMAT_VERSION:
            raise CheckpointError(
                f"{name}: format {version} of checkpoints; this version of neuromorph reads {FORMAT_VERSION}",
                path=name,
                version=version,
            )
        if made._digest() != digest:
            raise CheckpointError(f"{name}: the checkpoint is damaged: its digest does not match", path=name)
        return made

    def _arrays(self) -> Iterator[tuple[str, Array]]:
        for number, population in enumerate(self.populations.values()):
            for part in _PARTS:
                for name, array in sorted(getattr(population, part).items()):
                    yield f"populations/{number}/{part}/{name}", array
        for number, arrays in enumerate(self.plastic.values()):
            for name, array in sorted(arrays.items()):
                yield f"plastic/{number}/{name}", array
        for name, array in sorted(self.extra.items()):
            yield f"extra/{name}", array

    def _digest(self) -> str:
        digest = blake2b(digest_size=16)
        head = (self.network, self.key, self.dt, self.dtype, self.weights, self.step, *self.populations, *self.plastic)
        digest.update(repr(head).encode())
        for name, array in self._arrays():
            digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def _write(self, h5: h5py.File) -> None:
        h5.attrs["format"], h5.attrs["format_version"] = FORMAT, FORMAT_VERSION
        for name in _HEAD:
            h5.attrs[name] = getattr(self, name)
        h5.attrs["digest"] = self._digest()
        for number, name in enumerate(self.populations):
            group = h5.create_group(f"populations/{number}")
            group.attrs["name"] = name
            for part in _PARTS:
                group.create_group(part)
        for number, name in enumerate(self.plastic):
            h5.create_group(f"plastic/{number}").attrs["name"] = name
        for name, array in self._arrays():
            h5.create_dataset(name, data=array)
        for name, value in self.about.items():
            h5[f"about/{name}"] = value if isinstance(value, str) else repr(value)

    @classmethod
    def _read(cls, h5: h5py.File) -> Checkpoint:
        head = {name: _plain(h5.attrs[name]) for name in _HEAD}
        populations = {}
        for number in range(len(h5["populations"]) if "populations" in h5 else 0):
            group = h5[f"populations/{number}"]
            parts = {part: {name: np.asarray(data[()]) for name, data in group[part].items()} for part in _PARTS}
            populations[_plain(group.attrs["name"])] = PopulationState(**parts)
        plastic = {}
        for number in range(len(h5["plastic"]) if "plastic" in h5 else 0):
            group = h5[f"plastic/{number}"]
            plastic[_plain(group.attrs["name"])] = {name: np.asarray(data[()]) for name, data in group.items()}
        extra = {name: np.asarray(data[()]) for name, data in h5["extra"].items()} if "extra" in h5 else {}
        about = {name: data.asstr()[()] for name, data in h5["about"].items()} if "about" in h5 else {}
        return cls(**head, populations=populations, extra=extra, plastic=plastic, about=about)

    def __repr__(self) -> str:
        return f"<Checkpoint of {self.network}: step {self.step}, {self.dtype}, {self.nbytes:,} bytes>"


_PARTS = ("states", "arriving", "values")
_HEAD = ("network", "key", "dt", "dtype", "weights", "step")


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _is_checkpoint(name: str) -> bool:
    import h5py

    try:
        if not h5py.is_hdf5(name):
            return False
        with h5py.File(name, "r") as h5:
            return bool(h5.attrs.get("format", "") == FORMAT)
    except OSError:
        return False


def _require_checkpoint(name: str) -> None:
    from neuromorph.trace.layout import is_trace

    path = Path(name)
    if not path.is_file():
        raise CheckpointError(f"{name}: {'is a folder' if path.is_dir() else 'there is no such file'}", path=name)
    if not _is_checkpoint(name):
        if is_trace(name):
            text = "is a trace, which holds what was recorded and not the state; open it with Trace()"
        else:
            text = "is not a checkpoint of neuromorph, or cut off"
        raise CheckpointError(f"{name}: {text}", path=name)


def _refuse_foreign(name: str) -> None:
    path = Path(name)
    if path.is_dir() or (path.exists() and path.stat().st_size and not _is_checkpoint(name)):
        raise CheckpointError(
            f"{name}: is there and not a checkpoint, so it is not overwritten; choose another name", path=name
        )
