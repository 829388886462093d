"""A test cluster's simulated nodes, put together of its settings; loaded with the first node."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from random import Random

from wherry.cluster.assembly import ControlPlane
from wherry.hollow import rights
from wherry.hollow.hollow import HollowNodes
from wherry.hollow.outcomes import NAMED, NodeOutcome, Outcome, read_outcome_files, read_outcomes
from wherry.hollow.stages import Stage
from wherry.kit.clock import Clock
from wherry.testing.settings import Settings


def simulated_nodes(
    settings: Settings,
    plane: ControlPlane,
    clock: Clock,
    random: Random,
    caught_up: Callable[[], Awaitable[None]],
) -> HollowNodes:
    """Those who play the nodes, to be started; see `HollowNodes`.

    Raises StageError for what `settings` say of them.
    """
    return HollowNodes(
        plane.client(rights.USER),
        clock,
        random,
        replace(settings.node_template, count=settings.nodes),
        [stage for source in settings.stages for stage in _stages(source)],
        [outcome for source in settings.outcomes for outcome in _outcomes(source)],
        plane.client,
        caught_up=caught_up,
    )


def _stages(source: Stage | Path | str) -> list[Stage]:
    if isinstance(source, Stage):
        return [source]
    # Imported here: jq and Go's templates come with it, and few have stages of their own.
    from wherry.hollow.stage_files import read_stage_files, read_stages

    return read_stage_files([source]) if isinstance(source, Path) else read_stages(source, "stages")


def _outcomes(source: Outcome | NodeOutcome | Path | str) -> list[Outcome | NodeOutcome]:
    if isinstance(source, Path):
        return read_outcome_files([source])
    if isinstance(source, str) and source in NAMED:
        return [NAMED[source]]
    return read_outcomes(source, "outcomes") if isinstance(source, str) else [source]
