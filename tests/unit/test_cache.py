"""The cache of compiled kernels: keyed by content, shared by processes, and never in the way."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuromorph.native import Kernel, cache, cache_directory, call, compile_kernel, compiled, kernel
from neuromorph.native.cache import content_key, imported_files, prune, write_whole

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
    monkeypatch.setattr(kernel, "_kernels", {})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield tmp_path / "cache"


def result(kernel: Kernel, step: int) -> int:
    item = np.zeros(1, np.int64)
    call(kernel, step, 0, item)
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
    monkeypatch.setattr(kernel, "_kernels", {})
    again = compile_kernel(source(7), "seven")
    assert again.loaded
    assert result(again, 6) == 42
    assert not list(directory.glob(".new-*"))


def test_another_source_or_another_compiler_is_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before = content_key(source(7))
    assert content_key(source(8)) != before
    monkeypatch.setattr(cache, "toolchain", lambda: "another processor")
    assert content_key(source(7)) != before


@pytest.mark.parametrize(
    "damage", [lambda b: b"", lambda b: b[:40], lambda b: b[:-1], lambda b: b[:200] + b"!" + b[201:]]
)
def test_a_damaged_file_is_replaced(directory: Path, monkeypatch: pytest.MonkeyPatch, damage: Any) -> None:
    compile_kernel(source(3), "three")
    for path in directory.glob("kernel_*"):
        path.write_bytes(damage(path.read_bytes()))
    monkeypatch.setattr(kernel, "_kernels", {})
    assert result(compile_kernel(source(3), "three"), 5) == 15
    monkeypatch.setattr(kernel, "_kernels", {})
    assert compile_kernel(source(3), "three").loaded


def test_without_a_usable_directory_kernels_stay_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("not a directory")
    monkeypatch.setenv(cache.ENVIRONMENT, str(tmp_path / "file" / "cache"))
    monkeypatch.setattr(kernel, "_kernels", {})
    with pytest.warns(RuntimeWarning, match=r"cannot keep compiled kernels in .*; they stay in memory"):
        made = compile_kernel(source(4), "four")
    assert not made.loaded
    assert result(made, 2) == 8


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
from neuromorph.native import compile_kernel
kernels = [compile_kernel(open(sys.argv[1]).read(), "shared", name=name) for name in ("kernel", "other")]
print(*(kernel.loaded for kernel in kernels), "numba" in sys.modules)
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
    assert later.communicate()[0].split() == ["True", "True", "False"]


def test_what_a_source_imports_from_here_decides_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert {path.name for path in imported_files(source(7))} == {"lowlevel.py"}
    names = {path.name for path in imported_files("from neuromorph.network.builders.degree_kernels import fill_rows\n")}
    assert names >= {"degree_kernels.py", "philox_kernels.py", "random_kernels.py", "random.py"}
    (tmp_path / "kernels.py").write_text("from .deeper import x\n")
    (tmp_path / "deeper.py").write_text("x = 1\n")
    text = "from .kernels import x\n"
    assert {path.name for path in imported_files(text, tmp_path)} == {"kernels.py", "deeper.py"}
    monkeypatch.setattr(cache, "imported_files", lambda source: [tmp_path / "deeper.py"])
    before = content_key(text)
    cache._file_digest.cache_clear()
    (tmp_path / "deeper.py").write_text("x = 2\n")
    assert content_key(text) != before


def test_the_cache_does_not_grow_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    ages = {"kernel_new.bin": 0, "kernel_old.bin": 80, "kernel_forgotten.bin": 100, ".new-lost": 2, "other": 1000}
    for name, days in ages.items():
        (tmp_path / name).write_bytes(b"x" * 100)
        os.utime(tmp_path / name, (now - days * 86400, now - days * 86400))
    prune(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"kernel_new.bin", "kernel_old.bin", "other"}
    monkeypatch.setattr(cache, "MOST_BYTES", 150)
    prune(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"kernel_new.bin", "other"}


def test_what_is_used_stays(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compile_kernel(source(2), "two")
    (path,) = directory.glob("kernel_*")
    os.utime(path, (0, 0))
    monkeypatch.setattr(kernel, "_kernels", {})
    assert compile_kernel(source(2), "two").loaded
    assert time.time() - path.stat().st_mtime < 3600


def test_a_kernel_that_needs_a_missing_symbol_is_compiled_anew(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = content_key(source(5))
    compile_kernel(source(5), "five")
    found = cache.find(key)
    assert found is not None
    cache.keep(key, found[0], ("no_such_symbol_anywhere",))
    monkeypatch.setattr(kernel, "_kernels", {})
    made = compile_kernel(source(5), "five")
    assert not made.loaded
    assert result(made, 2) == 10


ALLOCATES = """
import numpy as np
from numba import carray

from neuromorph.engine.lowlevel import pointer


def kernel(step, offset, item):
    numbers = np.empty(step, np.int64)
    numbers[:] = 4
    carray(pointer(item), 1, np.int64)[0] = np.sort(numbers).sum()
"""


def test_kernels_that_allocate_load_in_a_process_without_numba(directory: Path) -> None:
    made = compile_kernel(ALLOCATES, "allocates")
    assert result(made, 5) == 20
    script = f"""
import sys
import numpy as np
from neuromorph.native import call, compile_kernel
kernel = compile_kernel({ALLOCATES!r}, "allocates")
item = np.zeros(1, np.int64)
call(kernel, 5, 0, item)
print(kernel.loaded, item[0])
"""
    done = subprocess.run([sys.executable, "-c", script], env=os.environ, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "20"]


def test_machine_code_is_free_of_python() -> None:
    text = compile_kernel(source(1), "one").assembly()
    assert "Py" not in text
    assert "numba" not in text


def test_functions_are_called_with_arrays_and_numbers() -> None:
    module = "neuromorph.network.builders.sparse_kernels"
    is_sorted, place = compiled(module, "is_sorted", returns=bool), compiled(module, "place_stable")
    row_ptr = np.array([0, 2, 4])
    for dtype in (np.uint16, np.int32):
        assert is_sorted(row_ptr, np.array([1, 3, 0, 0], dtype)) is True
        assert is_sorted(row_ptr, np.array([3, 1, 0, 0], dtype)) is False
    out = np.zeros(3, np.int32)
    place(np.array([1, 0, 0]), np.arange(3, dtype=np.int32), np.array([0, 2]), out)
    assert out.tolist() == [1, 2, 0]
    with pytest.raises(ValueError, match="not contiguous"):
        is_sorted(row_ptr, np.zeros(8, np.int32)[::2])
