"""Packages as pip leaves them: modules and a dist-info directory on the path."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from wherry.controllers.installed import installed_controllers
from wherry.scheduler.installed import installed_plugins


@contextmanager
def installed(place: Path, pyproject: str, **modules: str) -> Iterator[None]:
    """For the block a package is installed in `place`; the modules are called as no other is."""
    project = tomllib.loads(pyproject)["project"]
    for name, text in modules.items():
        place.joinpath(f"{name}.py").write_text(text)
    info = place / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    info.joinpath("METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    points = [
        line
        for group, named in project["entry-points"].items()
        for line in (f"[{group}]", *(f"{name} = {at}" for name, at in named.items()))
    ]
    info.joinpath("entry_points.txt").write_text("\n".join(points) + "\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(place))
        for read in (installed_plugins, installed_controllers):
            read.cache_clear()
        try:
            yield
        finally:
            for name in modules:
                sys.modules.pop(name, None)
            for read in (installed_plugins, installed_controllers):
                read.cache_clear()
