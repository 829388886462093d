"""The directory of programs that envtest finds its control plane in."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

import wherry
from wherry.testing.envtest import etcd
from wherry.testing.envtest.flags import HELP

PROGRAMS = {"kube-apiserver": HELP, "etcd": etcd.HELP}


def write_assets(directory: Path | None = None) -> Path:
    """Write the programs, and return where they are (below the user's cache unless told otherwise).

    Raises OSError.
    """
    place = directory or _cache() / "envtest" / wherry.__version__
    place.mkdir(parents=True, exist_ok=True)
    for name, text in PROGRAMS.items():
        module = f"wherry.testing.envtest.{name.replace('-', '_')}"
        _write(place / name, _script(module, text))
    kubectl = shutil.which("kubectl")
    target = place / "kubectl"
    if kubectl and not target.exists():
        _link(target, kubectl)
    return place


def _script(module: str, text: str) -> str:
    """A program that answers `--help` at once (envtest asks before each start) and else becomes Python."""
    python = shlex.quote(sys.executable)
    return (
        "#!/bin/sh\n"
        f"if [ \"$*\" = --help ]; then cat <<'END'\n{text}END\nexit 0\nfi\n"
        # -P: a suite runs in the tested package's directory, whose modules are none of ours.
        f'exec {python} -P -m {module} "$@"\n'
    )


def _write(path: Path, content: str) -> None:
    if path.exists() and path.read_text() == content:
        return
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(content)
    temporary.chmod(0o755)
    temporary.replace(path)  # another suite may be starting it right now


def _link(path: Path, target: str) -> None:
    """Make or replace a link in one step: the old one may lead nowhere, and another suite may do the same."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    temporary.replace(path)


def _cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(home) if home else Path.home() / ".cache") / "wherry"
