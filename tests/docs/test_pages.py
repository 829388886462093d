"""The pages hold together: links lead somewhere, the index has all, what they quote and call is there."""

from __future__ import annotations

import importlib
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer.main

import wherry
from tests.docs.simulated import COMMAND
from wherry.cli.commands import app
from wherry.cluster.catalog import COMPONENTS

TOP = Path(__file__).parents[2]
PAGES = [TOP / "README.md", *sorted((TOP / "docs").glob("*.md"))]
CODE = "\n".join(path.read_text() for path in Path(wherry.__file__).parent.rglob("*.py"))
TROUBLE = (TOP / "docs" / "troubleshooting.md").read_text()
GROUP: Any = typer.main.get_command(app)
FENCES = re.compile(r"```(?:sh)?\n(.*?)```|((?:^    .*\n)+)", re.S | re.M)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_the_index_has_every_page() -> None:
    index = (TOP / "docs" / "README.md").read_text()
    listed = set(re.findall(r"^\| \[([\w.-]+)\]", index, re.M))
    assert listed == {page.name for page in PAGES if page.parent.name == "docs"} - {"README.md"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_nodes_have_the_names_that_up_gives_them(page: Path) -> None:
    text = page.read_text()
    if COMMAND.search(text):
        typed = re.sub(r"^```python.*?^```", "", text, flags=re.S | re.M)
        assert not re.findall(r"\bnode-\d+", typed), "wherry up makes hollow-0, hollow-1 and so on"


def test_targets_of_make_are_there() -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (TOP / "Makefile").read_text(), re.M))
    for page in PAGES:
        told = re.findall(r"(?:`|^    |^)make ([a-z-]+)", page.read_text(), re.M)
        assert set(told) <= targets, page.name


def symptoms() -> list[str]:
    """What the first columns of the troubleshooting page quote."""
    rows = [line.split("|")[1] for line in TROUBLE.splitlines() if line.startswith("| ")]
    return [quoted for cell in rows for quoted in re.findall(r"`([^`]+)`", cell)]


@pytest.mark.parametrize("symptom", symptoms())
def test_symptoms_are_what_the_code_says(symptom: str) -> None:
    counted = {"restarted 3 times, last: killed by SIGKILL": "restarted {times} time"}
    statuses = {"Pending", "wherry status", "latest", "Insufficient cpu", "forbidden: violates PodSecurity"}
    text = counted.get(symptom, symptom)
    assert text in CODE or symptom in statuses, f"nothing says {symptom!r} any more"


def flags_alone(command: str) -> set[str]:
    """The flags of a component that reads its command line itself; none for any other command."""
    for component in COMPONENTS:
        if component.name == command and component.upstream:
            return {flag.name for flag in importlib.import_module(component.module).FLAGS}
    return set()


def is_command(text: str) -> bool:
    """Whether it is a whole command, not a pattern for some."""
    return text.startswith("wherry ") and not any(sign in text for sign in ("$(", "...", "COMMAND"))


def commands() -> list[tuple[str, list[str]]]:
    """Every `wherry ...` the pages tell readers to type: page and words."""
    found = []
    for page in PAGES:
        if page.name in ("faults.md", "performance.md", "contributing.md"):
            continue
        text = page.read_text()
        blocks = [a or b for a, b in FENCES.findall(text)]
        lines = [line.strip() for block in blocks for line in block.splitlines()]
        lines += re.findall(r"`(?:sudo )?(wherry [^`]+)`", text)
        for line in lines:
            parts = [part.strip() for part in line.partition(" # ")[0].split(";")]
            found += [(page.name, re.sub(r"[\[\]]", "", part)) for part in parts if is_command(part)]
    return [(page, shlex.split(part)[1:]) for page, part in dict.fromkeys(found)]


@pytest.mark.parametrize(("page", "words"), commands(), ids=lambda value: str(value)[:60])
def test_commands_that_are_told_are_there(page: str, words: list[str]) -> None:
    command, rest = GROUP, words
    while rest and hasattr(command, "commands"):
        if rest[0].startswith("-"):
            break
        assert rest[0] in command.commands, f"{page}: wherry {' '.join(words)}"
        command, rest = command.commands[rest[0]], rest[1:]
    if command.name == "kubectl":
        return
    options = {name for parameter in command.params for name in parameter.opts} | {"--help", "-h"}
    options |= {f"--{flag}" for flag in flags_alone(words[0])}
    given = {word.partition("=")[0] for word in rest if word.startswith("-")}
    assert given <= options, f"{page}: wherry {' '.join(words)}"
