"""A pod's decision (`wherry.dev/v1alpha1`) in words and tables (`in_words`). Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from wherry.objects.meta import Object, name_of, namespace_of

EVALUATED = "Evaluated"
SHOWN = 3
"""So many names of a group of nodes are written out."""


def in_words(decision: Object) -> Iterator[str]:
    """The lines that tell of a PodDecision, or of an answered PodDecisionReview."""
    status = decision.get("status") or {}
    yield _headline(decision, status)
    if status.get("message"):
        yield f"  {status['message']}"
    if status.get("nominatedNodeName"):
        yield f"  Room is being made for it on {status['nominatedNodeName']}."
    yield from _filtered(status.get("filtered") or ())
    yield from _scored(status.get("scored") or ())
    yield from _changes(status)


def _headline(decision: Object, status: Object) -> str:
    name = f"{namespace_of(decision) or 'default'}/{name_of(decision)}"
    is_asked = decision.get("kind") == "PodDecisionReview"
    now = " (as the cluster is now)" if status.get("basis") == EVALUATED and not is_asked else ""
    node, would = status.get("nodeName"), "would go" if is_asked else "goes"
    if not node:
        return f"{name} {would} nowhere{now}"
    passed, nodes = status.get("feasible"), status.get("nodes")
    return f"{name} {would} to {node}, of {passed} of {nodes} nodes that can take it{now}"


def _filtered(groups: Sequence[Object]) -> Iterator[str]:
    if not groups:
        return
    yield ""
    yield "Filtered:"
    rows = [("NODES", "PLUGIN", "WHY", "EVICTION COULD HELP")]
    for group in groups:
        helps = "yes" if group.get("evictionHelps") else "no"
        rows.append((_nodes(group), group["plugin"], ", ".join(group["reasons"]), helps))
    yield from _table(rows)


def _scored(groups: Sequence[Object]) -> Iterator[str]:
    if not groups:
        return
    yield ""
    yield "Scored (weight x points of 0 to 100):"
    plugins = [score["plugin"] for score in groups[0]["scores"]]
    weights = [score["weight"] for score in groups[0]["scores"]]
    heads = [f"{weight}x{plugin}" for plugin, weight in zip(plugins, weights, strict=True)]
    rows = [("NODES", "TOTAL", *heads)]
    rows += [
        (_nodes(group), str(group["total"]), *(str(score["score"]) for score in group["scores"]))
        for group in groups
    ]
    yield from _table(rows)


def _changes(status: Object) -> Iterator[str]:
    changes = status.get("changes")
    if changes is None and not status.get("fitsNow"):
        return
    yield ""
    if not changes:
        if status.get("fitsNow"):
            yield "It fits by now."
        elif note := status.get("changesNote"):
            yield f"No change was found that would make it fit: {note}."
        else:
            yield "No change of this pod alone would make it fit."
        return
    yield "It would fit with any one of these:" if len(changes) > 1 else "It would fit with this:"
    for change in changes:
        steps = change["steps"]
        yield f"- {'; and '.join(step['change'] for step in steps)} (then it fits {_nodes(change)})"
        for step in steps:
            if step.get("instead"):
                yield f"  or instead: {step['instead']}"
    if note := status.get("changesNote"):
        yield f"There may be others: {note}."


def _nodes(group: Object) -> str:
    """How many nodes, with the names of the first: "3: a, b, c", "5000: a, b, c, ..."."""
    names = group.get("nodes") or []
    listed = ", ".join(names[:SHOWN]) + (", ..." if group["count"] > SHOWN else "")
    return listed if group["count"] == 1 else f"{group['count']}: {listed}"


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
