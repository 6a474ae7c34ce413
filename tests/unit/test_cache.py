"""The cache of compiled kernels: keyed by content, shared by processes, and never in the way."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from neuromorph.engine import cache
from neuromorph.engine.cache import cache_directory, compile_kernel, content_key, write_whole
from neuromorph.engine.memory import address
from neuromorph.engine.schedule import call

SOURCE = '''"""Adds a number to an int64."""

import numpy as np
from numba import carray

from neuromorph.engine.lowlevel import pointer


def kernel(step, offset, item):
    carray(pointer(item), 1, np.int64)[0] += {number} * step


def other(step, offset, item):
    carray(pointer(item), 1, np.int64)[0] -= step
'''


def source(number: int) -> str:
    return SOURCE.replace("{number}", str(number))


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache, and no kernels in memory."""
    monkeypatch.setenv(cache.ENVIRONMENT, str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "_kernels", {})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield tmp_path / "cache"


def result(kernel: cache.Kernel, step: int) -> int:
    import numpy as np

    item = np.zeros(1, np.int64)
    call(kernel, step, 0, item)
    assert address(item)
    return int(item[0])


def test_the_directory_is_chosen_by_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv(cache.ENVIRONMENT, raising=False)
    assert cache_directory() == tmp_path / "neuromorph"
    monkeypatch.setenv(cache.ENVIRONMENT, str(tmp_path / "mine"))
    assert cache_directory() == tmp_path / "mine"
    monkeypatch.setenv(cache.ENVIRONMENT, "off")
    assert cache_directory() is None


def test_a_kernel_is_compiled_once_then_loaded(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = compile_kernel(source(7), "seven")
    assert not first.loaded
    assert result(first, 6) == 42
    assert compile_kernel(source(7), "seven") is first
    assert result(compile_kernel(source(7), "minus", name="other"), 6) == -6
    monkeypatch.setattr(cache, "_kernels", {})
    again = compile_kernel(source(7), "seven")
    assert again.loaded
    assert result(again, 6) == 42
    assert not list(directory.glob(".new-*"))


def test_another_source_or_another_compiler_is_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before = content_key(source(7))
    assert content_key(source(8)) != before
    monkeypatch.setattr(cache, "toolchain", lambda: "another processor")
    assert content_key(source(7)) != before


@pytest.mark.parametrize("pattern", ["*.py", "__pycache__/*.nbi", "__pycache__/*.nbc"])
def test_a_damaged_file_is_replaced(directory: Path, monkeypatch: pytest.MonkeyPatch, pattern: str) -> None:
    compile_kernel(source(3), "three")
    for path in directory.glob(pattern):
        path.write_bytes(path.read_bytes()[:40])
    monkeypatch.setattr(cache, "_kernels", {})
    assert result(compile_kernel(source(3), "three"), 5) == 15
    monkeypatch.setattr(cache, "_kernels", {})
    assert compile_kernel(source(3), "three").loaded


def test_without_a_usable_directory_kernels_stay_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("not a directory")
    monkeypatch.setenv(cache.ENVIRONMENT, str(tmp_path / "file" / "cache"))
    monkeypatch.setattr(cache, "_kernels", {})
    with pytest.warns(RuntimeWarning, match=r"cannot keep compiled kernels in .*; they stay in memory"):
        kernel = compile_kernel(source(4), "four")
    assert not kernel.loaded
    assert result(kernel, 2) == 8


def test_a_wrong_source_is_not_blamed_on_the_directory(directory: Path) -> None:
    from numba.core.errors import NumbaError

    with pytest.raises(NumbaError):
        compile_kernel("def kernel(step, offset, item):\n    return nothing_of_that_name\n", "wrong")


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_whole(tmp_path / "a", b"old")

    def fail(source: str, target: Path) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_whole(tmp_path / "a", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"


SCRIPT = """
import sys, warnings
warnings.simplefilter("error")
from neuromorph.engine.cache import compile_kernel
kernels = [compile_kernel(open(sys.argv[1]).read(), "shared", name=name) for name in ("kernel", "other")]
print(*(kernel.loaded for kernel in kernels))
"""


def test_processes_share_the_cache_also_when_they_start_together(tmp_path: Path) -> None:
    text = tmp_path / "source.txt"
    text.write_text(source(9))
    environment = os.environ | {cache.ENVIRONMENT: str(tmp_path / "cache")}

    def start() -> subprocess.Popen[str]:
        command = [sys.executable, "-c", SCRIPT, str(text)]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)

    together = [start(), start()]
    for process in together:
        process.communicate()
        assert process.returncode == 0
    later = start()
    assert later.communicate()[0].split() == ["True", "True"]
