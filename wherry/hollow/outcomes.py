"""What becomes of chosen pods and nodes: `Outcome`, our own small kind of file beside KWOK's stages.

    apiVersion: hollow.wherry.dev/v1
    kind: Outcome
    metadata: {name: crashes}
    spec:
      pods: {matchLabels: {app: flaky}}
      exits: {code: 3, after: 2s}

The first outcome whose selector fits a pod (or node) is its outcome; without one it is `Outcome()`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from wherry.hollow.documents import Fields, StageError, documents
from wherry.objects.meta import Object, annotations_of, labels_of, name_of, namespace_of

API_VERSION = "hollow.wherry.dev/v1"
LOWEST_CODE, HIGHEST_CODE = 0, 255


@dataclass(frozen=True, slots=True)
class Chosen:
    """A selector: everything given must hold; names may have `*`. Empty, it fits everything."""

    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    namespaces: Sequence[str] = ()
    names: Sequence[str] = ()

    def fits(self, obj: Object) -> bool:
        """Whether it selects the object."""
        have, notes = labels_of(obj), annotations_of(obj)
        return (
            all(have.get(key) == value for key, value in self.labels.items())
            and all(notes.get(key) == value for key, value in self.annotations.items())
            and (not self.namespaces or namespace_of(obj) in self.namespaces)
            and (not self.names or any(fnmatchcase(name_of(obj), name) for name in self.names))
        )


@dataclass(frozen=True, slots=True)
class Exits:
    """Containers end with `code`, `after_s` seconds after they began; all, or the one named."""

    code: int
    after_s: float = 0.0
    container: str = ""


@dataclass(frozen=True, slots=True)
class Evicted:
    """The kubelet evicts the pod `after_s` seconds after it started."""

    after_s: float = 0.0
    message: str = "The node was low on resource: memory. "


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What becomes of a pod; times in seconds.

    `starts_after_s` from being bound to running, `init_takes_s` for each init container, `stops_after_s` from
    its deletion to its end (never longer than its grace). Pods that come to an end (a Job's, or with another
    restartPolicy than Always) succeed `completes_after_s` after they began. `unready_after_s`: its readiness
    probe fails from then on; None for never.
    """

    name: str = "default"
    chosen: Chosen = field(default_factory=Chosen)
    starts_after_s: float = 0.0
    init_takes_s: float = 0.0
    stops_after_s: float = 0.0
    completes_after_s: float = 0.0
    exits: Exits | None = None
    evicted: Evicted | None = None
    never_pulls: bool = False
    unready_after_s: float | None = None


FAST = Outcome(name="fast")
"""A pod runs as soon as it is bound, and is gone as soon as it is deleted, as by KWOK's stages pod/fast."""
GENERAL = Outcome(name="general", starts_after_s=2.0, stops_after_s=10 * 365 * 86400.0)
"""A pod takes a moment to run, as by KWOK's stages pod/general, and all of its grace to end."""
NAMED = {outcome.name: outcome for outcome in (FAST, GENERAL)}
"""What may become of all pods, by name; the first is what becomes of them when nothing is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeOutcome:
    """What becomes of a node: it is lost `lost_after_s` seconds after it was made, None for never."""

    name: str
    chosen: Chosen
    lost_after_s: float | None = None


_POD_FIELDS = (
    "completesAfter",
    "evicted",
    "exits",
    "initTakes",
    "neverPulls",
    "pods",
    "startsAfter",
    "stopsAfter",
    "unready",
)


def read_outcome_files(paths: Sequence[Path]) -> list[Outcome | NodeOutcome]:
    """The outcomes of these files. Raises StageError, also for a file that cannot be read."""
    found: list[Outcome | NodeOutcome] = []
    for path in paths:
        try:
            text = path.read_text()
        except (OSError, UnicodeError) as error:
            raise StageError(f"{path}: cannot be read: {error}") from error
        found += read_outcomes(text, str(path))
    return found


def read_outcomes(text: str, file: str) -> list[Outcome | NodeOutcome]:
    """The outcomes of a YAML text of one or more documents; `file` is what errors name. Raises StageError."""
    return [outcome_from(fields) for fields in documents(text, file, {(API_VERSION, "Outcome")})]


def outcome_from(fields: Fields) -> Outcome | NodeOutcome:
    """One Outcome. Raises StageError."""
    fields.known("apiVersion", "kind", "metadata", "spec")
    name = fields.map("metadata").text("name", required=True)
    spec = fields.map("spec", required=True)
    if "nodes" in spec.values:
        spec.known("lost", "nodes")
        return NodeOutcome(name=name, chosen=_chosen(spec.map("nodes")), lost_after_s=_after(spec, "lost"))
    spec.known(*_POD_FIELDS, "nodes")
    given: dict[str, Any] = {
        "starts_after_s": spec.seconds("startsAfter"),
        "init_takes_s": spec.seconds("initTakes"),
        "stops_after_s": spec.seconds("stopsAfter"),
        "completes_after_s": spec.seconds("completesAfter"),
        "unready_after_s": _after(spec, "unready"),
        "exits": _exits(spec.map("exits")) if "exits" in spec.values else None,
        "evicted": _evicted(spec.map("evicted")) if "evicted" in spec.values else None,
        "never_pulls": spec.flag("neverPulls"),
    }
    ends = [key for key in ("evicted", "exits", "neverPulls") if spec.values.get(key)]
    if len(ends) > 1:
        raise spec.error(ends[1], f"cannot stand beside {ends[0]}: a pod has one outcome")
    return Outcome(
        name=name,
        chosen=_chosen(spec.map("pods")),
        **{key: value for key, value in given.items() if value is not None},
    )


def _chosen(fields: Fields) -> Chosen:
    fields.known("matchAnnotations", "matchLabels", "names", "namespaces")
    return Chosen(
        fields.texts("matchLabels"),
        fields.texts("matchAnnotations"),
        tuple(fields.words("namespaces")),
        tuple(fields.words("names")),
    )


def _after(spec: Fields, name: str) -> float | None:
    if name not in spec.values:
        return None
    inner = spec.map(name)
    inner.known("after")
    return inner.seconds("after") or 0.0


def _exits(fields: Fields) -> Exits:
    fields.known("after", "code", "container")
    code = fields.integer("code", least=LOWEST_CODE, most=HIGHEST_CODE)
    if code is None:
        raise fields.error("code", "is required")
    return Exits(code, fields.seconds("after") or 0.0, fields.text("container"))


def _evicted(fields: Fields) -> Evicted:
    fields.known("after", "message")
    found = Evicted(fields.seconds("after") or 0.0)
    message = fields.text("message")
    return Evicted(found.after_s, message) if message else found
