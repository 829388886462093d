"""`wherry status`: how the cluster and its processes are, once or as it changes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

import wherry
from wherry.cli.failures import NOT_READY, NOT_RUNNING
from wherry.cli.options import DataDir, Name, Output, check_output
from wherry.cli.selection import select_existing
from wherry.cli.terminal import human_bytes, print_json, say, tell
from wherry.cluster.advice import command
from wherry.cluster.catalog import APISERVER, SUPERVISOR, component_called
from wherry.cluster.cluster_config import ClusterConfig
from wherry.cluster.components import PermanentError
from wherry.cluster.lifecycle import Lifecycle
from wherry.cluster.state import States, follow
from wherry.cluster.values import SIMULATED
from wherry.kit.pid_files import is_held
from wherry.kit.processes import ProcessRecord

SHOWN_OF_THE_PAST = 60
"""So many characters are shown of why a process ended that is ready again."""
LOOK_EVERY_S = 1.0
"""How often a cluster that is stopped is looked at: its directory may be gone, so nothing tells."""


def status(
    name: Name = None,
    data_dir: DataDir = None,
    output: Output = "text",
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Show every change until Ctrl-C.")] = False,
) -> None:
    """Show the cluster's address, version and processes.

    Exits with 3 if it does not run, with 4 if it is not ready.

    Examples:

      wherry status

      wherry status -o json

      wherry status --watch
    """
    as_json = check_output(output)
    lifecycle = select_existing(name, data_dir)
    if watch:
        _watch(lifecycle, as_json)
        return
    facts = describe(lifecycle)
    _show(facts, as_json)
    if not facts["running"]:
        raise typer.Exit(NOT_RUNNING)
    if not facts["ready"]:
        raise typer.Exit(NOT_READY)


def describe(lifecycle: Lifecycle, states: States | None = None) -> dict[str, Any]:
    """What `status -o json` prints."""
    found = lifecycle.states() if states is None else states
    components = []
    warnings: list[str] = []
    supervisor = ProcessRecord.read(lifecycle.paths.supervisor_pid)
    if supervisor is not None or any(state.pid for state in found.values()):
        components.append(_component(SUPERVISOR, supervisor.pid if supervisor else None, True))
    for state in found.values():
        told = lifecycle.facts(state.name)
        component = _component(state.name, state.pid, state.ready or bool(told))
        component["restarts"] = state.restarts
        if state.failure or state.last_exit:
            component["lastExit"] = state.failure or state.last_exit
        if state.last_exit_at is not None:
            component["lastExitAt"] = datetime.fromtimestamp(state.last_exit_at, UTC).isoformat(
                timespec="seconds"
            )
        if state.restart_in_s is not None:
            component["restartInSeconds"] = round(state.restart_in_s, 1)
        if APISERVER in component_called(state.name).runs and component["ready"]:
            health = lifecycle.server_health()
            component["failingChecks"] = health.failing
            component["ready"] = not health.failing
            warnings += health.warnings
        components.append(component)
        for child, pid in (_children(told) if state.pid else {}).items():
            components.append(_component(child, pid, True))
    main = [component for component in components if component["name"] in found]
    is_running, is_ready = any(one["pid"] for one in main), all(one["ready"] for one in main)
    return {
        "name": lifecycle.config.name,
        "state": _word(lifecycle, is_running=is_running, is_ready=is_ready),
        "dataDir": str(lifecycle.paths.data),
        "server": lifecycle.config.server_url,
        "version": wherry.__version__,
        "node": "" if lifecycle.config.is_simulated else lifecycle.setup.node.name,
        "runtime": lifecycle.config.runtime,
        "simulatedNodes": simulated_nodes(lifecycle.config),
        "simulation": list(lifecycle.config.simulation),
        "running": is_running,
        "ready": is_ready,
        "components": components,
        "warnings": warnings + (lifecycle.warnings() if supervisor is not None else []),
    }


def _word(lifecycle: Lifecycle, *, is_running: bool, is_ready: bool) -> str:
    """The state in a word or two: of a cluster that is stopped pods may run on, of one that is down none."""
    if is_running:
        return "ready" if is_ready else "not ready"
    return "stopped" if lifecycle.paths.run.exists() else "down"


def _component(name: str, pid: int | None, ready: bool) -> dict[str, Any]:
    record = ProcessRecord.of(pid) if pid else None
    return {
        "name": name,
        "pid": pid,
        "ready": ready and record is not None,
        "residentBytes": record.resident_bytes() if record else 0,
    }


def _children(told: dict[str, object]) -> dict[str, int]:
    children = told.get("processes")
    return {str(name): int(pid) for name, pid in children.items()} if isinstance(children, dict) else {}


def _watch(lifecycle: Lifecycle, as_json: bool) -> None:
    """Show every change until Ctrl-C, or until the cluster is deleted or nobody reads."""
    with suppress(KeyboardInterrupt):
        while lifecycle.exists():
            with suppress(ConnectionError):
                for states in follow(lifecycle.paths, None):
                    if not _show(describe(lifecycle, states), as_json):
                        return
            # Nobody supervises it: it was stopped, or ends just now.
            if not _show(describe(lifecycle), as_json):
                return
            while lifecycle.exists() and not is_held(lifecycle.paths.supervisor_pid):
                time.sleep(LOOK_EVERY_S)
        tell(f"Cluster {lifecycle.config.name} is deleted; there is nothing to watch any more.")


def _show(facts: dict[str, Any], as_json: bool) -> bool:
    """Whether somebody reads it."""
    if as_json:
        return print_json(facts)
    say(f"Cluster {facts['name']} is {'running, ' if facts['state'] == 'not ready' else ''}{facts['state']}.")
    say(f"  API server  {facts['server']}")
    if facts["node"]:
        say(f"  Node        {facts['node']}")
    if facts["runtime"] == SIMULATED or facts["simulatedNodes"] or facts["simulation"]:
        say(f"  Simulated   {_simulated(facts)}")
    say(f"  Data        {facts['dataDir']}")
    is_read = say(f"  Version     {facts['version']}")
    for component in facts["components"]:
        extra = "".join(f", {remark}" for remark in _remarks(component))
        if component["name"] == SUPERVISOR and not component["pid"]:
            extra = f"; nobody starts the rest again: {command('start', facts['name'])}"
        is_read = say(f"  {component['name']:<11} {_state(component)}{extra}")
    for warning in facts["warnings"]:
        is_read = say(f"  Warning     {warning}")
    if not facts["running"]:
        is_read = say(f"Start it with: {command('start', facts['name'])}")
    return is_read


def simulated_nodes(config: ClusterConfig) -> int | None:
    """How many simulated nodes are asked for, also by files; None when these cannot be read any more."""
    if not config.simulation:
        return config.simulated_nodes
    # Imported here: few clusters have such files.
    from wherry.cluster.simulated import count_of

    try:
        return count_of(config)
    except PermanentError:
        return None


def _simulated(facts: dict[str, Any]) -> str:
    count, files = facts["simulatedNodes"], facts["simulation"]
    nodes = "1 node" if count == 1 else f"{count or 'no'} nodes"
    if count is None:
        nodes = "as many nodes as its files say, which cannot be read"
    return f"{nodes}; {', '.join(files)}" if files else nodes


def _state(component: dict[str, Any]) -> str:
    if not component["pid"]:
        return "stopped"
    state = "ready" if component["ready"] else "not ready"
    return f"pid {component['pid']}, {state}, {human_bytes(component['residentBytes'])}"


def _remarks(component: dict[str, Any]) -> Iterator[str]:
    if component.get("failingChecks"):
        yield f"failing: {', '.join(component['failingChecks'])}"
    if component.get("lastExit"):
        ended = component["lastExit"]
        if component["ready"] and len(ended) > SHOWN_OF_THE_PAST:  # all of it is in its log, and in JSON
            ended = f"{ended[:SHOWN_OF_THE_PAST].rpartition(' ')[0] or ended[:SHOWN_OF_THE_PAST]} ..."
        if "lastExitAt" in component:
            at = datetime.fromisoformat(component["lastExitAt"]).astimezone()
            ended += f" at {at:%Y-%m-%d %H:%M:%S}"
        times = component.get("restarts", 0)
        again = (
            f"restarted {times} time{'' if times == 1 else 's'}, last: " if component["pid"] and times else ""
        )
        yield again + ended
    if "restartInSeconds" in component:
        yield f"again in {component['restartInSeconds']:.0f} s"
