"""The code in the documentation runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCS = sorted((Path(__file__).resolve().parents[2] / "docs").glob("*.md"))


@pytest.mark.parametrize("page", DOCS, ids=lambda path: path.name)
def test_code_blocks_run_in_order(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(), re.S)
    assert blocks
    names: dict[str, object] = {"__name__": "docs"}
    for number, block in enumerate(blocks):
        exec(compile(block, f"{page.name}, block {number}", "exec"), names)


def test_surrogates_are_those_of_the_table() -> None:
    import torch

    from neuromorph import train

    chapter = (DOCS[0].parent / "training.md").read_text().split("## Gradients")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `((\w+)\(.*?\))`.*?\| `(.*?)` \|", chapter, re.M)
    offered = {name for name in train.__all__ if hasattr(getattr(train, name), "derivative")} - {"Surrogate"}
    assert {name for _, name, _ in rows} == offered
    v = torch.linspace(-2.5, 2.5, 41, dtype=torch.float64)
    functions = {"sigmoid": torch.sigmoid, "exp": torch.exp, "pi": torch.pi, "max": lambda low, x: x.clamp(min=low)}
    for text, name, formula in rows:
        surrogate = eval(text, vars(train).copy())
        assert surrogate == getattr(train, name)(), "the defaults of the table"
        expected = eval(formula, functions | vars(surrogate), {"v": v})
        torch.testing.assert_close(surrogate.derivative(v), torch.as_tensor(expected, dtype=v.dtype).expand_as(v))


def test_training_names_what_there_is() -> None:
    from neuromorph import train

    table = re.search(r"## Recipes\n(.*?)```", (DOCS[0].parent / "training.md").read_text(), re.S)
    assert table
    used = {name for code in re.findall(r"`(.+?)`", table[1]) for name in re.findall(r"(?<![\w.\"])[A-Za-z]\w+", code)}
    assert used - {"module", "lambda", "bits", "state", "train", "DataLoader"} <= set(train.__all__)
