"""Optional packages, imported when first needed."""

from __future__ import annotations

import importlib
from typing import Any

from neuromorph.errors import TraceError


def require(module: str, extra: str, what: str) -> Any:
    """Import an optional package; a TraceError that names the extra to install if it is missing."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise TraceError(
            f"{what} needs {package}, which cannot be imported ({error}); install it with: "
            f"pip install 'neuromorph[{extra}]'",
            package=package,
            extra=extra,
        ) from error
