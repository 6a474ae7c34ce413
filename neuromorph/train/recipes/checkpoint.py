"""Files from which a training goes on as if it had never stopped."""

from __future__ import annotations

import contextlib
import os
import pickle
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from neuromorph.errors import CheckpointError
from neuromorph.trace.journal import uninterrupted
from neuromorph.train.modules.state import State

FORMAT = "neuromorph training"
FORMAT_VERSION = 1


def save_checkpoint(path: str | os.PathLike[str], content: Mapping[str, Any]) -> None:
    """Write tensors and plain values to a file that appears whole or not at all; an older one stays until then.

    Ctrl-C is held back until it is done.

    Raises
    ------
    CheckpointError
        It cannot be written (no such folder, no right to, disk full).
    """
    target = Path(path)
    temporary = target.with_name(f"{target.name}.new-{os.getpid()}")
    try:
        with uninterrupted():
            with temporary.open("wb") as file:
                torch.save({"format": FORMAT, "format_version": FORMAT_VERSION, **content}, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, target)
    except (OSError, RuntimeError) as error:
        # torch turns an error of the file below it into one of its own
        cause = error if isinstance(error, OSError) else error.__context__ or error
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise CheckpointError(
            f"{target}: the checkpoint cannot be written ({getattr(cause, 'strerror', None) or cause}); what was there "
            "before is kept. Free some space, or choose another folder",
            path=target,
        ) from error


def load_checkpoint(path: str | os.PathLike[str], device: torch.device | str = "cpu") -> dict[str, Any]:
    """Read a file that :func:`save_checkpoint` wrote; no code in it is run.

    Raises
    ------
    CheckpointError
        There is no such file, it is something else, damaged, or of another version.
    """
    source = Path(path)
    if not source.is_file():
        raise CheckpointError(f"{source}: {'is a folder' if source.is_dir() else 'there is no such file'}", path=source)
    try:
        with torch.serialization.safe_globals([State]):
            content = torch.load(source, map_location=device, weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        reason = str(error).split("\n", maxsplit=1)[0]
        raise CheckpointError(
            f"{source}: no training checkpoint, damaged, or of other things than tensors and plain values ({reason})",
            path=source,
        ) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise CheckpointError(f"{source}: no checkpoint of a training by neuromorph", path=source)
    if content["format_version"] != FORMAT_VERSION:
        raise CheckpointError(
            f"{source}: format {content['format_version']}; this version of neuromorph reads {FORMAT_VERSION}",
            path=source,
        )
    return content


def load_weights(path: str | os.PathLike[str], module: nn.Module) -> None:
    """Give a module the weights of a ``best.pt`` or ``checkpoint.pt``.

    Raises
    ------
    CheckpointError
        There is no such file, or it holds the weights of another module.
    """
    parameter = next(module.parameters(), None)
    content = load_checkpoint(path, "cpu" if parameter is None else parameter.device)
    load_state(module, content["model"], str(path))


def load_state(module: nn.Module, state: Mapping[str, Any], path: str) -> None:
    """``module.load_state_dict``, with one clear error; ``path`` is where the state comes from."""
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        raise CheckpointError(f"{path}: holds the weights of another module: {error}", path=path) from error


def random_state() -> dict[str, Any]:
    """States of the global random generators of torch (every device), NumPy and Python."""
    # users' data may be shuffled by NumPy's global generator
    name, keys, *more = np.random.get_state()  # noqa: NPY002
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "numpy": (name, torch.from_numpy(np.asarray(keys, np.int64)), *more),
        "python": random.getstate(),
    }


def set_random_state(state: Mapping[str, Any]) -> None:
    """Go back to what :func:`random_state` gave."""
    torch.set_rng_state(state["torch"].cpu())
    if state["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all([each.cpu() for each in state["cuda"]])
    name, keys, *more = state["numpy"]
    np.random.set_state((name, keys.cpu().numpy().astype(np.uint32), *more))  # noqa: NPY002
    random.setstate(state["python"])
