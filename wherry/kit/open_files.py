"""How many files a process may have open: as many as the system lets it."""

from __future__ import annotations

import logging
import resource

log = logging.getLogger(__name__)


def allow_open_files() -> int:
    """Raise the soft limit of open files to the hard one; the limit now.

    Shells and systemd begin with 1,024 for the sake of programs that use select(2), which is about as many
    watches as a server could have. Programs in Go raise it as well when they start.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError) as error:
            log.warning("the limit of %d open files stays as it is: %s", soft, error)
            return soft
    return hard
