"""Writes the tables of docs/cli.md that follow from the settings: `python -m tools.settings_tables`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tools.places import filled
from wherry.cluster.catalog import SUPERVISED
from wherry.cluster.declared import Setting
from wherry.cluster.settings import SETTINGS, environment_variable, flag_of

PAGE = Path(__file__).parents[1] / "docs" / "cli.md"
BEGIN, END = "<!-- {}: written by tools/settings_tables.py -->", "<!-- end -->"
NEVER = "never: what is stored and what runs depends on them; make another cluster"
AT_ONCE = "at once"


def with_tables(page: str) -> str:
    """The page with its tables as they should be. Raises ValueError for one without a place."""
    for name, lines in (("settings", _settings()), ("changes", _changes())):
        page = filled(page, BEGIN.format(name), END, lines)
    return page


def _settings() -> Iterator[str]:
    yield "| YAML (below `spec`) | variable | flag of `up` | default | meaning |"
    yield "| --- | --- | --- | --- | --- |"
    for attribute, setting in SETTINGS.items():
        again = " (again for more)" if setting.is_repeated else ""
        meaning = setting.help.rstrip(".") + (f" ({setting.note})" if setting.note else "")
        cells = (
            f"`{setting.field}`",
            f"`{environment_variable(attribute)}`",
            f"`{flag_of(attribute)}`{again}",
            _default(setting),
            meaning
            if meaning.split()[0].isupper() and meaning[1] != " "
            else meaning[0].lower() + meaning[1:],
        )
        yield f"| {' | '.join(cells)} |".replace("|  |", "| |")


def _default(setting: Setting) -> str:
    if setting.default_text:
        return setting.default_text
    if setting.attribute == "node_ports":
        return f"`{setting.default[0]}-{setting.default[1]}`"
    return f"`{setting.default}`" if setting.default not in ((), {}, "") else ""


def _changes() -> Iterator[str]:
    yield "| settings | when they change |"
    yield "| --- | --- |"
    found: dict[str, list[str]] = {}
    for setting in SETTINGS.values():
        found.setdefault(_when(setting), []).append(f"`{setting.field}`")
    for when, names in sorted(found.items(), key=lambda row: row[0] == NEVER):
        yield f"| {', '.join(names)} | {when} |"


def _when(setting: Setting) -> str:
    if setting.is_fixed:
        return NEVER
    again = [name for name in SUPERVISED if name in setting.read_by]
    if not again:
        return AT_ONCE
    return f"{' and '.join(again)} {'are' if len(again) > 1 else 'is'} started again"


def main() -> None:
    """Write the page."""
    PAGE.write_text(with_tables(PAGE.read_text()))


if __name__ == "__main__":
    main()
