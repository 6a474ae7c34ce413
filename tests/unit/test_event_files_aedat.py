"""AEDAT files: each version as others wrote it or as its description says, and what is wrong with bad files."""

from __future__ import annotations

import random
import struct
import sys
from pathlib import Path

import event_writers as write
import numpy as np
import pytest

from neuromorph import TraceError
from neuromorph.events import EventStream, aedat_chunks, joined, read_aedat

DV = Path(__file__).parents[1] / "data" / "aedat4"
BY_DV = ("none", "lz4", "lz4_high", "zstd", "zstd_high", "davis")


def rows(stream: EventStream) -> list[tuple[int, ...]]:
    assert stream.polarity is not None
    return list(zip(*(column.tolist() for column in (stream.t, stream.x, stream.y, stream.polarity)), strict=True))


def same(one: EventStream, other: EventStream) -> bool:
    return rows(one) == rows(other) and one.shape == other.shape and (one.start, one.stop) == (other.start, other.stop)


@pytest.mark.parametrize("name", BY_DV)
def test_aedat4_as_dv_processing_wrote_it(name: str) -> None:
    if name != "none":
        pytest.importorskip("zstandard" if name.startswith("zstd") else "lz4.frame")
    stream = read_aedat(DV / f"{name}.aedat4")
    k = np.arange(300)
    assert stream.shape == (2, 260, 346)
    assert stream.t.tolist() == (1_600_000_000_000_000 + 37 * k + k % 5).tolist()
    assert stream.x.tolist() == (7919 * k % 346).tolist()
    assert stream.y.tolist() == (104_729 * k % 260).tolist()
    assert stream.polarity is not None
    assert stream.polarity.tolist() == (k * k % 3 == 0).tolist()
    pieces = list(aedat_chunks(DV / f"{name}.aedat4", events=100))
    assert [len(piece) for piece in pieces] == ([150, 150] if name == "davis" else [100, 200])
    assert same(joined(pieces), stream)


def test_aedat4_of_a_recording_that_was_interrupted(tmp_path: Path) -> None:
    raw = (DV / "none.aedat4").read_bytes()
    table = 14 + 4 + struct.unpack_from("<I", raw, 14)[0]
    for _ in range(3):  # the table comes after the header and three packets
        table += 8 + struct.unpack_from("<i", raw, table + 4)[0]
    where = struct.pack("<q", table)
    assert raw.count(where) == 1
    raw = raw.replace(where, struct.pack("<q", -1))  # its place is entered when a recording ends
    (tmp_path / "whole.aedat4").write_bytes(raw[:table])
    assert len(read_aedat(tmp_path / "whole.aedat4")) == 300
    (tmp_path / "cut.aedat4").write_bytes(raw[: table - 1])
    pieces = aedat_chunks(tmp_path / "cut.aedat4", events=1)
    assert len(next(pieces)) == 100
    assert len(next(pieces)) == 1
    with pytest.raises(TraceError, match=r"cut\.aedat4: the file ends after .* within a packet"):
        next(pieces)


def test_aedat4_damaged_anywhere_is_one_error_or_other_events(tmp_path: Path) -> None:
    chance = random.Random(1)
    path = tmp_path / "damaged.aedat4"
    errors = []
    for name in ("none", "lz4", "zstd"):
        raw = (DV / f"{name}.aedat4").read_bytes()
        table = 14 + 4 + struct.unpack_from("<I", raw, 14)[0]
        for trial in range(60):
            damaged = bytearray(raw)
            for _ in range(chance.choice([1, 4, 20])):
                damaged[chance.randrange(14, table + 100 if trial % 2 else len(raw))] = chance.randrange(256)
            path.write_bytes(damaged[: chance.randrange(len(raw))] if trial % 4 == 0 else damaged)
            try:
                read_aedat(path)
            except TraceError as error:
                errors.append(str(error))
    assert len(errors) > 75
    assert all(error.startswith(str(path)) for error in errors)


def test_aedat4_without_events_or_with_an_unknown_compression(tmp_path: Path) -> None:
    raw = (DV / "none.aedat4").read_bytes()
    path = tmp_path / "a.aedat4"
    path.write_bytes(raw.replace(b">EVTS<", b">FRME<"))
    with pytest.raises(TraceError, match=r"no stream holds events \(EVTS\); there are \['FRME'\]"):
        read_aedat(path)
    path.write_bytes(raw.replace(b'<attr key="sizeX" type="int">346<', b'<attr key="sizeX" type="int">3x6<'))
    with pytest.raises(TraceError, match="no sizeX and sizeY"):
        read_aedat(path)


@pytest.mark.parametrize("name", ["lz4", "zstd"])
def test_a_missing_library_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, {"lz4": "lz4.frame", "zstd": "zstandard"}[name], None)
    with pytest.raises(TraceError, match=r"pip install 'neuromorph\[events\]'"):
        read_aedat(DV / f"{name}.aedat4")


def test_aedat3_packets(tmp_path: Path) -> None:
    events = [(5, 127, 0, True), (9, 0, 127, False), (9, 3, 4, True)]
    image = struct.pack("<hhiiiiii", 2, 1, 10, 4, 0, 3, 1, 1) + bytes(30)
    packets = [
        write.aedat3_packet(events),
        image,
        write.aedat3_packet([(1, 1, 2, True), (2, 1, 2, False)], invalid=[0]),
        write.aedat3_packet([(7, 6, 5, False)], overflows=1),
    ]
    path = write.aedat3(tmp_path / "a.aedat", packets)
    stream = read_aedat(path)
    assert rows(stream) == [*events, (2, 1, 2, False), ((1 << 31) + 7, 6, 5, False)]
    assert stream.shape == (2, 128, 128)
    assert (stream.start, stream.stop) == (2, (1 << 31) + 8)
    assert [len(piece) for piece in aedat_chunks(path, events=2)] == [3, 2]
    assert read_aedat(path, "DAVIS346").shape == (2, 260, 346)
    assert read_aedat(write.aedat3(tmp_path / "b.aedat", packets, "DAVIS240C")).shape == (2, 180, 240)


def test_aedat3_errors(tmp_path: Path) -> None:
    packet = write.aedat3_packet([(5, 127, 0, True), (9, 0, 127, False)])
    good = write.aedat3(tmp_path / "good.aedat", [packet, packet]).read_bytes()
    header = len(good) - 2 * len(packet)
    outside = write.aedat3_packet([(5, 128, 0, True)])
    path = tmp_path / "bad.aedat"
    for raw, message in (
        (good[:-1], f"within a packet that begins at byte {header + len(packet)} and takes {len(packet)}"),
        (good[: header + 20], f"within the header of a packet that begins at byte {header} and takes 28"),
        (good[:header] + b"\x01\x00\x01\x00\x0c" + good[header + 5 :], "no packet begins at byte .* 12 bytes an event"),
        (good[:header] + b"\x01\x00\x01\x00\x00" + good[header + 5 :], "no packet begins at byte .* 0 bytes an event"),
        (good.replace(b"#!END-HEADER\r\n", b""), "no line '#!END-HEADER'"),
        (good.replace(b"RAW", b"ZIP"), "no line '#Format: RAW'"),
        (good.replace(b"DVS128", b"camera"), "names no camera; give camera="),
        (good[:header], "holds no polarity events"),
        (good[:header] + outside, "x=128; the sensor has x from 0 to 127"),
    ):
        path.write_bytes(raw)
        with pytest.raises(TraceError, match=rf"bad\.aedat: .*{message}"):
            read_aedat(path)
    with pytest.raises(TraceError, match="camera 'eye' is not known; there are DVS128, "):
        read_aedat(tmp_path / "good.aedat", "eye")


def test_aedat2_of_dvs128(tmp_path: Path) -> None:
    header = ("# This is a raw AE data file - do not edit", "# AEChip: ch.unizh.ini.jaer.chip.retina.DVS128")
    records = [
        (100 << 8 | 20 << 1 | 0, 1000),  # y from the bottom, x from the right, 0 is on
        (1 << 15 | 5, 1001),  # external event
        (0 << 8 | 0 << 1 | 1, 2**31 - 1),
        (127 << 8 | 127 << 1 | 1, -(2**31)),  # the counter went round
        (1 << 31, -5),  # special
        (3 << 8 | 2 << 1, 7),
    ]
    path = write.aedat2(tmp_path / "a.aedat", records, header)
    expected = [(1000, 107, 27, True), (2**31 - 1, 127, 127, False), (2**31, 0, 0, False), (2**32 + 7, 125, 124, True)]
    stream = read_aedat(path)
    assert rows(stream) == expected
    assert stream.shape == (2, 128, 128)
    for events in (1, 2, 3):
        pieces = list(aedat_chunks(path, events=events))
        assert max(len(piece) for piece in pieces) <= events
        assert rows(joined(pieces)) == expected


def test_aedat2_of_davis(tmp_path: Path) -> None:
    header = ("# AEChip: eu.seebetter.ini.chips.davis.Davis346blue", "#End Of ASCII Header")
    records = [
        (259 << 22 | 345 << 12 | 1 << 11, 5),
        (1 << 31 | 7 << 22, 6),  # a sample of the image
        (1 << 22 | 1 << 10, 7),  # external event
        (140 << 22 | 0 << 12, 8),  # begins with the byte of #
    ]
    stream = read_aedat(write.aedat2(tmp_path / "a.aedat", records, header))
    assert rows(stream) == [(5, 0, 0, True), (8, 345, 119, False)]
    assert stream.shape == (2, 260, 346)
    without = write.aedat2(tmp_path / "b.aedat", [records[3], records[0]])
    assert without.read_bytes()[14:15] == b"#"
    assert rows(read_aedat(without, "DAVIS346")) == [(8, 345, 119, False), (5, 0, 0, True)]


def test_aedat2_errors(tmp_path: Path) -> None:
    path = write.aedat2(tmp_path / "bad.aedat", [(0, 1), (2, 2)])
    with pytest.raises(TraceError, match="names no camera; give camera="):
        read_aedat(path)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(TraceError, match=r"bad\.aedat: 13 bytes after the header; AEDAT 2.0 has 8 for each event"):
        read_aedat(path, "DVS128")
    with pytest.raises(TraceError, match="x=-"):
        read_aedat(write.aedat2(path, [(300 << 12, 1)]), "DAVIS240C")


def test_files_that_are_no_aedat(tmp_path: Path) -> None:
    path = tmp_path / "a.aedat"
    for raw, message in (
        (b"", "first line gives b''"),
        (b"\x89HDF\r\n", "first line gives"),
        (b"#!AER-DAT3.0\r\n", "version 3.0; AEDAT files of versions 2.0, 3.1 and 4.0 are read"),
        (b"#!AER-DAT4.0\r\n", "within the header"),
    ):
        path.write_bytes(raw)
        with pytest.raises(TraceError, match=rf"a\.aedat: .*{message}"):
            read_aedat(path)
    with pytest.raises(TraceError, match=r"cannot be opened \(No such file"):
        read_aedat(tmp_path / "none.aedat")
    with pytest.raises(TraceError, match=r"cannot be opened \(Is a directory"):
        read_aedat(tmp_path)
