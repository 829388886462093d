"""Test clusters need a Unix, not Linux: no /proc, no /sys, no pidfd, none of Linux's socket options."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

pytestmark = [
    pytest.mark.slow,  # an interpreter of its own
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to hide /proc and /sys"),
]
HIDDEN = 'mount -t tmpfs none /proc && mount -t tmpfs none /sys && exec "$@"'
PROGRAM = """if True:
    import os, signal, socket, ssl, subprocess, sys, urllib.request

    for module, prefixes in (
        (os, ("pidfd", "posix_fallocate", "memfd", "eventfd", "sched_", "splice")),
        (signal, ("pidfd",)),
        (socket, ("TCP_KEEP", "TCP_USER", "SO_PEERCRED", "IP_FREEBIND")),
    ):
        for name in [name for name in dir(module) if name.startswith(prefixes)]:
            delattr(module, name)
    from wherry.testing import Cluster

    WEB = {web!r}
    with Cluster(nodes=2, objects=[WEB]) as c:
        c.wait("deployment/web", "Available")
        c.clock.advance("1h")
        assert c.kubeconfig.exists()
        trusting = ssl.create_default_context()
        trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
        with urllib.request.urlopen(c.url + "/readyz", context=trusting) as answer:
            assert answer.read() == b"ok"
        with c.fork() as fork:
            assert len(fork.client.list("pods")) == 2

    # A server for tests ends with its parent here too.
    import asyncio
    from wherry.testing import server

    async def orphaned():
        stop = asyncio.Event()
        server.LOOK_EVERY_S = 0.01
        end = server._watch_parent(asyncio.get_running_loop(), stop.set)
        os.getppid = lambda: 1
        await asyncio.wait_for(stop.wait(), 60)
        end()

    asyncio.run(orphaned())
    print("all was shown")
"""


def test_a_unix_is_enough() -> None:
    from tests.testing.test_cluster import WEB

    unshare, shell = shutil.which("unshare") or "unshare", shutil.which("sh") or "sh"
    ran = subprocess.run(
        [
            *(unshare, "--mount", "--propagation=private", shell, "-c", HIDDEN, "hidden"),
            *(sys.executable, "-c", PROGRAM.format(web=WEB)),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "all was shown\n"
