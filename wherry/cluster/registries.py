"""Where a node's images are pulled from, by its settings."""

from __future__ import annotations

from pathlib import Path

from wherry.cluster.components import PermanentError
from wherry.cluster.node_config import NodeConfig
from wherry.kubelet.registries.registries import (
    DEFAULT_FILE,
    NONE,
    Registries,
    RegistriesError,
    read_registries,
)


def registries_of(config: NodeConfig) -> Registries:
    """What the node's file says, or the machine's if there is one. Raises PermanentError."""
    path = Path(config.registries) if config.registries else DEFAULT_FILE
    if not config.registries and not path.exists():
        return NONE
    try:
        return read_registries(path)
    except RegistriesError as error:
        raise PermanentError(f"the registries cannot be used: {error}") from error
    except OSError as error:
        raise PermanentError(f"the registries cannot be used: {path}: {error.strerror or error}") from error
