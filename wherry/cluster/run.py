"""`python -m wherry.cluster.run MODULE ...`: a supervised component's process, from its first import on.

Importing is most of a start. The garbage collector would look at everything there is again and again
meanwhile; and aiohttp reads all authorities that the system trusts, twice, though components trust only whom
they are told to. In an agent these are a seventh of it (docs/performance.md).
"""

from __future__ import annotations

import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

from wherry.kit.memory import collect_seldom


@contextmanager
def trusting_nobody() -> Iterator[None]:
    """TLS contexts that are made in the block do not know whom the system trusts."""
    names = ("load_default_certs", "set_default_verify_paths")
    whole = {name: getattr(ssl.SSLContext, name) for name in names}

    def none(*_: object) -> None:
        """Load none."""

    try:
        for name in names:
            setattr(ssl.SSLContext, name, none)
        yield
    finally:
        for name, method in whole.items():
            setattr(ssl.SSLContext, name, method)


def main() -> None:
    """Import the module that is named first and be its `process`, which gets the other arguments."""
    module = sys.argv.pop(1)
    collect_seldom()
    with trusting_nobody():
        component = import_module(module)
    component.process()


if __name__ == "__main__":
    main()
