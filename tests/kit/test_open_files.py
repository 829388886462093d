"""The limit of open files is raised, in a process of its own: it cannot be tried twice in one."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import resource
from wherry.kit.open_files import allow_open_files
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
assert allow_open_files() == hard
assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
assert allow_open_files() == hard
"""


def test_the_soft_limit_becomes_the_hard_one() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True)
