"""What a benchmark prints, and what is made of it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from devtools import benching
from devtools.benching import BenchError, Result, Row


def test_only_what_can_be_run_is_a_benchmark(tmp_path: Path) -> None:
    """Support files beside the benchmarks are not offered by name."""
    (tmp_path / "engine.py").write_text("if __name__ == '__main__':\n    main()\n")
    (tmp_path / "machine.py").write_text("CORES = 2\n")
    (tmp_path / "_own.py").write_text("if __name__ == '__main__':\n    main()\n")
    assert benching.bench_names(tmp_path) == ["engine"]
    assert benching.bench_names(tmp_path / "absent") == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "12",
        '{"bench": "engine", "rows": []}',
        '{"bench": "engine", "machine": {}, "rows": {}}',
        '{"bench": "engine", "machine": {}, "rows": []}\n{"bench": "engine"}',
        '{"bench": "engine", "machine": {}, "rows": [{"name": "x"}]}',
        '{"bench": "engine", "machine": {}, "rows": [], "colour": "red"}',
    ],
)
def test_anything_but_the_one_object_is_refused(text: str) -> None:
    """A benchmark that prints something else fails, and the message names it."""
    with pytest.raises(BenchError, match="engine"):
        benching.parse_result("engine", text)


def test_all_benchmarks_make_one_object() -> None:
    """Rows of several benchmarks stay apart by the name in front."""
    row = Row(name="warm", value=1.5, unit="ms", ratio=3.0, ratio_to="lstat loop")
    one = Result(bench="engine", machine={"cores": 2}, rows=(row,))
    merged = benching.merge({"engine": one, "drift": one})
    assert [found.name for found in merged.rows] == ["engine/warm", "drift/warm"]
    assert merged.machine == {"cores": 2}
    again = benching.parse_result("all", msgspec.json.encode(merged).decode())
    assert again == merged


@pytest.mark.parametrize("arguments", [["no-such-bench"], ["a", "b"], ["--peers"]])
def test_a_wrong_name_is_a_usage_error(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """It names the benchmarks that there are, and prints nothing that looks like a result."""
    assert benching.run_benches(arguments) == 2
    said = capsys.readouterr()
    assert not said.out
    assert "the benchmarks are" in said.err
