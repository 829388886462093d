"""The files of Debian packages, for putting into an image: from this machine, or from the archive.

An installed package's files are taken as they lie here; another is downloaded and unpacked into a
scratch directory, never installed, so none of its programs is started. Of its dependencies those
that are libraries or of the same source come along; what only maintainer scripts need does not.
apt's tools take a good part of a second to start, so each is asked about many packages at once.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

LEFT_OUT = (
    "/etc/apt/",
    "/etc/default/",
    "/etc/init.d/",
    "/etc/logrotate.d/",
    "/etc/systemd/",
    "/etc/ufw/",
    "/lib/systemd/",
    "/usr/lib/systemd/",
    "/usr/lib/x86_64-linux-gnu/gconv/",
    "/usr/lib/aarch64-linux-gnu/gconv/",
    "/usr/share/apport/",
    "/usr/share/bash-completion/",
    "/usr/share/bug/",
    "/usr/share/doc",
    "/usr/share/info/",
    "/usr/share/lintian/",
    "/usr/share/locale/",
    "/usr/share/man/",
    "/usr/share/vim/",
)
"""Parts of packages that no container misses."""


class PackageError(Exception):
    """A package cannot be had; the text names it and the remedy."""


@dataclass(frozen=True, slots=True)
class PackageFiles:
    """What one package ships: absolute paths in the image, and the root they are found below."""

    package: str
    root: Path
    paths: Sequence[str]


@dataclass(frozen=True, slots=True)
class Record:
    """What apt says of a package, as far as it matters here."""

    package: str
    source: str
    section: str
    depends: tuple[str, ...]

    @property
    def is_library(self) -> bool:
        """Whether it is there for others' programs to be linked with."""
        return self.section.rpartition("/")[2] == "libs"


def collect(packages: Iterable[str], scratch: Path) -> list[PackageFiles]:
    """The files of `packages` and of the dependencies an image needs; downloads go to `scratch`.

    Raises PackageError.
    """
    names = closure(packages)
    installed = _installed(names)
    roots = _download([name for name in names if name not in installed], scratch)
    return [_unpacked(name, roots[name]) if name in roots else _from_machine(name) for name in names]


def closure(packages: Iterable[str]) -> list[str]:
    """`packages`, each followed by what it needs of libraries or of the same source."""
    records: dict[str, Record] = {}
    wanted: dict[str, Record] = {}
    level = list(dict.fromkeys(packages))
    asked = set(level)
    rank = {name: index for index, name in enumerate(level)}
    while level:
        records |= {record.package: record for record in _records(level, asked)}
        wanted |= {name: records[name] for name in level}
        needed = {name: wanted[by] for by in level for name in wanted[by].depends if name not in wanted}
        unknown = [name for name in needed if name not in records]
        records |= {record.package: record for record in _records(unknown, set())}
        level = [name for name, by in needed.items() if name in records and _belongs(records[name], by)]
        rank |= {name: rank[needed[name].package] for name in level}
    return sorted(wanted, key=lambda name: rank[name])


def parse_records(text: str) -> Iterator[Record]:
    """The records in what `apt-cache show` prints; of alternative dependencies the first."""
    for stanza in text.strip().split("\n\n"):
        fields: dict[str, str] = dict(re.findall(r"^([A-Za-z-]+): (.*)$", stanza, flags=re.MULTILINE))
        if "Package" not in fields:
            continue
        clauses = f"{fields.get('Pre-Depends', '')},{fields.get('Depends', '')}".split(",")
        names = [clause.split("|")[0].split("(")[0].split(":")[0].strip() for clause in clauses]
        yield Record(
            package=fields["Package"],
            source=fields.get("Source", fields["Package"]).split()[0],
            section=fields.get("Section", ""),
            depends=tuple(dict.fromkeys(name for name in names if name)),
        )


def is_wanted(path: str) -> bool:
    """Whether a path of a package belongs into an image."""
    return not path.startswith(LEFT_OUT)


def _belongs(dependency: Record, dependent: Record) -> bool:
    if dependency.is_library:
        return True
    return not dependent.is_library and dependency.source == dependent.source


def _records(packages: Sequence[str], required: set[str]) -> list[Record]:
    """What apt knows of `packages`; virtual ones are passed over unless they are `required`."""
    if not packages:
        return []
    done = _run(["apt-cache", "show", "--no-all-versions", *packages])
    found = list(parse_records(done.stdout))
    missing = sorted(required.intersection(packages) - {record.package for record in found})
    if missing:
        raise PackageError(
            f"package {missing[0]!r} is unknown; check its name, or refresh apt's lists: apt-get update"
        )
    return found


def _installed(packages: Sequence[str]) -> set[str]:
    query = ["dpkg-query", "--show", "--showformat=${Package} ${db:Status-Status}\n", *packages]
    lines = [line.split() for line in _run(query).stdout.splitlines()]
    return {name for name, *status in lines if status == ["installed"]}


def _from_machine(package: str) -> PackageFiles:
    listed = _run(["dpkg-query", "--listfiles", package]).stdout.splitlines()
    paths = [path for path in listed if path.startswith("/") and path != "/."]
    return PackageFiles(package, Path("/"), [path for path in paths if is_wanted(path)])


def _unpacked(package: str, root: Path) -> PackageFiles:
    found = sorted(f"/{path.relative_to(root)}" for path in root.rglob("*"))
    return PackageFiles(package, root, [path for path in found if is_wanted(path)])


def _download(packages: Sequence[str], scratch: Path) -> dict[str, Path]:
    """Fetch and unpack; the directory each package's files lie below."""
    if not packages:
        return {}
    # apt's download user may not enter a private directory: without the sandbox it only warns.
    command = ["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", *packages]
    done = _run(command, cwd=scratch)
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise PackageError(f"cannot download {', '.join(packages)}; run: apt-get update ({said})")
    roots = {}
    for archive in sorted(scratch.glob("*.deb")):
        package = archive.name.split("_")[0]
        roots[package] = scratch / package
        if _run(["dpkg-deb", "--extract", str(archive), str(roots[package])]).returncode != 0:
            raise PackageError(f"{archive.name} is damaged; try again")
    return roots


def _run(command: Sequence[str], cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)
    except FileNotFoundError:
        raise PackageError(
            f"{command[0]} is not installed; packing packages needs a Debian machine, or use --file"
        ) from None
