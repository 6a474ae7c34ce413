"""Metrics of a training as a file of JSON lines, which can be read while it grows."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import Any

from neuromorph.errors import TrainingError


class MetricsFile:
    """Records, one JSON object a line, appended as they come.

    Parameters
    ----------
    path : path
        Made if it is not there.
    keep : int
        So many lines stay; what follows was written after the checkpoint from which a training goes on, and is cut.
    """

    def __init__(self, path: str | os.PathLike[str], keep: int = 0) -> None:
        self.path = Path(path)
        try:
            lines = self.path.read_bytes().splitlines(keepends=True)[:keep] if self.path.exists() else []
            if lines and not lines[-1].endswith(b"\n"):
                lines.pop()
            self.path.touch()
            os.truncate(self.path, sum(map(len, lines)))
            self._file = self.path.open("a", encoding="utf-8")
        except OSError as error:
            raise TrainingError(f"{self.path}: metrics cannot be written ({error.strerror})", path=self.path) from error
        self.lines = len(lines)

    def write(self, record: Mapping[str, Any]) -> None:
        """Append a record; it is in the file when this returns. Numbers that are not finite become null."""
        try:
            self._file.write(json.dumps({name: _finite(value) for name, value in record.items()}) + "\n")
            self._file.flush()
        except OSError as error:
            raise TrainingError(f"{self.path}: writing metrics failed ({error.strerror})", path=self.path) from error
        self.lines += 1

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not isfinite(value) else value


def read_metrics(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """All records of a file; a last line that is cut off is left out.

    Raises
    ------
    TrainingError
        There is no such file, or a line is not JSON.
    """
    try:
        text = Path(path).read_text("utf-8")
    except OSError as error:
        raise TrainingError(f"{path}: metrics cannot be read ({error.strerror})", path=path) from error
    lines = text.split("\n")[:-1]
    try:
        return [json.loads(line) for line in lines]
    except json.JSONDecodeError as error:
        raise TrainingError(f"{path}: a line is not JSON ({error})", path=path) from error
