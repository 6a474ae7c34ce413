"""Show what is installed and what each feature needs."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import sys

import neuromorph

PACKAGES = (
    # distribution, what it is for, extra that brings it ("" = always installed)
    ("numpy", "arrays, the reference engine", ""),
    ("numba", "compiled kernels", ""),
    ("scipy", "propagators, sparse matrices", ""),
    ("h5py", "traces, weight files", ""),
    ("networkx", "graphs of networks", ""),
    ("pymetis", "partition and placement", ""),
    ("rich", "progress and reports", ""),
    ("brian2", "import of Brian 2 networks, its devices", ""),
    ("nengo", "import of Nengo networks, neuromorph.nengo", ""),
    ("nir", "import and export of NIR graphs", ""),
    ("matplotlib", "figures", "plot"),
    ("ipython", "notebooks", "notebook"),
    ("ipykernel", "notebooks", "notebook"),
    ("pandas", "to_pandas()", "pandas"),
    ("neo", "to_neo(), for Elephant", "neo"),
    ("torch", "training: neuromorph.train", "train"),
    ("lz4", "AEDAT 4 files compressed so", "events"),
    ("zstandard", "AEDAT 4 files compressed so", "events"),
    ("onnx", "layers of ONNX files on systolic arrays", "onnx"),
    ("mtkahypar", 'partition with method="mtkahypar"', "quality"),
    ("pytest", "the tests", "test"),
    ("hypothesis", "the tests", "test"),
    ("libsonata", "the tests: traces read by others", "test"),
    ("bmtk", "the tests: traces read by others", "test"),
    ("elephant", "the tests: analysis against a peer", "test"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Doctor takes no options."""


def installed(distribution: str) -> str | None:
    """Version of a distribution, or None."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def run(options: argparse.Namespace) -> int:
    """Print the table; 1 if a package that is always needed is missing."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    table = Table(title=None, box=None, pad_edge=False)
    for heading in ("package", "version", "needed for", "to install"):
        table.add_column(heading)
    missing = False
    for name, purpose, extra in PACKAGES:
        version = installed(name)
        how = "" if version else f"pip install 'neuromorph[{extra}]'" if extra else f"pip install {name}"
        missing |= version is None and not extra
        table.add_row(name, version or ("missing" if not extra else "not installed"), purpose, escape(how))
    console = Console()
    console.print(f"neuromorph {neuromorph.__version__}, Python {sys.version.split()[0]}, {platform.platform()}")
    console.print(f"{os.cpu_count()} cores, {memory:.1f} GiB of memory, compiled kernels kept in {cache_folder()}")
    console.print(table)
    return int(missing)


def cache_folder() -> str:
    """Where compiled kernels are kept."""
    from neuromorph.native import cache_directory

    return str(cache_directory())
