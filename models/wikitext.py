"""WikiText-2, word by word: the corpus that most papers on recurrent language models report.

Words are what stands between blanks; every line ends with ``<eos>``. The 33,278 words are numbered in the order in
which they first occur in the training text; the other two texts have no word of their own.
"""

from __future__ import annotations

import lzma
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

_DATA = Path(__file__).parent / "data" / "wikitext2"

#: Marks the end of a line.
END = "<eos>"

Part = Literal["train", "valid", "test"]


def text(part: Part) -> str:
    """The text of ``"train"``, ``"valid"`` or ``"test"`` (CC BY-SA 3.0, see the data's README)."""
    return lzma.decompress((_DATA / f"{part}.txt.xz").read_bytes()).decode()


@cache
def vocabulary() -> tuple[str, ...]:
    """The 33,278 words; a word's place is its number."""
    return tuple(_numbers())


@cache
def tokens(part: Part) -> npt.NDArray[np.int32]:
    """The numbers of the words of one text, in order: 2,088,628, 217,646 or 245,569 of them. Not writable."""
    if part == "train":
        return _train()[1]
    numbers = _numbers()
    return _frozen([numbers[word] for word in _words(text(part))])


def encode(words: str) -> npt.NDArray[np.int32]:
    """Numbers of the words of a text; a word that the vocabulary lacks becomes ``<unk>``.

    Lines end with ``<eos>``; a text without a final line break has an open last line.
    """
    numbers = _numbers()
    unknown = numbers["<unk>"]
    return np.array([numbers.get(word, unknown) for word in _words(words)], np.int32)


def decode(ids: npt.ArrayLike) -> str:
    """The words of some numbers, with blanks between."""
    words = vocabulary()
    return " ".join(words[i] for i in np.asarray(ids).ravel())


@cache
def _train() -> tuple[dict[str, int], npt.NDArray[np.int32]]:
    words = _words(text("train"))
    numbers = {word: number for number, word in enumerate(dict.fromkeys(words))}
    return numbers, _frozen([numbers[word] for word in words])


def _numbers() -> dict[str, int]:
    return _train()[0]


def _words(text: str) -> list[str]:
    return text.replace("\n", f" {END} ").split()


def _frozen(numbers: list[int]) -> npt.NDArray[np.int32]:
    ids = np.array(numbers, np.int32)
    ids.flags.writeable = False
    return ids
