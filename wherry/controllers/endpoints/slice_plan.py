"""The writes that make slices right, as few as there can be."""

from __future__ import annotations

from dataclasses import dataclass, field

from wherry.controllers.endpoints.trigger_times import stamped
from wherry.objects.meta import Object, is_controlled_by


@dataclass(slots=True)
class SlicePlan:
    """What is made, replaced and taken away."""

    create: list[Object] = field(default_factory=list)
    update: list[Object] = field(default_factory=list)
    delete: list[Object] = field(default_factory=list)

    def recycle(self, owner: Object) -> None:
        """Let slices of `owner` that would go become those that would be made, of the same family: one write
        for two, and no moment without endpoints (`finalize`, `recycleSlices`).

        One of an owner of the same name that is gone is not touched: the garbage collector is at it.
        """
        spare: dict[str, list[Object]] = {}
        kept: list[Object] = []
        for piece in self.delete:
            place = spare.setdefault(piece["addressType"], []) if is_controlled_by(piece, owner) else kept
            place.append(piece)
        create: list[Object] = []
        for wanted in self.create:
            if not (found := spare.get(wanted["addressType"])):
                create.append(wanted)
                continue
            piece = found.pop(0)
            meta = {name: value for name, value in piece["metadata"].items() if name != "annotations"}
            own = {name: value for name, value in wanted["metadata"].items() if name != "generateName"}
            self.update.append({**piece, **wanted, "metadata": {**meta, **own}})
        self.create = create
        self.delete = [*kept, *(piece for pieces in spare.values() for piece in pieces)]

    def stamp(self, since: str) -> None:
        """Note in all that is written when what it tells of has happened, "" for unknown."""
        self.create = [stamped(piece, since) for piece in self.create]
        self.update = [stamped(piece, since) for piece in self.update]
