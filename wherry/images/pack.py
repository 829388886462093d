"""Making an image from Debian packages and files, without a registry and without a build engine.

One layer, the same bytes for the same input. What later sources give replaces what earlier ones
gave: first what every image has, then packages in their order, then files.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from wherry.images.debian import PackageError, PackageFiles, collect
from wherry.images.names import is_image_name
from wherry.images.oci import Entry, ImageConfig, UnsupportedMachine, write_image
from wherry.images.recipes import MERGED, Recipe, base_entries, directory_entries, recipe_of

SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class PackFailed(Exception):
    """The image cannot be made; the text says why and what to do."""


def pack_image(
    output: Path,
    name: str,
    *,
    packages: Iterable[str] = (),
    files: Sequence[tuple[Path, str]] = (),
    entrypoint: Sequence[str] | None = None,
    cmd: Sequence[str] | None = None,
    env: Sequence[str] = (),
    user: str = "",
    workdir: str = "",
    ports: Sequence[str] = (),
) -> str:
    """Write the archive `output` of an image `name`; the digest of its manifest.

    `files` are (source, absolute target) pairs, `env` is NAME=VALUE. A name without a tag gets
    `latest`. What the image runs is taken from the first package with a recipe unless it is given.
    Raises PackFailed.
    """
    variables = {"PATH": SEARCH_PATH, **_variables(env)}
    with tempfile.TemporaryDirectory(prefix="wherry-pack-") as scratch:
        try:
            reference = full_name(name)
            if not is_image_name(reference):
                raise PackFailed(f"{name[:80]!a} is no image name; use for example example.com/app:1")
            collected = collect(packages, Path(scratch))
            entries, recipes = _entries(collected, files)
            config = ImageConfig(
                entrypoint=tuple(entrypoint or ()),
                cmd=tuple(cmd or _first(recipe.cmd for recipe in recipes)),
                env=variables,
                user=user,
                workdir=workdir,
                ports=(*ports, *(port for recipe in recipes for port in recipe.ports)),
                stop_signal=next((r.stop_signal for r in recipes if r.stop_signal), ""),
            )
            return write_image(output, reference, entries, config)
        except (PackageError, UnsupportedMachine) as error:
            raise PackFailed(str(error)) from error
        except OSError as error:
            raise PackFailed(f"{error.filename or output}: {error.strerror or error}") from error


def full_name(name: str) -> str:
    """The name with registry, repository and tag spelled out, as containerd keeps it."""
    path, _, tag = name.rpartition(":") if ":" in name.rsplit("/", 1)[-1] else (name, "", "latest")
    first, slash, _ = path.partition("/")
    if not slash:
        path = f"docker.io/library/{path}"
    elif "." not in first and ":" not in first and first != "localhost":
        path = f"docker.io/{path}"
    return f"{path}:{tag}"


def _entries(
    collected: Sequence[PackageFiles], files: Sequence[tuple[Path, str]]
) -> tuple[dict[str, Entry], list[Recipe]]:
    entries = base_entries()
    recipes = []
    for package in collected:
        entries.update(_package_entries(package))
    for package in collected:
        recipe = recipe_of(package)
        if recipe is not None:
            recipes.append(recipe)
            # A package that brings the real program is not hidden by another's link to it.
            entries.update({path: entry for path, entry in recipe.entries.items() if path not in entries})
    for source, target in files:
        if not target.startswith("/") or ".." in target.split("/"):
            raise PackFailed(f"--file {source}:{target}: the target must be an absolute path without '..'")
        given = {merged_path(path): entry for path, entry in directory_entries(source, target).items()}
        # /bin and its like stay links into /usr, also where a whole root directory is given.
        entries.update({path: entry for path, entry in given.items() if path not in MERGED})
    return entries, recipes


def _package_entries(package: PackageFiles) -> dict[str, Entry]:
    entries = {}
    for path in package.paths:
        source = package.root / path.lstrip("/")
        place = merged_path(path)
        if place in MERGED:
            continue
        if source.is_symlink():
            entries[place] = Entry(mode=0o777, target=str(source.readlink()))
        elif source.is_dir():
            entries[place] = Entry(mode=source.stat().st_mode & 0o7777)
        elif source.is_file():
            entries[place] = Entry(mode=source.stat().st_mode & 0o7777, source=source)
    return entries


def merged_path(path: str) -> str:
    """Where a package's file lies in an image, whose /bin, /sbin and /lib are links into /usr."""
    place = path.strip("/")
    return f"usr/{place}" if place.split("/")[0] in MERGED and "/" in place else place


def _variables(env: Sequence[str]) -> Mapping[str, str]:
    variables = {}
    for item in env:
        name, equals, value = item.partition("=")
        if not equals or not name:
            raise PackFailed(f"--env {item}: give NAME=VALUE")
        variables[name] = value
    return variables


def _first(commands: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return next((command for command in commands if command), ())
