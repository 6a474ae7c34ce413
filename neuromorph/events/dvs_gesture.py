"""The folder of DVS128 Gesture (Amir et al. 2017, "A low power, fully event-based gesture recognition system", CVPR).

``trials_to_train.txt`` and ``trials_to_test.txt`` name recordings (AEDAT 3.1), one a line; beside each recording
``userNN_light.aedat`` lies ``userNN_light_labels.csv`` with the columns ``class,startTime_usec,endTime_usec``.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Literal

from neuromorph.errors import TraceError
from neuromorph.events.aedat import aedat_chunks
from neuromorph.events.stream import EventStream, joined

#: What class 1, 2, ... of the label files is; labels here count from 0.
GESTURES = (
    "hand clapping",
    "right hand wave",
    "left hand wave",
    "right arm clockwise",
    "right arm counter-clockwise",
    "left arm clockwise",
    "left arm counter-clockwise",
    "arm roll",
    "air drums",
    "air guitar",
    "other gestures",
)

_COLUMNS = ["class", "startTime_usec", "endTime_usec"]


@dataclass(frozen=True)
class Gesture:
    """One gesture of a recording.

    Attributes
    ----------
    recording : Path
        The AEDAT file.
    label : int
        Index into :data:`GESTURES`.
    start, stop : int
        Microseconds on the clock of the recording.
    """

    recording: Path
    label: int
    start: int
    stop: int


def dvs_gestures(folder: str | PathLike[str], split: Literal["train", "test"]) -> tuple[Gesture, ...]:
    """The gestures of one part of the data set, in the order of its list; no recording is read.

    Raises
    ------
    TraceError
        If the folder is missing or not laid out as the data set is.
    """
    if split not in ("train", "test"):
        raise TraceError(f"dvs_gestures: split={split!r}; give 'train' or 'test'")
    listed = Path(folder) / f"trials_to_{split}.txt"
    if not listed.is_file():
        raise TraceError(
            f"{listed}: no such file; give the folder of DVS128 Gesture, which holds it with the recordings and their "
            "labels (it can be had from its authors at research.ibm.com/dvsgesture)"
        )
    names = [line.strip() for line in listed.read_text().splitlines() if line.strip()]
    if not names:
        raise TraceError(f"{listed}: names no recordings")
    return tuple(gesture for name in names for gesture in _labels(Path(folder) / name))


def read_dvs_gesture(
    folder: str | PathLike[str], split: Literal["train", "test"]
) -> Iterator[tuple[EventStream, Gesture]]:
    """Each gesture of one part of the data set with its events; the window is the gesture's.

    One recording is in memory at a time, and only up to the end of its last gesture.

    Raises
    ------
    TraceError
        As for :func:`dvs_gestures`, and if a recording is missing, damaged or ends before its gestures.
    """
    gestures = dvs_gestures(folder, split)
    for recording in dict.fromkeys(gesture.recording for gesture in gestures):
        trials = [gesture for gesture in gestures if gesture.recording == recording]
        events = _until(recording, max(trial.stop for trial in trials))
        for trial in trials:
            if trial.start >= events.stop:
                raise TraceError(
                    f"{recording}: its events end at {events.stop} us, before a gesture from {trial.start} to "
                    f"{trial.stop} us; the recording is cut off or the labels are another's"
                )
            yield events.between(trial.start, trial.stop), trial


def _until(recording: Path, stop: int) -> EventStream:
    """The events of a recording, at least up to ``stop``."""
    pieces = []
    for piece in aedat_chunks(recording):
        pieces.append(piece)
        if len(piece) and piece.stop > stop:
            break
    if not pieces:
        raise TraceError(f"{recording}: holds no polarity events")
    return joined(pieces)


def _labels(recording: Path) -> Iterator[Gesture]:
    path = recording.with_name(f"{recording.stem}_labels.csv")
    if not path.is_file():
        raise TraceError(f"{path}: no such file; every recording of DVS128 Gesture has one")
    rows = list(csv.reader(path.read_text().splitlines()))
    if not rows or [name.strip() for name in rows[0]] != _COLUMNS:
        raise TraceError(f"{path}: its first line is {rows[:1]}; it should be {','.join(_COLUMNS)}")
    for number, row in enumerate(rows[1:], 2):
        if not row:
            continue
        if len(row) != 3 or not all(cell.strip().isdigit() for cell in row):
            raise TraceError(f"{path}, line {number}: {row}; give three whole numbers", line=number)
        label, start, stop = (int(cell) for cell in row)
        if not 1 <= label <= len(GESTURES) or stop <= start:
            raise TraceError(
                f"{path}, line {number}: class {label} from {start} to {stop}; classes are 1 to {len(GESTURES)}, and "
                "the end comes after the start",
                line=number,
            )
        yield Gesture(recording, label - 1, start, stop)
