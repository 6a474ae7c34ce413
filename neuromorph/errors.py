"""Every error that neuromorph raises on purpose, in one tree.

Each message names the object, what was expected, what was found and what to do; the numbers behind it are attributes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class NeuromorphError(Exception):
    """Root of the tree; keyword arguments become attributes of the instance."""

    def __init__(self, message: str, **numbers: Any) -> None:
        super().__init__(message)
        self.__dict__.update(numbers)


class UnitError(NeuromorphError, ValueError):
    """Dimensions that do not agree."""


class LanguageError(NeuromorphError, TypeError):
    """A neuron's class body breaks a rule of the language."""


class NetworkError(NeuromorphError, ValueError):
    """A population, projection, rule or recording that cannot be."""


class CheckError(NeuromorphError, ValueError):
    """Everything that keeps a network from running, found before any work starts; ``problems`` lists it."""

    problems: tuple[str, ...]

    def __init__(self, subject: str, problems: Sequence[str]) -> None:
        lines = "\n".join(f"  - {problem}" for problem in problems)
        super().__init__(f"{subject}:\n{lines}", problems=tuple(problems))


class TargetError(NeuromorphError, ValueError):
    """A target that cannot do what was asked of it."""


class MappingError(NeuromorphError, ValueError):
    """A network that does not fit its machine, or a mapping that a checker refutes."""


class TraceError(NeuromorphError, ValueError):
    """A trace file that cannot be read or written as asked."""


class CheckpointError(NeuromorphError, ValueError):
    """A checkpoint that cannot be written, read or restored here."""


class FormatError(NeuromorphError, ValueError):
    """Numbers that a format cannot store, or a stored stream that is damaged or not whole."""


class TrainingError(NeuromorphError, ValueError):
    """A training that cannot start or cannot go on."""
