"""What server-side apply answers when someone else owns a field that was to be changed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from wherry.objects.errors import ApiError


@dataclass(frozen=True, slots=True)
class Conflict:
    """One field (`path` as upstream prints it) and one other manager who owns it."""

    manager: str
    operation: str
    api_version: str
    subresource: str
    path: str

    @property
    def owner(self) -> str:
        """The manager as upstream names it."""
        text = json.dumps(self.manager, ensure_ascii=False)
        if self.subresource:
            text += f" with subresource {json.dumps(self.subresource, ensure_ascii=False)}"
        return f"{text} using {self.api_version}" if self.operation == "Update" else text


def conflict_message(conflicts: Sequence[Conflict]) -> str:
    """Upstream's sentence (or list) about the conflicts."""
    if len(conflicts) == 1:
        return f"Apply failed with 1 conflict: conflict with {conflicts[0].owner}: {conflicts[0].path}"
    paths: dict[str, list[str]] = {}
    for conflict in conflicts:
        paths.setdefault(conflict.owner, []).append(conflict.path)
    lines: list[str] = []
    for owner in sorted(paths):
        lines.append(f"conflicts with {owner}:")
        lines += [f"- {path}" for path in paths[owner]]
    return f"Apply failed with {len(conflicts)} conflicts: " + "\n".join(lines)


def conflict_error(conflicts: Sequence[Conflict]) -> ApiError:
    """409 with one cause for each conflict."""
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {c.owner}", "field": c.path}
        for c in conflicts
    ]
    return ApiError(409, "Conflict", conflict_message(conflicts), {"causes": causes})
