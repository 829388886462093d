"""`wherry start`: bring a cluster back that was stopped, killed or lost to a reboot."""

from __future__ import annotations

from wherry.cli.options import DataDir, Name, Wait
from wherry.cli.selection import require_existing, select
from wherry.cli.terminal import Steps, say
from wherry.cli.up import bring_up, say_boot, when_interrupted


def start(
    name: Name = None,
    data_dir: DataDir = None,
    wait: Wait = 60.0,
) -> None:
    """Start a stopped cluster; its pods are found again.

    Example:

      wherry start --name dev
    """
    with when_interrupted("nothing was changed"):
        lifecycle = select(name, data_dir)
        require_existing(lifecycle)
    brought = bring_up(lifecycle, wait, Steps())
    say(f"Cluster {lifecycle.config.name} {brought}: {lifecycle.config.server_url}")
    say_boot(lifecycle, is_new=False)
