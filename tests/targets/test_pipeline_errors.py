"""What users get wrong about pipelines of their networks: one error that says what was found and what to do."""

from __future__ import annotations

import resource
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pipeline_networks import chain, one_lane
from strategies import DT

from neuromorph import Hz, MappingError, TargetError
from neuromorph.mapping.pipeline import Budget, Parallel, Pipeline
from neuromorph.mapping.pipeline.timeline import trace_events, write_csv, write_trace


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"interval": "100"}, "interval is '100'; it must be a whole number of at least 1"),
        ({"interval": 99.5}, r"interval is 99\.5; it must be a whole number"),
        ({"interval": True}, "interval is True; it must be a whole number"),
        ({"rate": 1e9}, "rate is 1000000000.0; .* at most the 425,000,000 cycles that vck190 has"),
        ({"rate": float("nan")}, "rate is nan; it must be a number of steps a second"),
        ({"rate": 1000 * Hz}, "rate is 1000.* Hz; it must be a number of steps a second"),
        ({"budget": {"luts": 3}}, r"budget is {'luts': 3}; give a Budget\(luts=\.\.\., dsps=\.\.\.\)"),
        ({"parallel": [1]}, r"parallel is \[1\]; give a mapping from each operator to a Parallel"),
        ({"depths": 4}, "depths is 4; give a mapping from each FIFO to a depth in tokens"),
        ({"depths": {"to1.sums": 2.5}}, r"depth of FIFO to1\.sums is 2\.5; it must be a whole number of at least 1"),
        ({"depths": {"to1.sums": 0}}, r"depth of FIFO to1\.sums is 0"),
    ],
)
def test_options_that_cannot_be_are_refused_when_the_target_is_made(options: dict[str, Any], said: str) -> None:
    with pytest.raises(TargetError, match=said):
        Pipeline(**options)


@pytest.mark.parametrize("board", [7, None, "VCK190", "./my.toml"])
def test_a_board_that_there_is_not(board: Any) -> None:
    with pytest.raises(MappingError, match=f"no board {board!r}; there is vck190, zcu102, or a Path to a file"):
        Pipeline(board)


@pytest.mark.parametrize("given", [4, (1, 4, 1), Parallel(1, 2.0, 1)])  # type: ignore[arg-type]
def test_parallelism_in_other_words(given: Any) -> None:
    with pytest.raises(MappingError, match=r"operator 'to1': .*(give Parallel\(tokens, inputs, outputs\)|must divide)"):
        Pipeline(parallel={"to1": given}).map(chain(6, 8), DT)


def test_what_is_asked_for_beyond_what_can_be() -> None:
    with pytest.raises(MappingError, match=r"the loop .*layer1.* needs (\d+); ask for that") as told:
        Pipeline(interval=2).map(chain(6, 8, recurrent=1), DT)
    needed = int(str(told.value).split(" needs ")[1].split(";")[0])
    plan = Pipeline(interval=needed).map(chain(6, 8, recurrent=1), DT)
    assert plan.interval == needed
    for budget, said in ((Budget(multipliers=0), "multipliers, and the budget 0"), (Budget(luts=300), "LUTs of 300")):
        with pytest.raises(MappingError, match=said):
            Pipeline(budget=budget).map(chain(6, 8), DT)
    assert repr(plan).startswith("<Plan of chain on vck190: ")


def test_no_machine_file_where_a_path_leads(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match=r"no machine file .*mine\.toml"):
        Pipeline(tmp_path / "mine.toml")
    (tmp_path / "mine.toml").write_text("[device]\nluts = 3\n")
    with pytest.raises(MappingError, match=r"device\.luts = 3 must be written"):
        Pipeline(tmp_path / "mine.toml")


def test_numpy_numbers_are_numbers() -> None:
    options: dict[str, Any] = {"interval": np.int64(60), "depths": {"to1.sums": np.int64(5)}}
    target = Pipeline(**options)
    plan = target.map(chain(6, 8), DT)
    assert plan.graph.fifo["to1.sums"].depth == 5
    assert plan.interval <= 60


def test_timelines_are_written_whole_or_not_at_all(tmp_path: Path) -> None:
    timing = Pipeline(parallel=one_lane(chain(4, 3))).map(chain(4, 3), DT).timing
    write_csv(timing, tmp_path / "kept.csv")
    before = (tmp_path / "kept.csv").read_bytes()
    assert before.splitlines()[0].split(b",")[0] == b"block"
    limit, ignored = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, limit[1]))
        with pytest.raises(MappingError, match=r"kept\.csv: cannot be written \(File too large\)"):
            write_csv(timing, tmp_path / "kept.csv", "stage")
        with pytest.raises(MappingError, match=r"new\.json: cannot be written"):
            write_trace(trace_events(timing), tmp_path / "new.json")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, ignored)
    assert [path.name for path in tmp_path.iterdir()] == ["kept.csv"]
    assert (tmp_path / "kept.csv").read_bytes() == before
    with pytest.raises(MappingError, match="cannot be written"):
        write_trace({}, tmp_path / "kept.csv" / "below.json")
