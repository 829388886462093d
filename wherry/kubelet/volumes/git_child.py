"""Runs git for a gitRepo volume, as nobody, where it sees the volume and can harm little else.

    python -m wherry.kubelet.volumes.git_child DIRECTORY SUBDIRECTORY GIT-ARGUMENT...

What git reads comes from strangers. So it has no privileges and gets none; in a mount namespace of its own
the volume is at `/mnt`; it may use so much memory, time and so large files; it ends with its parent; it reads
no configuration, runs no hooks and filters of the repository, fetches no submodules, asks nobody for
passwords and speaks http and git with others, never a local path or a command (upstream's ran hooks of a
submodule as root, CVE-2024-10220).
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from pathlib import Path

from wherry.kit.mounts import MS_BIND, MS_REC, mount

PROTOCOLS = ("https", "http", "git")
NOBODY = 65534
PLACE = Path("/mnt")
LIMITS = (
    (resource.RLIMIT_AS, 4 << 30),
    (resource.RLIMIT_CPU, 100),
    (resource.RLIMIT_FSIZE, 4 << 30),
    (resource.RLIMIT_NOFILE, 1024),
    (resource.RLIMIT_NPROC, 512),
    (resource.RLIMIT_CORE, 0),
)
SETTINGS = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.symlinks=true",
    "protocol.allow=never",
    *(f"protocol.{protocol}.allow=always" for protocol in PROTOCOLS),
    "submodule.recurse=false",
    "fetch.recurseSubmodules=false",
    "credential.helper=",
    "gc.auto=0",
    "advice.detachedHead=false",
)
_NEWNS, _SLAVE = 0x00020000, 1 << 19
_PDEATHSIG, _NO_NEW_PRIVS = 1, 38


def environment() -> dict[str, str]:
    """All git is told beside its arguments."""
    return {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/nonexistent",
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TEMPLATE_DIR": "",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "/bin/false",
        "GIT_ALLOW_PROTOCOL": ":".join(PROTOCOLS),
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_LFS_SKIP_SMUDGE": "1",
    }


def main(arguments: list[str]) -> None:
    """Become git. Raises OSError."""
    directory, sub, *git = arguments
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if libc.unshare(_NEWNS) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), "a mount namespace")
    mount("none", Path("/"), "", _SLAVE | MS_REC)
    mount(directory, PLACE, "", MS_BIND)
    os.chdir(PLACE)
    for what, most in LIMITS:
        resource.setrlimit(what, (most, most))
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    libc.prctl(_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # a change of user takes it back
    libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
    if sub:
        os.chdir(sub)
    settings = [word for one in SETTINGS for word in ("-c", one)]
    os.execvpe("git", ["git", *settings, *git], environment())  # noqa: S606 - becomes it, no shell


if __name__ == "__main__":
    main(sys.argv[1:])
