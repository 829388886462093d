"""A setting, declared once: as the metadata of the field that holds its value (`setting`).

From there come its field in a file, its variable, its flag, its help, how it is checked, and the tables of
docs/cli.md (`python -m tools.settings_tables`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

SETTING = "setting"
"""Key of a field's metadata."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting: its attribute among all settings, its field in a file, and how a value is read.

    `read_by` names the processes that go by it. A change reaches `server` and `agent` when they are started
    again (pods go on running), the supervisor when it is told. With `is_fixed` a cluster keeps for good what
    it was made with, since objects, addresses or containers depend on it. `help` is one sentence for both the
    flag and the page; `note` and `default_text` (what stands for the default) are for the page alone. `flag`
    is the flag where it is not the attribute's name. `of_node` is the attribute of `NodeConfig` that holds
    it, "" for one of `ClusterConfig`.
    """

    field: str
    parse: Callable[[Any], Any]
    read_by: tuple[str, ...]
    help: str
    default: Any
    attribute: str = ""
    is_fixed: bool = False
    flag: str = ""
    note: str = ""
    default_text: str = ""
    of_node: str = ""
    is_repeated: bool = False
    """Whether the flag may be given again, for more."""


def setting(
    default: Any,
    name: str,
    parse: Callable[[Any], Any],
    read_by: tuple[str, ...],
    help: str,  # noqa: A002 - what click and argparse call it
    **more: Any,
) -> Any:
    """The field of a dataclass that holds a setting called `name` in files; `more` is as in `Setting`."""
    declared = Setting(field=name, parse=parse, read_by=read_by, help=help, default=default, **more)
    metadata = {SETTING: declared}
    if isinstance(default, Mapping):
        return field(default_factory=lambda: dict(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def settings_of(kind: type[Any], *, is_node: bool = False) -> Iterator[Setting]:
    """The settings a dataclass declares, in its order."""
    for one in fields(kind):
        declared: Setting | None = one.metadata.get(SETTING)
        if declared is not None:
            attribute = declared.attribute or one.name
            yield replace(declared, attribute=attribute, of_node=one.name if is_node else "")
