"""Files of a whole simulation: `Nodes` and `Outcome` of our own kind and KWOK's `Stage`, in any order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from wherry.hollow import stage_files
from wherry.hollow.documents import StageError, documents
from wherry.hollow.machines import NodeTemplate, template_from
from wherry.hollow.outcomes import API_VERSION, NodeOutcome, Outcome, outcome_from
from wherry.hollow.stages import Stage

_KINDS = {(API_VERSION, "Nodes"), (API_VERSION, "Outcome"), (stage_files.API_VERSION, "Stage")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """What nodes are made of, and what becomes of them and of pods; see `HollowNodes`.

    `names_nodes` says that a file has a template, whose count is meant then.
    """

    template: NodeTemplate = field(default_factory=NodeTemplate)
    stages: Sequence[Stage] = ()
    outcomes: Sequence[Outcome | NodeOutcome] = ()
    names_nodes: bool = False


def read_text(path: Path) -> str:
    """What is in a file. Raises StageError when it cannot be read."""
    try:
        return path.read_text()
    except OSError as error:
        raise StageError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeError as error:
        raise StageError(f"{path}: cannot be read: it is no text in UTF-8") from error


def read_simulation(paths: Sequence[Path]) -> Simulation:
    """The simulation of these files. Raises StageError, also for a file that cannot be read."""
    return simulation_from({str(path): read_text(path) for path in paths})


def simulation_from(texts: Mapping[str, str]) -> Simulation:
    """The simulation of these texts, by what errors call them. Raises StageError."""
    templates: list[NodeTemplate] = []
    stages: list[Stage] = []
    outcomes: list[Outcome | NodeOutcome] = []
    for file, text in texts.items():
        for fields in documents(text, file, _KINDS):
            kind = fields.text("kind")
            if kind == "Nodes":
                templates.append(template_from(fields))
                if len(templates) > 1:
                    raise fields.error("kind", "a second Nodes; a simulation takes one")
            elif kind == "Outcome":
                outcomes.append(outcome_from(fields))
            elif stage := stage_files.stage_from(fields):
                stages.append(stage)
    return Simulation(
        template=templates[0] if templates else NodeTemplate(),
        stages=stages,
        outcomes=outcomes,
        names_nodes=bool(templates),
    )


__all__ = ["Simulation", "StageError", "read_simulation", "read_text", "simulation_from"]
