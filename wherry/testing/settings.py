"""What a test says about its cluster: `Settings`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from difflib import get_close_matches
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Any, TypeVar

from wherry.hollow.machines import MOST_NODES, NodeTemplate
from wherry.hollow.outcomes import NAMED, NodeOutcome, Outcome
from wherry.hollow.stages import Stage
from wherry.kit.clock import SystemClock
from wherry.kit.simulated_loop import START
from wherry.testing.manifests import SUFFIXES

C = TypeVar("C", bound=type)
ALL = "all"
NONE = "none"
EARLIEST_YEAR, LATEST_YEAR = 1970, 9000
"""What can be said in seconds since 1970, and leaves time to go on."""


NODES = NodeTemplate(pool="test", name="node-{index}")
"""What nodes are made of unless a test says otherwise."""


class SettingsError(ValueError):
    """A cluster cannot be made as it was asked for; the message names the argument and the remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """A cluster as a test wants it.

    `nodes` is how many simulated nodes there are. `controllers` are the names of those that run (as in
    `kube-controller-manager --controllers`), or "all" or "none". `runtime_config` turns API versions on and
    off ("batch/v1": False). `crds` and `objects` are manifests (files, YAML, objects), applied at the start.
    One `seed` decides every random choice. Time begins at `start` (`START` when none is given) and stands
    still unless the test moves it; with `real_time` it passes as the machine's does, and begins at the
    machine's date unless a `start` is given. `node_template` says what the nodes are made of, `outcomes`
    ("fast", "general", files, YAML, `hollow.outcomes.Outcome`s) what becomes of pods and nodes, `stages` are
    KWOK's files, or stages made in Python (`hollow.stages.Stage`).
    """

    nodes: int = 0
    controllers: Sequence[str] | str = ALL
    scheduler: bool = True
    enable_admission_plugins: Sequence[str] = ()
    disable_admission_plugins: Sequence[str] = ()
    runtime_config: Mapping[str, bool] = field(default_factory=dict)
    crds: Sequence[Any] = ()
    objects: Sequence[Any] = ()
    seed: int = 0
    start: datetime | None = None
    real_time: bool = False
    port: int = 0
    node_template: NodeTemplate = NODES
    outcomes: Sequence[Outcome | NodeOutcome | Path | str] = ()
    stages: Sequence[Stage | Path | str] = ()

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Settings:
        """Those that are given by name. Raises SettingsError for a name there is not."""
        known = [setting.name for setting in fields(cls)]
        for name in given:
            if name not in known:
                near = get_close_matches(name, known, 1)
                hint = f"did you mean {near[0]}? " if near else ""
                raise SettingsError(f"{name}: no such setting; {hint}There are {', '.join(known)}")
        return cls(**given)

    def __post_init__(self) -> None:
        for name in ("crds", "objects", "outcomes", "stages"):
            given = getattr(self, name)
            is_one = isinstance(given, str | Mapping) or not isinstance(given, Iterable)
            sources = (given,) if is_one else given
            object.__setattr__(self, name, tuple(_source(each) for each in sources))
        for given in self.outcomes:
            if isinstance(given, str) and given not in NAMED and not {"\n", ":"} & set(given):
                near = get_close_matches(given, NAMED, 1)
                meant = f"did you mean {near[0]}? There" if near else "there"
                raise SettingsError(
                    f"outcomes: {given!r} is no outcome; {meant} are {', '.join(sorted(NAMED))}; "
                    "files end with .yaml"
                )
        for name in ("nodes", "port"):
            if not isinstance(getattr(self, name), int):
                raise SettingsError(f"{name}: {getattr(self, name)!r} is no number; give an int")
        if self.nodes < 0:
            raise SettingsError(f"nodes: {self.nodes} is negative; use 0 or more")
        if self.nodes > MOST_NODES:
            raise SettingsError(f"nodes: {self.nodes} is too many; use {MOST_NODES} at most")
        for name in ("enable_admission_plugins", "disable_admission_plugins"):
            if isinstance(given := getattr(self, name), str) or not isinstance(given, Collection):
                raise SettingsError(f"{name}: {given!r} is no list; give a list of names")
        switches = self.runtime_config
        if not isinstance(switches, Mapping):
            raise SettingsError(
                f'runtime_config: {switches!r} is no map; give one, such as {{"api/beta": True}}'
            )
        for key, on in switches.items():
            if not isinstance(on, bool):
                raise SettingsError(f"runtime_config: {key}: {on!r} is neither True nor False")
        if isinstance(self.controllers, str) and self.controllers not in (ALL, NONE):
            raise SettingsError(
                f"controllers: {self.controllers!r} is neither 'all' nor 'none'; give a list of names"
            )
        if self.start is not None and not isinstance(self.start, datetime):
            raise SettingsError(f"start: {self.start!r} is no time; use datetime(..., tzinfo=UTC)")
        if self.start is not None and self.start.tzinfo is None:
            raise SettingsError(f"start: {self.start} has no time zone; use datetime(..., tzinfo=UTC)")
        if self.start is not None and not EARLIEST_YEAR <= self.start.year <= LATEST_YEAR:
            raise SettingsError(
                f"start: {self.start} is not within the years {EARLIEST_YEAR} to {LATEST_YEAR}; choose one"
            )
        if not 0 <= self.port <= 65535:
            raise SettingsError(f"port: {self.port} is no port; use 0 (any) to 65535")

    def begins(self) -> datetime:
        """The date a cluster begins at; with `real_time` and no `start` it is the machine's, at each call."""
        if self.start is not None:
            return self.start
        return SystemClock().now() if self.real_time else START

    @property
    def founding(self) -> tuple[Any, ...]:
        """What the first objects of a cluster depend on: those of equal ones are made once."""
        return (
            self.controllers if isinstance(self.controllers, str) else tuple(self.controllers),
            tuple(self.enable_admission_plugins),
            tuple(self.disable_admission_plugins),
            tuple(sorted(self.runtime_config.items())),
            self.start,
            self.real_time and self.start is None,
        )


def _source(given: Any) -> Any:
    """A file's name is a path, as it is of manifests: no YAML is one word that ends so."""
    is_name = isinstance(given, str) and "\n" not in given and given.endswith(SUFFIXES)
    return Path(given) if is_name else given


def takes_settings(cluster: C) -> C:
    """Have `help(cluster)` name the settings; `nodes` may be given without its name."""
    nodes, *others = signature(Settings).parameters.values()
    parameters = [nodes.replace(kind=Parameter.POSITIONAL_OR_KEYWORD), *others]
    setattr(cluster, "__signature__", Signature(parameters))  # noqa: B010 - mypy knows none of a class
    return cluster
