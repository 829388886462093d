"""Bringing a cluster up and down, step by step: what the command line's verbs do.

`Lifecycle` acts on one cluster of one machine. Starting is safe to repeat; a first start that fails
takes back everything it made. Stopping leaves pods running; tearing down leaves nothing running,
mounted, routed or filtered; deleting also forgets the data.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wherry.cluster import kubeconfig
from wherry.cluster.addresses import node_ip
from wherry.cluster.advice import about_files, command
from wherry.cluster.boot import BootFailure, BootUnit
from wherry.cluster.catalog import SUPERVISED, SUPERVISOR, logs_of, supervised
from wherry.cluster.cluster_config import ClusterConfig
from wherry.cluster.clusters import Machine, with_node_name
from wherry.cluster.components import ready_facts, told_settings
from wherry.cluster.config import Setup, dump_config, read_config_file, told_of
from wherry.cluster.identities import Identities, ensure_identities
from wherry.cluster.kubeconfig import UserKubeconfig
from wherry.cluster.kubeconfigs import access_of, write_kubeconfigs
from wherry.cluster.names import NodeNames
from wherry.cluster.paths import ClusterPaths, NodePaths, has_old_node
from wherry.cluster.settings import SETTINGS, Spelling
from wherry.cluster.state import States, current, follow, restart, set_watchdog, start_now
from wherry.cluster.supervisor import STOP_GRACE_S
from wherry.kit.pid_files import holder, is_held
from wherry.kit.processes import ProcessRecord
from wherry.kit.trees import remove_tree
from wherry.kit.user_files import keep_file

if TYPE_CHECKING:
    from wherry.cluster.health import ServerHealth

SIGNED_AFTER_S = 5.0
"""How long a component that was just started may take to write down its pid."""
SUPERVISOR_GRACE_S = 2 * STOP_GRACE_S + 5.0


class StartFailed(Exception):
    """The cluster did not come up; the message says why and what to do."""


class NothingMade(StartFailed):
    """Not even the data directory could be made."""


class NotReadyInTime(StartFailed):
    """The processes run, but something was not ready before the time was up."""


class EndFailed(Exception):
    """Something of the cluster could not be ended or removed; the message says what."""


@contextmanager
def _resisting() -> Iterator[None]:
    try:
        yield
    except BootFailure as error:
        raise EndFailed(str(error)) from error
    except OSError as error:
        raise EndFailed(about_files(error)) from error


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """One cluster of a machine, by its effective configuration."""

    machine: Machine
    setup: Setup
    paths: ClusterPaths
    root: Path = Path("/")
    """What stands before `/etc` and `/run` of systemd."""
    spelling: Spelling = field(default_factory=dict)
    """How the user wrote the settings they gave."""
    note: str = ""
    """What the user is to be told about the settings, in one line."""
    texts: Mapping[Path, str] = field(default_factory=dict)
    """Files the settings name that are to be written into the data directory, by their paths there."""

    @property
    def config(self) -> ClusterConfig:
        """The cluster's half of the configuration."""
        return self.setup.cluster

    @property
    def boot(self) -> BootUnit:
        """What starts the cluster when the machine boots."""
        return BootUnit(name=self.config.name, paths=self.paths, root=self.root)

    @property
    def components(self) -> tuple[str, ...]:
        """The processes the cluster is made of, in the order they are started in."""
        return supervised(has_node=not self.config.is_simulated)

    @property
    def logs(self) -> tuple[str, ...]:
        """The names of the logs its processes write."""
        return logs_of(self.components)

    @property
    def node_paths(self) -> NodePaths:
        """The paths of this machine's own node."""
        return self.paths.node(NodeNames(self.config.name, self.setup.node.name))

    def log_file(self, source: str) -> Path:
        """What a component, the supervisor or the node's containerd writes."""
        return self.node_paths.containerd_log if source == "containerd" else self.paths.log_file(source)

    def exists(self) -> bool:
        """Whether the cluster was made already."""
        return self.paths.config.exists()

    def states(self) -> States:
        """How its processes are now."""
        return current(self.paths, self.components)

    def is_running(self) -> bool:
        """Whether the supervisor or any component lives."""
        return ProcessRecord.read(self.paths.supervisor_pid) is not None or any(
            state.pid is not None for state in self.states().values()
        )

    def lost_data(self) -> Path | None:
        """The data directory of processes that run, if somebody removed it; None when all is in place.

        A node's containers run on without any of the cluster's own processes.
        """
        if self.exists():
            return None
        files = (self.paths.supervisor_pid, *(self.paths.component_pid(each) for each in SUPERVISED))
        for record in filter(None, map(ProcessRecord.read, files)):
            words = record.arguments()
            if "--data-dir" in words[:-1]:
                return self._unless_there(Path(words[words.index("--data-dir") + 1]))
        for note in self.paths.node_notes():
            return self._unless_there(Path(json.loads(note.read_text())["data"]).parents[1])
        return None

    def _unless_there(self, data: Path) -> Path | None:
        return None if (data / self.paths.config.name).exists() else data

    def is_ready(self) -> bool:
        """Whether the supervisor looks after components that are all ready."""
        states = self.states().values()
        return is_held(self.paths.supervisor_pid) and all(state.ready for state in states)

    def check_data_directory(self) -> None:
        """Raises StartFailed unless the data directory is this cluster's, empty, or not there.

        What is deleted with a cluster must have been made with it: a directory in which somebody keeps
        other things never becomes a cluster's.
        """
        data = self.paths.data
        home = self.machine.paths(self.config.name).data
        if home.resolve() != data.resolve() and (home / self.paths.config.name).exists():
            raise StartFailed(
                f"cluster {self.config.name!r} lies in {home}, not in {data}; leave --data-dir out, "
                "or give another cluster a name of its own with --name"
            )
        if data.exists() and not data.is_dir():
            raise StartFailed(f"{data} is not a directory; choose another --data-dir")
        if not data.exists() or not any(data.iterdir()):
            return
        if not self.exists():
            raise StartFailed(
                f"{data} is not empty, and what is in it is no cluster; choose an empty or new --data-dir"
            )
        found = read_config_file(self.paths.config, Setup.of()).cluster.name
        if found != self.config.name:
            raise StartFailed(
                f"{data} belongs to cluster {found!r}; choose another --data-dir, or --name {found}"
            )

    def is_old(self) -> bool:
        """Whether the cluster was made when a cluster and its node were one, and is to be converted."""
        return has_old_node(self.paths)

    def convert(self) -> None:
        """Stop the cluster, and make one of an earlier version what it would be now; its pods start again.

        Raises StartFailed for what resists.
        """
        from wherry.cluster.conversion import convert

        self.stop()
        before = with_node_name(read_config_file(self.paths.config, Setup.of()), socket.gethostname())
        try:
            with _resisting():
                convert(before, self.setup, self.paths)
        except EndFailed as error:
            raise StartFailed(f"the cluster cannot be converted: {error}") from error

    def prepare(self) -> Identities:
        """Make the directories, write the configuration, sign what is missing.

        Raises StartFailed when the data directory is not one to use.
        """
        self.check_data_directory()
        self.machine.prepare()
        self._make_directories()
        setup = with_node_name(self.setup, socket.gethostname())
        is_new = not self.exists()
        if not is_new:
            self._keep_simulation()
        keep_file(self.paths.config, dump_config(setup).encode(), mode=0o644)
        if is_new:  # a directory with anything in it but no configuration is no cluster's
            self._keep_simulation()
        self._forget_simulations()
        identities = ensure_identities(setup, self.paths, node_ip(setup.cluster), datetime.now(UTC))
        write_kubeconfigs(setup, self.paths, identities)
        return identities

    def _make_directories(self) -> None:
        home = self.machine.data_root / self.config.name
        try:
            home.parent.mkdir(parents=True, exist_ok=True)
            self.paths.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            remedy = "choose another place with --data-dir"
            if self.machine.is_users:
                remedy = "set XDG_DATA_HOME and KUBECONFIG, or HOME, to places of your own"
            raise NothingMade(f"{error.filename}: {error.strerror or error}; {remedy}") from error
        self.paths.run.mkdir(parents=True, exist_ok=True, mode=0o700)
        if home != self.paths.data and not home.exists():
            home.symlink_to(self.paths.data)

    def _keep_simulation(self) -> None:
        for path, text in self.texts.items():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            keep_file(path, text.encode(), mode=0o644)

    def _forget_simulations(self) -> None:
        """Remove the files of what was simulated before."""
        used = {Path(name).parent for name in self.config.simulation}
        if self.paths.simulation.exists():
            for entry in self.paths.simulation.iterdir():
                if entry not in used:
                    remove_tree(entry)

    def written(self) -> dict[str, Any]:
        """The settings that lie in the data directory, {} when there are none: what starts now goes by them.

        To be asked before `prepare` writes others.
        """
        found = self.machine.load(self.config.name, self.paths.data)
        return {} if found is None else told_of(found)

    def outdated(self, before: Mapping[str, Any] | None = None) -> dict[str, list[str]]:
        """The settings that running components do not go by yet, by component.

        One that is only starting, and has not said what it goes by, is taken to go by `before`, which was
        `written`; by nothing that is known when none are given.
        """
        wanted = told_of(self.setup)
        found = {}
        for component in self.components:
            told = self.told(component)
            if told is None:
                continue
            goes_by = told or before or {}
            changed = [
                setting.attribute
                for setting in SETTINGS.values()
                if component in setting.read_by and goes_by.get(setting.field) != wanted[setting.field]
            ]
            if changed:
                found[component] = changed
        return found

    def without_effect(self) -> list[str]:
        """The settings the user gave that no process of it goes by: the agent's, where there is none."""
        processes = {*self.components, SUPERVISOR}
        return [
            setting.attribute
            for setting in SETTINGS.values()
            if setting.attribute in self.spelling and processes.isdisjoint(setting.read_by)
        ]

    def going_nodes(self) -> int | None:
        """How many simulated nodes go with the settings `prepare` will write; None when nobody knows."""
        before = self.machine.load(self.config.name, self.paths.data)
        if before is None or not (before.cluster.simulated_nodes or before.cluster.simulation):
            return 0
        # Imported here: most clusters have none, and need not pay for the code.
        from wherry.cluster.simulated import going

        return going(before.cluster, self.config, self.texts)

    def told(self, component: str) -> dict[str, Any] | None:
        """The settings a component goes by, {} when it has not said; None when it does not run."""
        record = ProcessRecord.read(self.paths.component_pid(component))
        return None if record is None else told_settings(component, self.paths, record.pid) or {}

    def apply_settings(self, before: Mapping[str, Any] | None = None) -> None:
        """Have what runs go by the settings that `prepare` wrote: components it matters to start again.

        `before` as of `outdated`. Raises StartFailed when there is nobody to do it.
        """
        try:
            set_watchdog(self.paths, self.config.watchdog_seconds)
            if outdated := self.outdated(before):
                restart(self.paths, outdated)
        except (ConnectionError, TimeoutError) as error:
            raise StartFailed(
                f"the supervisor does not answer ({error}); run: {self.command('stop')}"
            ) from error

    def command(self, verb: str) -> str:
        """The command line that does `verb` to this cluster."""
        return command(verb, self.config.name)

    def start_supervisor(self) -> None:
        """Start the supervisor in the background; one that runs starts at once what it waits with."""
        if is_held(self.paths.supervisor_pid):
            with suppress(ConnectionError, TimeoutError):  # one that ends just now is seen in `wait_ready`
                start_now(self.paths)
            return
        self.paths.logs.mkdir(parents=True, exist_ok=True, mode=0o700)
        program = [sys.executable, "-m", "wherry.cluster.supervisor"]
        program += ["--name", self.config.name, "--data-dir", str(self.paths.data)]
        program += ["--run-root", str(self.machine.run_root)]
        program += ["--watchdog-seconds", str(self.config.watchdog_seconds)]
        program += ["--components", ",".join(self.components)]
        reader, writer = socket.socketpair()
        with self.paths.log_file("supervisor").open("ab") as log, reader:
            # It holds our socket's other end until it listens; then its end of file wakes us.
            subprocess.Popen(
                [*program, "--listening-fd", str(writer.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(writer.fileno(),),
                start_new_session=True,
                cwd="/",
            )
            writer.close()
            reader.settimeout(10.0)
            reader.recv(1)

    def wait_ready(self, timeout_s: float, on_state: Callable[[States], None]) -> None:
        """Return once every component is ready, telling each state on the way.

        Raises StartFailed when one gave up, NotReadyInTime after `timeout_s` seconds.
        """
        last: States = {}
        try:
            for last in follow(self.paths, timeout_s):
                on_state(last)
                for state in last.values():
                    if state.failure:
                        raise StartFailed(state.failure)
                if all(state.ready for state in last.values()):
                    return
        except TimeoutError:
            waiting = [name for name in self.components if name not in last or not last[name].ready]
            named = ", ".join(
                f"{name} ({last[name].last_exit})" if name in last and last[name].last_exit else name
                for name in waiting
            )
            raise NotReadyInTime(
                f"not ready within {timeout_s:.10g} s: {named}; see: {self.command(f'logs {waiting[0]}')}"
            ) from None
        except ConnectionError:
            pass
        raise StartFailed(f"the supervisor ended; see {self.paths.log_file('supervisor')}")

    def stop(self) -> None:
        """End the supervisor and the components; pods go on running."""
        supervisor = ProcessRecord.read(self.paths.supervisor_pid)
        if supervisor is not None:
            supervisor.terminate(SUPERVISOR_GRACE_S)
        for component in reversed(SUPERVISED):  # left behind by a supervisor that was killed
            record = holder(self.paths.component_pid(component), SIGNED_AFTER_S)
            if record is not None:
                record.terminate(STOP_GRACE_S)

    def is_down(self) -> bool:
        """Whether nothing of it runs, and nothing it made on the machine is known of."""
        return not (self.is_running() or self.paths.run.exists() or self.paths.node_notes())

    def tear_down(self) -> None:
        """Stop, then end every container and take back mounts, interfaces, routes, rules and the boot unit.

        Raises EndFailed for what resists.
        """
        self.stop()
        if (self.exists() and not self.config.is_simulated) or self.paths.node_notes():
            from wherry.cluster.teardown import detach_mounts, tear_down_nodes

            with _resisting():
                tear_down_nodes(self.setup, self.paths)
                detach_mounts(self.config.name, self.paths)
        with _resisting():
            remove_tree(self.paths.run)
            if os.geteuid() == 0:  # one of the same name may be root's, with a unit
                self.boot.remove()

    def delete(self) -> None:
        """Stop, forget keys and store, tear down, then forget all other data. Raises EndFailed.

        What is secret goes first, so that it is gone whatever resists afterwards.
        """
        self.stop()
        with _resisting():
            for secret in (
                self.paths.pki,
                self.paths.admin_kubeconfig,
                self.paths.kubeconfigs,
                self.paths.store.parent,
            ):
                remove_tree(secret)
        self.tear_down()
        home = self.machine.data_root / self.config.name
        with _resisting():
            if home.is_symlink():
                home.unlink()
            if self.paths.data.exists():
                if not self.config.is_simulated:
                    from wherry.cluster.teardown import check_deletable

                    check_deletable(self.paths.data)
                self._remove_data()

    def _remove_data(self) -> None:
        """Everything a cluster makes in its data directory, and the directory unless others use it too."""
        data = self.paths.data.resolve()
        for entry in self.paths.data_entries:
            path = data / entry.name
            if path.is_dir() and not path.is_symlink():
                remove_tree(path)
            else:
                path.unlink(missing_ok=True)
        if not any(data.iterdir()):
            data.rmdir()

    def merge_kubeconfig(self, identities: Identities, theirs: UserKubeconfig) -> None:
        """Put the context into the user's kubeconfig and make it current. Raises KubeconfigError."""
        merged = kubeconfig.merge(theirs.read(), access_of(self.setup, identities))
        noted = self.noted_kubeconfigs()
        if theirs.absolute() not in noted:  # first: what is written nowhere down nobody takes out again
            kubeconfig.write_notes(self.paths.noted_kubeconfigs, [*noted, theirs.absolute()])
        theirs.write(merged)

    def noted_kubeconfigs(self) -> list[UserKubeconfig]:
        """Into which files the context was put, whoever asks now and whatever their $KUBECONFIG says.

        Raises KubeconfigError.
        """
        return kubeconfig.read_notes(self.paths.noted_kubeconfigs)

    def forget_kubeconfig(self, theirs: UserKubeconfig) -> None:
        """Take the cluster's context out of the user's kubeconfig, if it is there. Raises KubeconfigError."""
        content = theirs.read()
        left = kubeconfig.without(content, self.config.context)
        if content and left != content:
            theirs.write(left)

    def server_health(self) -> ServerHealth:
        """What keeps the API server from being ready, and what else is amiss, by its own /readyz."""
        from wherry.cluster.health import server_health

        return server_health(self.setup, self.paths)

    def warnings(self) -> list[str]:
        """What of this machine is in pods' way and cannot be mended from here, each with its remedy."""
        if self.config.is_simulated:
            return []
        import asyncio

        from wherry.cluster.node import nodes_here
        from wherry.network.firewalls import look_for_droppers

        grounds = [node.ground for node in nodes_here(self.config.name, self.paths)]
        laid = [(ground, plan) for ground in grounds if (plan := ground.laid()) is not None]
        found = (asyncio.run(look_for_droppers(ground.network(plan))) for ground, plan in laid)
        return [warning for warnings in found for warning in warnings]

    def facts(self, component: str) -> dict[str, object]:
        """What a running, ready component told about itself."""
        record = ProcessRecord.read(self.paths.component_pid(component))
        return (record and ready_facts(component, self.paths, record.pid)) or {}


def open_lifecycle(
    machine: Machine,
    setup: Setup,
    data_dir: Path | None = None,
    spelling: Spelling | None = None,
    note: str = "",
    texts: Mapping[Path, str] | None = None,
) -> Lifecycle:
    """The lifecycle of the cluster `setup` describes."""
    named = with_node_name(setup, socket.gethostname())
    paths = machine.paths(setup.cluster.name, data_dir)
    return Lifecycle(machine, named, paths, spelling=spelling or {}, note=note, texts=texts or {})
