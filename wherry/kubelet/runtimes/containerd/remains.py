"""What killed processes leave on the machine, and its removal: shim sockets, directories.

Only things below the directories given, or made for the socket given, are touched.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from wherry.kit.trees import remove_tree

SHIM_SOCKETS = Path("/run/containerd/s")
"""Where shims listen; built into containerd 1.x."""


def shim_sockets(state: Path) -> list[Path]:
    """The sockets of shims, as the bundles below containerd's state directory name them."""
    addresses = state.glob("io.containerd.runtime.v2.task/*/*/address")
    found = (Path(file.read_text().strip().removeprefix("unix://")) for file in addresses)
    return [socket for socket in found if socket.is_relative_to(SHIM_SOCKETS)]


def remove_trees(directories: Iterable[Path]) -> None:
    """Remove directories with everything in them; missing ones are fine. Raises OSError."""
    for directory in directories:
        remove_tree(directory)
