"""`wherry server` and `wherry agent`: the cluster's processes in the foreground."""

from __future__ import annotations

import os
import sys

from wherry.cli.failures import Failure
from wherry.cli.options import DataDir, Name, RuntimeConfig
from wherry.cli.selection import refuse_simulated, require_existing, select
from wherry.cluster.catalog import AGENT, SERVER
from wherry.cluster.components import TUNING, command_of
from wherry.cluster.lifecycle import Lifecycle
from wherry.kit.pid_files import holder, is_held


def server(name: Name = None, data_dir: DataDir = None, runtime_config: RuntimeConfig = None) -> None:
    """Run the cluster's server in the foreground.

    That is API server, controllers and scheduler; normally `up` starts them.

    Example:

      wherry server --name dev
    """
    _become(SERVER, select(name, data_dir, flags={"runtime_config": runtime_config}))


def agent(name: Name = None, data_dir: DataDir = None) -> None:
    """Run the cluster's agent in the foreground.

    That is kubelet and proxy; normally `up` starts them.

    Example:

      wherry agent --name dev
    """
    _become(AGENT, select(name, data_dir))


def _become(component: str, lifecycle: Lifecycle) -> None:
    require_existing(lifecycle)
    if component not in lifecycle.components:
        refuse_simulated(lifecycle, component)
    if lifecycle.is_old():
        called = lifecycle.config.name
        raise Failure(f"cluster {called!r} was made by an earlier version; run: {lifecycle.command('up')}")
    lifecycle.prepare()
    pid_file = lifecycle.paths.component_pid(component)
    if is_held(pid_file):
        name, other = lifecycle.config.name, holder(pid_file, wait_s=5.0)
        raise Failure(
            f"the {component} of cluster {name!r} runs already (pid {other.pid if other else 'unknown'}); "
            f"end it with: {lifecycle.command('stop')}"
        )
    command = command_of(component, lifecycle.config.name, lifecycle.paths)
    os.execve(sys.executable, command, {**os.environ, **TUNING})  # noqa: S606 - becomes it, no shell
