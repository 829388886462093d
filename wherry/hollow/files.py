"""Files of a whole simulation: `Nodes` and `Outcome` of our own kind and KWOK's `Stage`, in any order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from wherry.hollow import stage_files
from wherry.hollow.documents import Fields, StageError, documents
from wherry.hollow.machines import MOST_NODES, NodeTemplate, template_from
from wherry.hollow.outcomes import API_VERSION, NodeOutcome, Outcome, outcome_from
from wherry.hollow.stages import Stage
from wherry.kit.given_files import read_given

_KINDS = {(API_VERSION, "Nodes"), (API_VERSION, "Outcome"), (stage_files.API_VERSION, "Stage")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """What nodes are made of, and what becomes of them and of pods; see `HollowNodes`.

    `template` is that of the first pool, `more` are those of others: heartbeats are the same for all, and no
    node is of two. `names_nodes` says that a file has a template, whose count is meant then.
    """

    template: NodeTemplate = field(default_factory=NodeTemplate)
    stages: Sequence[Stage] = ()
    outcomes: Sequence[Outcome | NodeOutcome] = ()
    names_nodes: bool = False
    more: Sequence[NodeTemplate] = ()

    @property
    def templates(self) -> tuple[NodeTemplate, ...]:
        """Those of all pools."""
        return (self.template, *self.more)

    @property
    def count(self) -> int:
        """How many nodes there are."""
        return sum(template.count for template in self.templates)


def read_text(path: Path) -> str:
    """What is in a file. Raises StageError when it cannot be read."""
    try:
        return read_given(path)
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
                template = template_from(fields)
                _check_beside(template, templates, fields)
                templates.append(template)
            elif kind == "Outcome":
                outcomes.append(outcome_from(fields))
            elif stage := stage_files.stage_from(fields):
                stages.append(stage)
    first, *more = _with_one_lease(templates) or [NodeTemplate()]
    return Simulation(
        template=first,
        more=more,
        stages=stages,
        outcomes=outcomes,
        names_nodes=bool(templates),
    )


def _check_beside(template: NodeTemplate, others: Sequence[NodeTemplate], fields: Fields) -> None:
    """Raises StageError unless the pool goes with the others."""
    names = set(template.names())
    for other in others:
        if template.pool == other.pool:
            raise fields.error("metadata.name", f"a second Nodes {template.pool!r}; give each its own name")
        if template.name == other.name or not names.isdisjoint(other.names()):
            why = f"nodes of {template.pool!r} and {other.pool!r} have the same names; make them differ"
            raise fields.error("spec.name", why)
        for field_name, ours, theirs in (
            ("leaseDuration", template.lease_s, other.lease_s),
            ("statusEvery", template.status_s, other.status_s),
        ):
            if ours != theirs:
                why = f"differs from that of {other.pool!r}; all Nodes of a simulation have the same"
                raise fields.error(f"spec.{field_name}", why)
    if sum(each.count for each in (template, *others)) > MOST_NODES:
        raise fields.error("spec.count", f"makes more than {MOST_NODES} nodes in all")


def _with_one_lease(templates: Sequence[NodeTemplate]) -> list[NodeTemplate]:
    """The templates with a lease as long as the number of all their nodes asks for."""
    if len(templates) < 2 or templates[0].lease_s is not None:
        return list(templates)
    lease_s = NodeTemplate(count=sum(each.count for each in templates)).lease_duration_s
    return [replace(each, lease_s=lease_s) for each in templates]


__all__ = ["Simulation", "StageError", "read_simulation", "read_text", "simulation_from"]
