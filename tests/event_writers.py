"""Files of recorded events, written byte by byte from the descriptions of their formats."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

Event = tuple[int, int, int, bool]  # t in microseconds, x from the left, y from the top, on


def aedat2(path: Path, records: Iterable[tuple[int, int]], header: Sequence[str] = ()) -> Path:
    """Address and time, big-endian, after lines of text."""
    lines = "".join(f"{line}\r\n" for line in ("#!AER-DAT2.0", *header))
    path.write_bytes(lines.encode() + b"".join(struct.pack(">Ii", *record) for record in records))
    return path


def aedat3_packet(events: Sequence[Event], *, overflows: int = 0, invalid: Sequence[int] = ()) -> bytes:
    """A packet of polarity events: 28 bytes, then 8 for each event."""
    head = struct.pack("<hhiiiiii", 1, 1, 8, 4, overflows, len(events), len(events), len(events) - len(invalid))
    return head + b"".join(
        struct.pack("<Ii", x << 17 | y << 2 | on << 1 | (number not in invalid), t)
        for number, (t, x, y, on) in enumerate(events)
    )


def aedat3(path: Path, packets: Iterable[bytes], source: str = "DVS128") -> Path:
    """Packets after the header that AEDAT 3.1 asks for."""
    lines = ("#!AER-DAT3.1", "#Format: RAW", f"#Source 1: {source}", "#Start-Time: 2016-08-04 11:18:04", "#!END-HEADER")
    path.write_bytes("".join(f"{line}\r\n" for line in lines).encode() + b"".join(packets))
    return path


def nmnist(path: Path, records: Iterable[Event]) -> Path:
    """Five bytes for each event."""
    path.write_bytes(b"".join(bytes([x, y, on << 7 | t >> 16, t >> 8 & 255, t & 255]) for t, x, y, on in records))
    return path


def shd(path: Path, recordings: Sequence[tuple[Sequence[float], Sequence[int], int]]) -> Path:
    """Seconds, units and label of each recording, in the types of the published file."""
    import h5py

    with h5py.File(path, "w") as file:
        count = (len(recordings),)
        times = file.create_dataset("spikes/times", count, h5py.vlen_dtype(np.float16))
        units = file.create_dataset("spikes/units", count, h5py.vlen_dtype(np.uint16))
        for number, (seconds, channels, _) in enumerate(recordings):
            times[number], units[number] = np.array(seconds, np.float16), np.array(channels, np.uint16)
        file["labels"] = np.array([label for *_, label in recordings], np.uint16)
        file["extra/keys"] = np.array(["zero", "one", "two"], "S")
        file["extra/speaker"] = np.arange(len(recordings), dtype=np.uint16)
    return path


def dvs_gesture(
    folder: Path, recordings: dict[str, tuple[str, Sequence[tuple[int, int, int]], Sequence[bytes]]]
) -> Path:
    """The layout of DVS128 Gesture.

    Parameters
    ----------
    recordings
        Split ("train" or "test"), rows of (class, start, stop) and packets, by name of the recording.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for split in ("train", "test"):
        names = [f"{name}.aedat\n" for name, (part, *_) in recordings.items() if part == split]
        (folder / f"trials_to_{split}.txt").write_text("".join(names) + "\n")
    for name, (_, rows, packets) in recordings.items():
        table = "".join(f"{label},{start},{stop}\n" for label, start, stop in rows)
        (folder / f"{name}_labels.csv").write_text(f"class,startTime_usec,endTime_usec\n{table}")
        aedat3(folder / f"{name}.aedat", packets)
    return folder


def dvs_gesture_of_spots(folder: Path, length: int = 200_000) -> Path:
    """A small data set in that layout: for each gesture a spot that flickers at a place of its own."""
    rng = np.random.default_rng(0)
    recordings = {}
    for name, split in (("user01_led", "train"), ("user02_lab", "train"), ("user24_fluorescent", "test")):
        rows = [(label, label * length, (label + 1) * length) for label in range(1, 12)]
        packets = []
        for label, start, stop in rows:
            t = np.sort(rng.integers(start, stop, 200)).tolist()
            x, y = (10 * label + rng.integers(-3, 4, 200)).tolist(), rng.integers(40, 90, 200).tolist()
            on = (rng.random(200) < 0.5).tolist()
            packets.append(aedat3_packet(list(zip(t, x, y, on, strict=True))))
        recordings[name] = (split, rows, packets)
    return dvs_gesture(folder, recordings)
