"""`wherry server` and `wherry agent`: the cluster's processes in the foreground."""

from __future__ import annotations

import os
import sys

from wherry.cli.options import DataDir, Name, select_existing
from wherry.cluster.components import command_of
from wherry.cluster.lifecycle import Lifecycle


def server(name: Name = "default", data_dir: DataDir = None) -> None:
    """Run API server, controllers and scheduler in the foreground (normally `up` starts them).

    Example:

      wherry server --name dev
    """
    _become("server", select_existing(name, data_dir))


def agent(name: Name = "default", data_dir: DataDir = None) -> None:
    """Run kubelet and proxy in the foreground (normally `up` starts them).

    Example:

      wherry agent --name dev
    """
    _become("agent", select_existing(name, data_dir))


def _become(component: str, lifecycle: Lifecycle) -> None:
    lifecycle.prepare()
    command = command_of(component, lifecycle.config.name, lifecycle.paths)
    os.execv(sys.executable, command)  # noqa: S606 - becomes the component, no shell
