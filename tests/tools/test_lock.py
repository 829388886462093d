"""The locked files hold what pyproject.toml asks for, each by its hash."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

TOP = Path(__file__).parents[2]
LOCKED = re.compile(
    r"^(?P<requirement>[A-Za-z0-9][^\\\n]*) \\\n(?P<hashes>(?:    --hash=sha256:[0-9a-f]{64}.*\n)+)", re.M
)


def locked(name: str) -> dict[str, list[str]]:
    """Distribution -> versions in `requirements/<name>.txt`; several where Python's version decides."""
    text = (TOP / "requirements" / f"{name}.txt").read_text()
    versions: dict[str, list[str]] = {}
    for match in LOCKED.finditer(text):
        requirement = Requirement(match["requirement"])
        versions.setdefault(canonicalize_name(requirement.name), []).append(str(requirement.specifier)[2:])
    assert len(LOCKED.findall(text)) == len(re.findall(r"^[A-Za-z0-9]", text, re.M)), "a line without a hash"
    return versions


def project() -> tuple[list[str], list[str]]:
    """What running needs, and what development needs on top."""
    facts = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]
    return facts["dependencies"], facts["optional-dependencies"]["dev"]


@pytest.mark.parametrize(("name", "kind"), [("run", 0), ("dev", 0), ("dev", 1)])
def test_what_is_asked_for_is_locked(name: str, kind: int) -> None:
    versions = locked(name)
    for text in project()[kind]:
        wanted = Requirement(text)
        found = versions.get(canonicalize_name(wanted.name))
        assert found, f"{wanted.name} is not in requirements/{name}.txt; run: make lock"
        assert all(wanted.specifier.contains(version) for version in found), (
            f"{text}: {found}; run: make lock"
        )


def test_development_runs_on_what_users_run_on() -> None:
    development = locked("dev")
    assert {name: development[name] for name in locked("run")} == locked("run")


@pytest.mark.parametrize("name", ["install", "clients"])
def test_the_other_locked_files(name: str) -> None:
    versions = locked(name)
    for line in (TOP / "requirements" / f"{name}.in").read_text().splitlines():
        if not line.startswith("#"):
            wanted = Requirement(line)
            assert all(map(wanted.specifier.contains, versions[canonicalize_name(wanted.name)]))
