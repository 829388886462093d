"""What a package's maintainer scripts would have done, for packages that are no use without it.

A recipe adds entries and defaults to an image; packages without one are taken as they are shipped.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from wherry.images.debian import PackageFiles
from wherry.images.oci import Entry

MERGED = ("bin", "lib", "lib64", "sbin")
"""Directories that are links into /usr, as on every present Debian."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Entries to add, and what the image runs unless it was told."""

    entries: Mapping[str, Entry] = field(default_factory=dict)
    cmd: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()
    stop_signal: str = ""


def busybox(files: PackageFiles) -> Recipe:
    """A link for every applet, asked of the program itself."""
    program = next(files.root / path.lstrip("/") for path in files.paths if path.endswith("/bin/busybox"))
    listed = subprocess.run([str(program), "--list"], capture_output=True, text=True, check=True)
    applets = set(listed.stdout.split()) - {"busybox"}
    links = {f"usr/bin/{applet}": Entry(mode=0o777, target="/bin/busybox") for applet in applets}
    return Recipe(links, cmd=("sh",))


def nginx(_: PackageFiles) -> Recipe:
    """The default site, enabled; its pages where people mount theirs; logs on standard output and error."""
    return Recipe(
        {
            "etc/nginx/sites-enabled/default": Entry(mode=0o777, target="/etc/nginx/sites-available/default"),
            "var/www/html": Entry(mode=0o777, target="/usr/share/nginx/html"),
            "var/log/nginx/access.log": Entry(mode=0o777, target="/dev/stdout"),
            "var/log/nginx/error.log": Entry(mode=0o777, target="/dev/stderr"),
            "run": Entry(),
        },
        cmd=("nginx", "-g", "daemon off;"),
        ports=("80/tcp",),
        stop_signal="SIGQUIT",
    )


RECIPES: Mapping[str, Callable[[PackageFiles], Recipe]] = {"busybox-static": busybox, "nginx-common": nginx}


def recipe_of(files: PackageFiles) -> Recipe | None:
    """The recipe of a package, None when it needs none."""
    make = RECIPES.get(files.package)
    return make(files) if make is not None else None


def base_entries() -> dict[str, Entry]:
    """What every image has: merged /usr, the accounts root, www-data and nobody, scratch space."""
    accounts = (
        "root:x:0:0:root:/root:/bin/sh\n"
        "www-data:x:33:33:www-data:/var/www:/bin/false\n"
        "nobody:x:65534:65534:nobody:/nonexistent:/bin/false\n"
    )
    group = "root:x:0:\nadm:x:4:\nwww-data:x:33:\nnogroup:x:65534:\n"
    merged = {name: Entry(mode=0o777, target=f"usr/{name}") for name in MERGED}
    return {
        **merged,
        **{f"usr/{name}": Entry() for name in MERGED},
        "etc/passwd": Entry(mode=0o644, data=accounts.encode()),
        "etc/group": Entry(mode=0o644, data=group.encode()),
        "root": Entry(mode=0o700),
        "tmp": Entry(mode=0o1777),
        "var/tmp": Entry(mode=0o1777),
    }


def directory_entries(source: Path, target: str) -> dict[str, Entry]:
    """A file, or a directory with all below it, at `target` in the image."""
    place = target.strip("/")
    if source.is_symlink():
        return {place: Entry(mode=0o777, target=str(source.readlink()))}
    if source.is_file():
        return {place: Entry(mode=source.stat().st_mode & 0o7777, source=source)}
    entries = {place: Entry(mode=source.stat().st_mode & 0o7777)} if place else {}
    for child in sorted(source.iterdir()):
        entries.update(directory_entries(child, f"{place}/{child.name}"))
    return entries
