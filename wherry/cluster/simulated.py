"""What a cluster's simulated nodes are by its settings and files, and the files as it keeps them.

What `up` accepted lies in the cluster's own directory, under its digest: a file that is moved or half edited
afterwards concerns nobody before it is given again, and a changed one is another setting.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from wherry.cluster.cluster_config import ClusterConfig
from wherry.cluster.components import PermanentError
from wherry.cluster.paths import ClusterPaths
from wherry.hollow.files import Simulation, StageError, read_text, simulation_from
from wherry.hollow.machines import NodeTemplate

DIGITS = 16
"""Of a file's digest; enough to tell a cluster's few files apart."""
SEVERAL = "the files of the simulation have several Nodes, each with its count; leave the number out"
REMEDY = (
    'give the files anew with: wherry up --simulation FILE; or do without them: wherry up --simulation ""'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenIn:
    """Files of a simulation: what they say, and where they are kept.

    `names` are the kept paths, in the order the files were given; `texts` what is to be written there.
    """

    simulation: Simulation
    names: tuple[str, ...] = ()
    texts: Mapping[Path, str] = field(default_factory=dict)


def take_in(config: ClusterConfig, paths: ClusterPaths) -> TakenIn:
    """The files of `config.simulation`, read and checked; those that are kept already stay where they are.

    Raises StageError, which names the file as it was given.
    """
    found = {name: read_text(Path(name)) for name in config.simulation}
    simulation = simulation_from(found)
    kept = {name: _kept(Path(name), text, paths) for name, text in found.items()}
    return TakenIn(
        simulation=simulation,
        names=tuple(str(path) for path in kept.values()),
        texts={kept[name]: text for name, text in found.items() if str(kept[name]) != name},
    )


def _kept(path: Path, text: str, paths: ClusterPaths) -> Path:
    if path.is_relative_to(paths.simulation):
        return path
    return paths.simulation / hashlib.sha256(text.encode()).hexdigest()[:DIGITS] / path.name


def simulation_of(config: ClusterConfig, texts: Mapping[Path, str] | None = None) -> Simulation:
    """What the settings and their files say; `texts` are those of files that are not there yet.

    Raises PermanentError.
    """
    told = {str(path): text for path, text in (texts or {}).items()}
    try:
        found = simulation_from({name: told.get(name) or read_text(Path(name)) for name in config.simulation})
    except StageError as error:
        raise PermanentError(f"simulation: {error}; {REMEDY}") from error
    if not config.simulated_nodes:
        return found
    if found.more:
        raise PermanentError(f"simulatedNodes: {SEVERAL}")
    return replace(found, template=replace(found.template, count=config.simulated_nodes))


def count_of(config: ClusterConfig) -> int:
    """How many simulated nodes are asked for. Raises PermanentError."""
    return simulation_of(config).count if config.simulation else config.simulated_nodes


def going(before: ClusterConfig, after: ClusterConfig, texts: Mapping[Path, str]) -> int | None:
    """How many nodes go when a cluster goes by `after`; None when files of `before` cannot be read.

    `texts` are files of `after` that are still to be kept. Raises PermanentError.
    """
    wanted = simulation_of(after, texts).templates
    try:
        templates = simulation_of(before).templates
    except PermanentError:
        return None
    return len(surplus(wanted, (name for template in templates for name in template.names())))


def surplus(templates: Iterable[NodeTemplate], names: Iterable[str]) -> list[str]:
    """The `names`, of nodes that were made of a template, which these do not make."""
    wanted = {name for template in templates for name in template.names()}
    return [name for name in names if name not in wanted]
