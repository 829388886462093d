"""`wherry start`: bring a cluster back that was stopped, killed or lost to a reboot."""

from __future__ import annotations

from typing import Annotated

import typer

from wherry.cli.options import DataDir, Name, select_existing
from wherry.cli.terminal import Steps, say
from wherry.cli.up import bring_up, start_at_boot


def start(
    name: Name = "default",
    data_dir: DataDir = None,
    wait: Annotated[float, typer.Option(help="Seconds to wait for the node to be Ready.")] = 60.0,
) -> None:
    """Start a cluster that exists; running pods are found again, not restarted.

    Example:

      wherry start --name dev
    """
    lifecycle = select_existing(name, data_dir)
    bring_up(lifecycle, wait, Steps())
    say(f"Cluster {name} is up: {lifecycle.config.server_url}")
    say(f"  At boot     {start_at_boot(lifecycle)}")
