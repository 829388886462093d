"""KWOK's Stage files, read as they are (kwok.x-k8s.io/v1alpha1).

Fields, defaults and the older spellings (`next`, `key`, `expressionFrom`, `statusTemplate`) are those of
KWOK's pkg/apis/v1alpha1/stage_types.go. What is not known is one `StageError`: file, field, and the known
ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from wherry.api.catalog import by_kind
from wherry.api.core.nodes import NODES
from wherry.api.core.pods import PODS
from wherry.api.resource import Resource
from wherry.client.transport import APPLY_PATCH, JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH
from wherry.hollow.documents import Fields, StageError, documents
from wherry.hollow.expressions import Source, Test, duration_source, expression_test, weight_source
from wherry.hollow.rendering import Rendered, applied_kind
from wherry.hollow.stages import Apply, Delay, Delete, Finalizers, Patch, Say, Stage, Step
from wherry.kit.given_files import read_given
from wherry.objects.meta import Object, annotations_of, labels_of

API_VERSION = "kwok.x-k8s.io/v1alpha1"
_PATCH_TYPES = {"json": JSON_PATCH, "merge": MERGE_PATCH, "strategic": STRATEGIC_PATCH}
_APPLY_TYPES = {"apply": APPLY_PATCH, "merge": MERGE_PATCH, "strategic": STRATEGIC_PATCH}
_LONGEST_MS = 10 * 366 * 86_400_000


def read_stage_files(paths: Sequence[Path]) -> list[Stage]:
    """The stages of these files, in their order; a folder stands for its *.yaml and *.yml, by name.

    Raises StageError, also for a file that cannot be read.
    """
    stages: list[Stage] = []
    for path in paths:
        if path.is_dir():
            found = sorted(file for file in path.iterdir() if file.suffix in (".yaml", ".yml"))
            stages += read_stage_files(found)
            continue
        try:
            text = read_given(path)
        except (OSError, UnicodeError) as error:
            raise StageError(f"{path}: cannot be read: {error}") from error
        stages += read_stages(text, str(path))
    return stages


def read_stages(text: str, file: str) -> list[Stage]:
    """The stages of a YAML text of one or more documents; `file` is what errors name. Raises StageError."""
    found = []
    for fields in documents(text, file, {(API_VERSION, "Stage")}):
        stage = stage_from(fields)
        if stage is not None:
            found.append(stage)
    return found


def stage_from(fields: Fields) -> Stage | None:
    """One Stage; None for one without selector, which KWOK ignores."""
    name = fields.map("metadata").text("name", required=True)
    fields.known("apiVersion", "kind", "metadata", "spec", "status")
    spec = fields.map("spec", required=True)
    spec.known(
        "delay",
        "immediateNextStage",
        "next",
        "resourceRef",
        "selector",
        "steps",
        "weight",
        "weightFrom",
    )
    resource = _resource(spec.map("resourceRef", required=True))
    steps = _steps(spec, resource, name)
    if "selector" not in spec.values:
        return None
    return Stage(
        name=name,
        resource=resource,
        matches=_matcher(spec.map("selector")),
        steps=lambda _: steps,
        delay=_delay(spec.map("delay")) if "delay" in spec.values else lambda _obj, _now: Delay(),
        weight=weight_source(spec, "weightFrom", spec.integer("weight", least=0) or 0),
        immediate=spec.flag("immediateNextStage"),
        writes=_writes(resource, steps),
    )


def _writes(resource: Resource, steps: Sequence[Step]) -> tuple[tuple[Resource, str], ...]:
    """What our own user writes in these steps besides the object and its status."""
    found: dict[tuple[Resource, str], None] = {}
    for step in steps:
        if isinstance(step, Apply) and step.target is not None and not step.as_user:
            found[step.target, step.subresource] = None
        elif isinstance(step, Patch) and step.subresource and not step.as_user:
            found[resource, step.subresource] = None
    return tuple(found)


def _resource(ref: Fields) -> Resource:
    ref.known("apiGroup", "kind")
    version, kind = ref.text("apiGroup") or "v1", ref.text("kind", required=True)
    resource = by_kind(version, kind)
    if resource is None:
        raise ref.error("kind", f"no built-in resource {kind} in {version}")
    return resource


def _matcher(selector: Fields) -> Callable[[Object], bool]:
    selector.known("matchAnnotations", "matchExpressions", "matchLabels")
    labels = selector.texts("matchLabels")
    annotations = selector.texts("matchAnnotations")
    tests: list[Test] = [expression_test(item) for item in selector.maps("matchExpressions")]

    def matches(obj: Object) -> bool:
        return (
            (not labels or _holds(labels_of(obj), labels))
            and (not annotations or _holds(annotations_of(obj), annotations))
            and all(test(obj) for test in tests)
        )

    return matches


def _holds(have: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return all(have.get(key) == value for key, value in wanted.items())


def _delay(fields: Fields) -> Callable[[Object, datetime], Delay]:
    fields.known("durationFrom", "durationMilliseconds", "jitterDurationFrom", "jitterDurationMilliseconds")

    def seconds(name: str) -> float | None:
        found = fields.integer(name, least=0, most=_LONGEST_MS)
        return None if found is None else found / 1000

    least, most = seconds("durationMilliseconds"), seconds("jitterDurationMilliseconds")
    least_from = duration_source(fields, "durationFrom")
    most_from = duration_source(fields, "jitterDurationFrom")
    if least_from is None and most_from is None:
        constant = Delay(least or 0.0, most)
        return lambda _obj, _now: constant

    def delay(obj: Object, now: datetime) -> Delay:
        begin = _told(least_from, obj, now, least or 0.0)
        return Delay() if begin is None else Delay(begin, _told(most_from, obj, now, most))

    return delay


def _told(source: Source | None, obj: Object, now: datetime, otherwise: float | None) -> float | None:
    """Seconds from an expression: a moment is measured from `now`; `otherwise` where it finds nothing."""
    found = source(obj) if source is not None else None
    if found is None:
        return otherwise
    if isinstance(found, datetime):
        return (found - now).total_seconds()
    return found.total_seconds() if isinstance(found, timedelta) else None


def _steps(spec: Fields, resource: Resource, stage: str) -> tuple[Step, ...]:
    steps: list[Step] = []
    for fields in spec.maps("steps"):
        fields.known("apply", "delete", "event", "finalizers", "patch")
        steps += _parts(fields)
        if "patch" in fields.values:
            steps.append(_patch(fields.map("patch"), resource, stage))
        if "apply" in fields.values:
            steps.append(_apply(fields.map("apply"), stage))
    if not steps and "next" in spec.values:
        steps = _older_steps(spec.map("next"), resource, stage)
    return _until_deleted(steps)


def _until_deleted(steps: Sequence[Step]) -> tuple[Step, ...]:
    """The steps that are carried out: of what comes after a deletion events alone (KWOK's next.go)."""
    deletes = [at for at, step in enumerate(steps) if isinstance(step, Delete)]
    last = deletes[0] if deletes else len(steps)
    return tuple(step for at, step in enumerate(steps) if at <= last or isinstance(step, Say))


def _parts(fields: Fields) -> list[Step]:
    """What steps and the older `next` have in common, but for patches, in the order they happen."""
    steps: list[Step] = []
    if "event" in fields.values:
        event = fields.map("event")
        event.known("message", "reason", "type")
        steps.append(Say(event.text("type") or "Normal", event.text("reason"), event.text("message")))
    if "finalizers" in fields.values:
        steps.append(_finalizers(fields.map("finalizers")))
    if fields.flag("delete"):
        steps.append(Delete())
    return steps


def _older_steps(fields: Fields, resource: Resource, stage: str) -> list[Step]:
    fields.known(
        "delete", "event", "finalizers", "patches", "statusPatchAs", "statusSubresource", "statusTemplate"
    )
    patches: list[Step] = [_patch(item, resource, stage) for item in fields.maps("patches")]
    if not patches and fields.text("statusTemplate"):
        subresource = fields.text("statusSubresource") or "status"
        made = Rendered(stage, fields, "statusTemplate", root="status")
        patches.append(Patch(made, _default_type(resource), subresource, _user(fields, "statusPatchAs")))
    return [*_parts(fields), *patches]


def _default_type(resource: Resource) -> str:
    return STRATEGIC_PATCH if resource in (PODS, NODES) else MERGE_PATCH


def _patch(fields: Fields, resource: Resource, stage: str) -> Patch:
    fields.known("impersonation", "root", "subresource", "template", "type")
    content_type = fields.choice("type", _PATCH_TYPES) or _default_type(resource)
    made = Rendered(
        stage, fields, "template", root=fields.text("root"), is_json_patch=content_type == JSON_PATCH
    )
    return Patch(made, content_type, fields.text("subresource"), _user(fields, "impersonation"))


def _apply(fields: Fields, stage: str) -> Apply:
    fields.known("impersonation", "subresource", "template", "type")
    content_type = fields.choice("type", _APPLY_TYPES) or APPLY_PATCH
    made = Rendered(stage, fields, "template", root="")
    target = by_kind(*applied_kind(fields.text("template")))
    return Apply(made, content_type, fields.text("subresource"), _user(fields, "impersonation"), target)


def _user(fields: Fields, name: str) -> str:
    if name not in fields.values:
        return ""
    inner = fields.map(name)
    inner.known("username")
    return inner.text("username", required=True)


def _finalizers(fields: Fields) -> Finalizers:
    fields.known("add", "empty", "remove")

    def named(name: str) -> tuple[str, ...]:
        items = fields.maps(name)
        for item in items:
            item.known("value")
        return tuple(item.text("value", required=True) for item in items)

    return Finalizers(named("add"), named("remove"), fields.flag("empty"))


__all__ = ["StageError", "read_stage_files", "read_stages"]
