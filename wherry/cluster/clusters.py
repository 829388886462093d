"""The clusters of this machine: which there are, and the settings of one by name.

Every cluster leaves its effective configuration in its data directory. One whose data lies
elsewhere (`--data-dir`) is found through a link below the data root, so that later commands need
only the name.
"""

from __future__ import annotations

import os
import pwd
import re
import stat
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wherry.cluster import ranges
from wherry.cluster.config import (
    ConfigError,
    ConfigFile,
    Setup,
    check_together,
    load_config_file,
    read_config_file,
    set_values,
)
from wherry.cluster.names import NodeNames, OldNames
from wherry.cluster.paths import RUN_ROOT, ClusterPaths, has_old_node
from wherry.cluster.ranges import Choice
from wherry.cluster.settings import ENVIRONMENT, FLAGS, SETTINGS, Source, Spelling, from_environment, spell
from wherry.cluster.values import CONTAINERD, LONGEST_NODE_NAME, SIMULATED, name_of
from wherry.kit.ports import why_not_bindable
from wherry.network.routes import Route, read_routes


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where clusters live on this machine."""

    data_root: Path
    run_root: Path = RUN_ROOT
    is_users: bool = False
    """Whether its clusters are those of a user without root."""
    routes: Callable[[], Sequence[Route]] = read_routes
    """Which networks the machine reaches."""

    def paths(self, name: str, data_dir: Path | None = None) -> ClusterPaths:
        """The paths of the cluster `name`, following the link of one that lives elsewhere."""
        home = self.data_root / name
        if data_dir is None and home.is_symlink():
            data_dir = home.resolve()
        return ClusterPaths.of(name, data_dir or home, self.run_root)

    def prepare(self) -> None:
        """Have the run directory there, of a user's clusters private. Raises ConfigError."""
        if not self.is_users:
            return
        with suppress(FileExistsError):
            self.run_root.mkdir(mode=0o700)
        found = self.run_root.lstat()  # somebody else may have made it first: /tmp is everybody's
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
            raise ConfigError(
                f"{self.run_root} is not yours alone; remove it, or set XDG_RUNTIME_DIR to one that is"
            )

    def names(self) -> list[str]:
        """Every cluster that was made and not deleted, by name; those too that we may not look into."""
        if not is_there(self.data_root):
            return []
        return sorted(entry.name for entry in self.data_root.iterdir() if _may_be_cluster(entry))

    def load(self, name: str, data_dir: Path | None = None) -> Setup | None:
        """The configuration a cluster was made with, None when there is no such cluster.

        Raises PermissionError for somebody else's, ConfigError for one that cannot be read.
        """
        path = self.paths(name, data_dir).config
        return read_config_file(path, Setup.of(name)) if is_there(path) else None

    def owner(self, name: str) -> str:
        """The user whose cluster `name` is, or whose all clusters are where we may not even look."""
        try:
            uid = (self.data_root / name).lstat().st_uid
        except PermissionError:
            uid = self.data_root.lstat().st_uid
        try:
            return pwd.getpwuid(uid).pw_name
        except KeyError:
            return str(uid)

    def others(self, name: str) -> list[Setup]:
        """The configurations of all other clusters that can be read."""
        found = []
        for other in self.names():
            try:
                setup = self.load(other) if other != name else None
            except (
                PermissionError,
                ConfigError,
            ):  # it is theirs, or broken: what it takes shows when it runs
                continue
            if setup is not None:
                found.append(setup)
        return found

    def taken(self, name: str) -> ranges.Taken:
        """What a cluster `name` cannot have: others' settings, and the machine's networks but for its own."""
        own = (NodeNames(name, "").bridge.rpartition("-")[0] + "-", OldNames(name, "").bridge)
        routes = [route for route in self.routes() if not route[0].startswith(own)]
        return ranges.Taken(self.others(name), routes)


def _may_be_cluster(entry: Path) -> bool:
    try:
        return is_there(entry / "cluster.yaml")
    except PermissionError:
        return True


def is_there(path: Path) -> bool:
    """Raises PermissionError where we may not look (`Path.exists` does so in some versions of Python)."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


@dataclass(frozen=True, slots=True)
class Asked:
    """The name of the cluster that is meant, and how it was given; by nobody if `spelled` is empty."""

    name: str = "default"
    spelled: str = ""


def asked_name(flag: str | None, environ: Mapping[str, str], file: ConfigFile | None = None) -> Asked:
    """Which cluster is meant: by `--name`, else WHERRY_NAME, else the file's metadata.name, else `default`.

    Raises ConfigError for what is no name, and where a file is about another cluster.
    """
    given = [(flag, FLAGS), (environ.get("WHERRY_NAME") or None, ENVIRONMENT)]
    if file is not None:
        given.append((file.name, file.source))
    asked = [
        Asked(_checked_name(name, source), source.spell("name")) for name, source in given if name is not None
    ]
    if not asked:
        return Asked()
    if file is not None and file.name is not None and asked[0].name != asked[-1].name:
        raise ConfigError(
            f"{asked[-1].spelled} is {asked[-1].name!r}, but {asked[0].spelled} says {asked[0].name!r}; "
            "make them the same, or leave one out"
        )
    return asked[0]


def _checked_name(name: Any, source: Source) -> str:
    try:
        return name_of(name)
    except ValueError as error:
        raise ConfigError(f"{source.spell('name')}: {error}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The settings of a cluster after all sources were laid over each other, and how the user wrote them.

    `note` is what the user is to be told about them, in one line, "" if nothing. `texts` are the files the
    settings name that are to be written, by their paths in the cluster's directory.
    """

    setup: Setup
    spelling: Spelling = field(default_factory=dict)
    note: str = ""
    texts: Mapping[Path, str] = field(default_factory=dict)


def effective_config(
    machine: Machine,
    name: str | None,
    *,
    data_dir: Path | None = None,
    config_file: Path | None = None,
    environ: Mapping[str, str],
    flags: Mapping[str, Any],
    runtime: str = CONTAINERD,
) -> Wanted:
    """The settings of the cluster that is meant; `name` is what `--name` says, None without it.

    An existing cluster keeps what it was made with as its base; a new one gets the first defaults
    that collide with no other cluster, and `runtime` if nobody says another. Raises ConfigError.
    """
    file = load_config_file(config_file) if config_file is not None else None
    asked = asked_name(name, environ, file)
    stored = machine.load(asked.name, data_dir)
    if stored is not None and stored.cluster.name != asked.name:
        found = stored.cluster.name
        raise ConfigError(
            f"{data_dir} belongs to cluster {found!r}; choose another --data-dir, or --name {found}"
        )
    spelling: dict[str, str] = {}
    layers = [(from_environment(environ), ENVIRONMENT), (flags, FLAGS)]
    if file is not None:
        layers.insert(0, (file.values, file.source))
    given = [values["runtime"] for values, _ in layers if values.get("runtime") is not None]
    note = ""
    if stored is None:
        choice = free_defaults(machine, asked.name, [runtime, *given][-1])
        setup, note = choice.setup, choice.note
    elif has_old_node(machine.paths(asked.name, data_dir)):
        asks = any(values.get("pod_cidr") for values, _ in layers)
        setup = stored if asks else ranges.widened(stored, machine.taken(asked.name))
        note = ranges.conversion_note(stored, setup)
        stored = setup
    else:
        setup = stored
    for values, source in layers:
        setup = set_values(setup, values, source)
        spelling |= {name: source.spell(name) for name, value in values.items() if value is not None}
    paths = machine.paths(asked.name, data_dir)
    setup, texts = _with_simulation(setup, paths, spelling, is_new=stored is None)
    check_together(setup, spelling)
    if stored is not None:
        _refuse_what_is_fixed(stored, setup, spelling)
    if stored is None and "pod_cidr" in spelling:
        note = ""
    return Wanted(setup=setup, spelling=spelling, note=note, texts=texts)


def _with_simulation(
    setup: Setup, paths: ClusterPaths, spelling: Spelling, *, is_new: bool
) -> tuple[Setup, Mapping[Path, str]]:
    """`setup` with the files of its simulation as the cluster keeps them, and how many nodes that makes.

    When nobody says how many, 0 leaves it to the template of files that are given now. Also gives the texts
    to keep. Raises ConfigError for files that cannot be read, or say something else.
    """
    wanted, names_nodes = setup.cluster, False
    texts: Mapping[Path, str] = {}
    if wanted.simulation:
        # Imported here: few clusters have such files.
        from wherry.cluster.simulated import REMEDY, SEVERAL, take_in
        from wherry.hollow.files import StageError

        is_given = "simulation" in spelling
        try:
            taken = take_in(wanted, paths)
        except StageError as error:
            remedy = "" if is_given else f"; {REMEDY}"
            raise ConfigError(f"{spell(spelling, 'simulation')}: {error}{remedy}") from None
        if taken.simulation.more and "simulated_nodes" in spelling and wanted.simulated_nodes:
            raise ConfigError(f"{spell(spelling, 'simulated_nodes')}: {SEVERAL}")
        names_nodes = is_given and taken.simulation.names_nodes
        setup, texts = setup.having({"simulation": taken.names}), taken.texts
    if "simulated_nodes" in spelling:
        return setup, texts
    count = 1 if is_new and wanted.is_simulated else wanted.simulated_nodes
    return setup.having({"simulated_nodes": 0 if names_nodes else count}), texts


def free_defaults(machine: Machine, name: str, runtime: str = CONTAINERD) -> Choice:
    """The first defaults that collide with no other cluster of the machine, nor with its networks.

    A simulated one need not care for others' addresses, but others' clusters cannot all be looked into: a
    port that is in use is passed over.
    """

    def is_usable(setup: Setup) -> bool:
        return runtime != SIMULATED or not why_not_bindable(setup.cluster.api_host, setup.cluster.api_port)

    return ranges.free_defaults(name, machine.taken(name), runtime, is_usable)


def _refuse_what_is_fixed(stored: Setup, wanted: Setup, spelling: Spelling) -> None:
    for attribute, setting in SETTINGS.items():
        before, after = stored.value(attribute), wanted.value(attribute)
        if setting.is_fixed and before != after:
            name = stored.cluster.name
            raise ConfigError(
                f"{spell(spelling, attribute)} {after!r}: cluster {name!r} was made with {before!r}, "
                "which cannot change; leave it out, or make another cluster beside it: "
                "wherry up --name ANOTHER"
            )


def with_node_name(setup: Setup, hostname: str) -> Setup:
    """`setup` with the node called after the machine when the user gave it no name."""
    return setup if setup.node.name else setup.having({"node_name": node_name_of(hostname)})


def node_name_of(hostname: str) -> str:
    """A legal node name near the machine's: `My_Host.lan` gives `my-host`, no name at all gives `node`."""
    if hostname == "(none)":  # what the kernel says before anybody named it
        return "node"
    legal = re.sub(r"[^a-z0-9]+", "-", hostname.split(".")[0].lower())[:LONGEST_NODE_NAME].strip("-")
    return legal or "node"
