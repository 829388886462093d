"""Whose clusters are meant: root's, which are the machine's, or those of the user who asks.

A user without root keeps clusters in `$XDG_DATA_HOME/wherry` and sockets in `$XDG_RUNTIME_DIR/wherry`, or,
where there is no such directory, in `/tmp/wherry-UID` (XDG Base Directory Specification). Such clusters are
simulated: nothing but their processes concerns the machine.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path

from wherry.cluster.clusters import Machine
from wherry.cluster.paths import DATA_ROOT, RUN_ROOT
from wherry.cluster.values import CONTAINERD, SIMULATED


def system_machine(environ: Mapping[str, str]) -> Machine:
    """Where root's clusters live; WHERRY_DATA_ROOT and WHERRY_RUN_ROOT move the roots (tests do)."""
    return Machine(
        data_root=Path(environ.get("WHERRY_DATA_ROOT") or DATA_ROOT),
        run_root=Path(environ.get("WHERRY_RUN_ROOT") or RUN_ROOT),
    )


def machine_of(name: str, environ: Mapping[str, str]) -> Machine:
    """Where the cluster `name` lives, or would.

    Who is not root has their own clusters; a name that only root has used means root's.
    """
    system = system_machine(environ)
    if os.geteuid() == 0:
        return system
    own = own_machine(environ, name)
    return system if name in system.names() and name not in own.names() else own


def all_machines(environ: Mapping[str, str]) -> list[Machine]:
    """Wherever clusters are that somebody may ask for: their own first."""
    if os.geteuid() == 0:
        return [system_machine(environ)]
    return [own_machine(environ), system_machine(environ)]


def own_machine(environ: Mapping[str, str], name: str = "") -> Machine:
    """Where clusters of a user without root live.

    A session may have a runtime directory that another (cron's, say) has not: where the cluster `name` runs
    already decides.
    """
    home = Path(environ.get("HOME") or Path.home())
    data = Path(environ.get("XDG_DATA_HOME") or home / ".local" / "share") / "wherry"
    uid = os.geteuid()
    fallback = Path(f"/tmp/wherry-{uid}")  # noqa: S108 - its owner and mode are checked (`Machine.prepare`)
    session = Path(environ.get("XDG_RUNTIME_DIR") or f"/run/user/{uid}")
    roots = [session / "wherry", fallback] if _is_ours(session) else [fallback]
    used = [root for root in roots if name and _is_ours(root) and _is_ours(root / name)]
    return Machine(data_root=data, run_root=(used or roots)[0], is_users=True)


def _is_ours(directory: Path) -> bool:
    try:
        found = directory.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()


def default_runtime() -> tuple[str, str]:
    """What a new cluster's pods run in when nobody said, and why it is not containers."""
    if os.geteuid() != 0:
        return SIMULATED, "you are not root"
    missing = [program for program in ("containerd", "runc") if shutil.which(program) is None]
    return (SIMULATED, f"{' and '.join(missing)} not found") if missing else (CONTAINERD, "")
