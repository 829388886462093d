"""Every example of docs/testing.md runs, as it stands there, and so does the README's test."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # each runs a pytest of its own
pytest_plugins = ["pytester"]

TOP = Path(__file__).parents[2]
TEXT = "".join((TOP / page).read_text() for page in ("README.md", "docs/testing.md"))
BLOCKS = dict(re.findall(r"^```python title=(\S+)\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE))
EXPECTED = {
    "readme": 1,
    "first": 2,
    "async": 1,
    "session": 2,
    "autoscaling": 1,
    "time": 2,
    "month": 1,
    "month_of_jobs": 1,
    "forks": 3,
    "files": 1,
    "operator": 1,
    "reconciler": 1,
    "sweep": 1,
}


def test_every_block_has_a_name() -> None:
    assert TEXT.count("```python") == len(BLOCKS)
    assert {name for name in BLOCKS if name.startswith("test_")} == {f"test_{name}.py" for name in EXPECTED}


@pytest.mark.parametrize(("name", "tests"), EXPECTED.items())
def test_an_example(pytester: pytest.Pytester, name: str, tests: int) -> None:
    for file, text in BLOCKS.items():
        if not file.startswith("test_"):
            pytester.path.joinpath(file).write_text(text)
    pytester.path.joinpath(f"test_{name}.py").write_text(BLOCKS[f"test_{name}.py"])
    pytester.runpytest_subprocess("-p", "no:cacheprovider", "-q").assert_outcomes(passed=tests)
