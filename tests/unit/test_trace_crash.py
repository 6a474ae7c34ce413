"""A trace file must be readable, up to its last flush, whatever becomes of the process that writes it."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from neuromorph.errors import TraceError
from neuromorph.trace import FileSink, RunMeta, Trace, journal
from neuromorph.trace import file as file_module


def meta(steps: int = 1000, **more: object) -> RunMeta:
    return RunMeta("net", 1e-3, steps, 1, {"a": 50}, {("a", "v"): ("mV", 1e-3, 1)}, **more)  # type: ignore[arg-type]


def test_every_single_write_leaves_a_readable_prefix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at the file after each write to disk, as a crash at that moment would leave it."""
    monkeypatch.setattr(file_module, "_EVENT_CHUNK", 2)  # many chunks: the index must split, on two levels
    path = tmp_path / "trace.h5"
    flushed = committed = looks = 0

    def look() -> None:
        nonlocal looks
        if not path.exists():
            return
        looks += 1
        with Trace(path) as trace:
            n = trace.count("a")
            assert n >= flushed
            events = trace.events("a")
            np.testing.assert_array_equal(events.steps, np.arange(n))
            np.testing.assert_array_equal(events.ids, np.arange(n) % 50)
            if n:
                np.testing.assert_array_equal(events.values, np.arange(n, dtype=np.float32) + 1)
            states = trace.state("a", "v")
            np.testing.assert_allclose(states.data[:, 0], np.arange(states.shape[0]) * 2, rtol=1e-12)

    pwrite, ftruncate = os.pwrite, os.ftruncate

    def watched_pwrite(fd: int, data: bytes, offset: int) -> int:
        beyond_the_end = offset >= committed
        done = pwrite(fd, data, offset)
        if not beyond_the_end:  # nothing refers to what is beyond it
            look()
        return done

    def watched_ftruncate(fd: int, size: int) -> None:
        nonlocal committed
        ftruncate(fd, size)
        committed = size
        look()

    monkeypatch.setattr(journal.os, "pwrite", watched_pwrite)
    monkeypatch.setattr(journal.os, "ftruncate", watched_ftruncate)
    sink = FileSink(path, flush_seconds=1e9)
    sink.open(meta())
    per_flush, rng = 0, np.random.default_rng(0)
    while flushed < 4600:
        per_flush = int(rng.integers(1, 900))
        steps = np.arange(flushed, flushed + per_flush)
        sink.events("a", steps, steps % 50, (steps + 1).astype(np.float32))
        sink.states("a", "v", flushed, 1, np.repeat(steps[:, None] * 2e-3, 50, axis=1))
        if rng.random() < 0.2:
            sink.extra("costs/rows", np.ones((3, 2)), append=True)
        sink.flush()
        flushed += per_flush
    sink.close()
    look()
    assert looks > 100


WRITER = """
import sys, numpy as np
from neuromorph.trace import FileSink, RunMeta
sink = FileSink(sys.argv[1], flush_seconds=float(sys.argv[2]))
sink.open(RunMeta("net", 1e-3, 10**9, 1, {"a": 50}, {("a", "v"): ("mV", 1e-3, 1)}))
print("open", flush=True)
step = 0
while True:
    steps = np.arange(step, step + 20)
    sink.events("a", np.repeat(steps, 50), np.tile(np.arange(50), 20))
    sink.states("a", "v", step, 1, np.repeat(steps[:, None] * 1e-3, 50, axis=1).astype(np.float32))
    step += 20
    if step % 1000 == 0:
        sink.flush()
        print(step, flush=True)
"""


@pytest.mark.parametrize("patience", [0.0, 0.15, 0.4])
def test_killed_writer_leaves_everything_it_flushed(tmp_path: Path, patience: float) -> None:
    path = tmp_path / "trace.h5"
    command = [sys.executable, "-c", WRITER, str(path), "0.01"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if line.startswith("2000"):
                break
        time.sleep(patience)
        child.send_signal(signal.SIGKILL)
        said = [2000, *(int(line) for line in child.stdout if line.strip().isdigit())][-1]
    with Trace(path) as trace:
        assert not trace.complete
        assert trace.meta.steps >= said
        events = trace.events("a")
        assert len(events) >= said * 50
        np.testing.assert_array_equal(events.steps, np.arange(len(events)) // 50)
        np.testing.assert_array_equal(events.ids, np.arange(len(events)) % 50)
        states = trace.state("a", "v")
        assert states.shape[0] >= said
        np.testing.assert_allclose(states.data[:, 7], np.arange(states.shape[0]), rtol=1e-6)
    import libsonata

    assert len(libsonata.SpikeReader(str(path))["a"].get()) >= said * 50


def test_ctrl_c_while_hdf5_writes_comes_after_the_flush(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "trace.h5"
    sink = FileSink(path, flush_seconds=1e9)
    sink.open(meta())
    sink.events("a", [0, 1], [0, 1])
    write = journal.CommittedFile.write

    def pressed(self: journal.CommittedFile, data: bytes) -> int:
        os.kill(os.getpid(), signal.SIGINT)
        return write(self, data)

    with monkeypatch.context() as patch:
        patch.setattr(journal.CommittedFile, "write", pressed)
        with pytest.raises(KeyboardInterrupt):
            sink.flush()
    assert Trace(path).count("a") == 2
    sink.events("a", [2], [2])
    sink.close()
    assert Trace(path).count("a") == 3


def test_a_forked_child_leaves_the_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "trace.h5"
    code = (
        "import os, sys, numpy as np\n"
        "from neuromorph.trace import FileSink, RunMeta\n"
        "sink = FileSink(sys.argv[1], flush_seconds=1e9)\n"
        "sink.open(RunMeta('net', 1e-3, 9, 1, {'a': 3}))\n"
        "sink.events('a', np.arange(9000), np.zeros(9000, int))\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    sys.exit()\n"
        "sink.flush()\n"
        "os.waitpid(child, 0)\n"
        "sink.close()\n"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)
    with Trace(path) as trace:
        np.testing.assert_array_equal(trace.events("a").steps, np.arange(9000))


def test_an_unclosed_sink_does_no_harm_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "trace.h5"
    code = (
        "import sys\n"
        "from neuromorph.trace import FileSink, RunMeta\n"
        "sink = FileSink(sys.argv[1], flush_seconds=1e9)\n"
        "sink.open(RunMeta('net', 1e-3, 9, 1, {'a': 3}))\n"
        "sink.events('a', [0], [0])\n"
        "sink.flush()\n"
        "sink.extra('never/flushed', 1)\n"
        "sink.events('a', [1], [0])\n"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)
    assert Trace(path).count("a") == 1


def test_a_trace_can_be_read_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "trace.h5"
    with FileSink(path, flush_seconds=1e9) as sink:
        sink.open(meta())
        sink.events("a", [0, 1], [0, 1])
        sink.flush()
        sink.events("a", [2], [2])
        with Trace(path) as trace, h5py.File(path, "r") as plain:
            assert trace.count("a") == 2 == plain["spikes/a/node_ids"].shape[0]
            assert not trace.complete
    with Trace(path) as trace:
        assert trace.count("a") == 3
        assert trace.complete


DISK_FULL = """
import resource, sys, numpy as np
from neuromorph.errors import TraceError
from neuromorph.trace import FileSink, RunMeta
resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))
sink = FileSink(sys.argv[1], flush_seconds=1e9)
sink.open(RunMeta("net", 1e-3, 10**9, 1, {"a": 50}))
flushed = 0
try:
    for step in range(0, 10**6, 1000):
        sink.events("a", np.arange(step, step + 1000), np.zeros(1000, int))
        sink.flush()
        flushed = step + 1000
except TraceError as error:
    assert error.errno is not None
    print(flushed, error)
sink.close()
"""


def test_full_disk_is_said_and_the_file_keeps_its_last_flush(tmp_path: Path) -> None:
    path = tmp_path / "trace.h5"
    done = subprocess.run([sys.executable, "-c", DISK_FULL, str(path)], capture_output=True, text=True, check=True)
    flushed = int(done.stdout.split()[0])
    assert "writing failed" in done.stdout
    assert flushed > 20_000
    with Trace(path) as trace:
        assert trace.count("a") == flushed
        np.testing.assert_array_equal(trace.events("a").steps, np.arange(flushed))
        assert not trace.complete
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 2_000_000  # the limit was the child's


def test_failure_between_flushes_surfaces_at_the_next_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "trace.h5"
    sink = FileSink(path, flush_seconds=1e9)
    sink.open(meta())
    sink.events("a", [0], [0])
    sink.flush()

    def full(fd: int, data: bytes, offset: int) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(journal.os, "pwrite", full)
    sink.events("a", np.arange(1, 20000), np.zeros(19999, int))
    with pytest.raises(TraceError, match="No space left"):
        sink.flush()
    with pytest.raises(TraceError, match="no run is being written"):
        sink.events("a", [30000], [0])
    sink.close()
    assert Trace(path).count("a") == 1


def test_old_trace_stays_until_the_new_one_stands(tmp_path: Path) -> None:
    path = tmp_path / "trace.h5"
    with FileSink(path) as sink:
        sink.open(meta())
        sink.events("a", [5], [7])
    old = Trace(path)
    sink = FileSink(path)
    assert Trace(path).count("a") == 1
    sink.open(meta())
    assert Trace(path).count("a") == 0
    assert old.events("a").ids.tolist() == [7]  # who has it open keeps it
    sink.close()
    assert [p.name for p in tmp_path.iterdir()] == ["trace.h5"]


@pytest.mark.parametrize("content", [b"", b"precious", None])
def test_nothing_but_a_trace_is_overwritten(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "data.h5"
    if content is None:
        with h5py.File(path, "w") as other:
            other["precious"] = 1
    else:
        path.write_bytes(content)
    before = path.read_bytes()
    with pytest.raises(TraceError, match="not a trace"):
        FileSink(path)
    assert path.read_bytes() == before
    with pytest.raises(TraceError, match="is a folder"):
        FileSink(tmp_path)
    with pytest.raises(TraceError, match="create it first"):
        FileSink(tmp_path / "missing" / "trace.h5")
