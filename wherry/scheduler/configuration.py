"""KubeSchedulerConfiguration v1 from a file: strict, with upstream's defaults, errors and merging of
plugins.

Sources: `pkg/scheduler/apis/config/{v1,validation}`, `framework/runtime` (expandMultiPointPlugins). What
tunes upstream's own way of working (parallelism, percentageOfNodesToScore, client connections) is checked
and changes nothing: here all nodes are looked at, always.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wherry.kit.yaml_reader import YamlError, read
from wherry.objects.errors import FieldError, duplicate_value, invalid_value, required
from wherry.objects.go_durations import parse_go_duration
from wherry.scheduler.arguments import ARGUMENTS, read_arguments
from wherry.scheduler.catalog import default_profile, make_plugin, plugin_order, plugins_at
from wherry.scheduler.facts import DEFAULT_SCHEDULER
from wherry.scheduler.profiles import Chosen, Profile
from wherry.scheduler.strict import ConfigurationError, Field, Shape, check

API_VERSION = "kubescheduler.config.k8s.io/v1"
KIND = "KubeSchedulerConfiguration"

POINTS = (
    "preEnqueue",
    "queueSort",
    "preFilter",
    "filter",
    "postFilter",
    "preScore",
    "score",
    "reserve",
    "permit",
    "preBind",
    "bind",
    "postBind",
)
GROUP_POINTS = ("placementGenerate", "placementScore", "podGroupPostFilter")
"""Where plugins have a say in how whole PodGroups are placed. None of these here do."""
REMOVED = ("AzureDiskLimits", "CinderLimits", "EBSLimits", "GCEPDLimits")

_PLUGIN: Shape = {"name": Field(str), "weight": Field(int)}
_PLUGIN_SET: Shape = {"enabled": Field([_PLUGIN]), "disabled": Field([_PLUGIN])}
_PROFILE: Shape = {
    "schedulerName": Field(str),
    "percentageOfNodesToScore": Field(int),
    "plugins": Field({point: Field(_PLUGIN_SET) for point in (*POINTS, *GROUP_POINTS, "multiPoint")}),
    "pluginConfig": Field([{"name": Field(str), "args": Field(object)}]),
}
_TLS: Shape = {
    "insecure": Field(bool),
    **{
        name: Field(str)
        for name in ("serverName", "certFile", "keyFile", "caFile", "certData", "keyData", "caData")
    },
}
_EXTENDER: Shape = {
    **{name: Field(str) for name in ("urlPrefix", "filterVerb", "preemptVerb", "prioritizeVerb", "bindVerb")},
    "weight": Field(int),
    "enableHTTPS": Field(bool),
    "tlsConfig": Field(_TLS),
    "httpTimeout": Field(str),
    "nodeCacheCapable": Field(bool),
    "managedResources": Field([{"name": Field(str), "ignoredByScheduler": Field(bool)}]),
    "ignorable": Field(bool),
}
_LEADER: Shape = {
    "leaderElect": Field(bool),
    **{
        name: Field(str)
        for name in (
            "leaseDuration",
            "renewDeadline",
            "retryPeriod",
            "resourceLock",
            "resourceName",
            "resourceNamespace",
        )
    },
}
_CONFIGURATION: Shape = {
    "apiVersion": Field(str),
    "kind": Field(str),
    "parallelism": Field(int),
    "leaderElection": Field(_LEADER),
    "clientConnection": Field(
        {
            "kubeconfig": Field(str),
            "acceptContentTypes": Field(str),
            "contentType": Field(str),
            "qps": Field(float),
            "burst": Field(int),
        }
    ),
    "enableProfiling": Field(bool),
    "enableContentionProfiling": Field(bool),
    "percentageOfNodesToScore": Field(int),
    "podInitialBackoffSeconds": Field(int),
    "podMaxBackoffSeconds": Field(int),
    "profiles": Field([_PROFILE]),
    "extenders": Field([_EXTENDER]),
    "delayCacheUntilActive": Field(bool),
}


@dataclass(frozen=True, slots=True)
class SchedulerConfiguration:
    """What a scheduler goes by. `extenders` and `leader_election` are as the file has them, checked."""

    profiles: tuple[Profile, ...]
    first_backoff_s: float = 1.0
    longest_backoff_s: float = 10.0
    extenders: tuple[Mapping[str, Any], ...] = ()
    leader_election: Mapping[str, Any] | None = None


def default_configuration() -> SchedulerConfiguration:
    """What holds without a file."""
    return SchedulerConfiguration(profiles=(default_profile(),))


def read_configuration(text: str | bytes) -> SchedulerConfiguration:
    """The configuration in a file's text. Raises ConfigurationError, in upstream's words."""
    try:
        document = read(text)
    except YamlError as error:
        raise ConfigurationError(f"error converting YAML to JSON: {error}") from None
    given = document.value
    if not isinstance(given, dict):
        raise ConfigurationError("Object 'Kind' is missing in the configuration")
    for field in ("kind", "apiVersion"):
        if not given.get(field):
            shown = field[0].upper() + field[1:]
            raise ConfigurationError(f"Object '{shown}' is missing in the configuration")
    if given["apiVersion"] != API_VERSION or given["kind"] != KIND:
        kind, version = given["kind"], given["apiVersion"]
        raise ConfigurationError(
            f'no kind "{kind}" is registered for version "{version}"; write {API_VERSION}, {KIND}'
        )
    if document.repeated:
        raise ConfigurationError(f"strict decoding error: {', '.join(document.repeated)}")
    check(given, _CONFIGURATION, "")
    errors = _errors(given)
    if errors:
        texts = [str(error) for error in errors]
        raise ConfigurationError(texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]")
    profiles = [_profile(profile, n, _left_to_extenders(given)) for n, profile in enumerate(_profiles(given))]
    return SchedulerConfiguration(
        profiles=tuple(profiles),
        first_backoff_s=float(given.get("podInitialBackoffSeconds", 1)),
        longest_backoff_s=float(given.get("podMaxBackoffSeconds", 10)),
        extenders=tuple(given.get("extenders") or ()),
        leader_election=given.get("leaderElection"),
    )


def _profiles(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The profiles; the only one is called as the default if it has no name."""
    found: list[dict[str, Any]] = [dict(profile) for profile in given.get("profiles") or [{}]]
    if len(found) == 1 and "schedulerName" not in found[0]:
        found[0]["schedulerName"] = DEFAULT_SCHEDULER
    return found


def _errors(given: Mapping[str, Any]) -> list[FieldError]:
    errors: list[FieldError] = []
    leader = given.get("leaderElection") or {}
    lock = leader.get("resourceLock") or "leases"
    if leader.get("leaderElect", True) and lock != "leases":
        at = "leaderElection.resourceLock"
        errors.append(invalid_value(at, lock, 'resourceLock value must be "leases"'))
    if given.get("parallelism", 16) <= 0:
        detail = "should be an integer value greater than zero"
        errors.append(invalid_value("parallelism", given["parallelism"], detail))
    names: dict[str, int] = {}
    profiles = _profiles(given)
    for number, profile in enumerate(profiles):
        at, name = f"profiles[{number}]", profile.get("schedulerName") or ""
        if not name:
            errors.append(required(f"{at}.schedulerName"))
        errors += _percentage_errors(f"{at}.percentageOfNodesToScore", profile)
        errors += _removed_errors(at, profile)
        if name in names:
            shown = f"profiles[{names[name]}].schedulerName"
            errors.append(duplicate_value(f"{at}.schedulerName", shown))
        names.setdefault(name, number)
    errors += _queue_sort_errors(profiles)
    errors += _percentage_errors("percentageOfNodesToScore", given)
    first, longest = given.get("podInitialBackoffSeconds", 1), given.get("podMaxBackoffSeconds", 10)
    if first <= 0:
        errors.append(invalid_value("podInitialBackoffSeconds", first, "must be greater than 0"))
    if longest < first:
        detail = "must be greater than or equal to PodInitialBackoffSeconds"
        errors.append(invalid_value("podMaxBackoffSeconds", longest, detail))
    return errors + _extender_errors(given.get("extenders") or ())


def _percentage_errors(at: str, given: Mapping[str, Any]) -> list[FieldError]:
    percent = given.get("percentageOfNodesToScore")
    if percent is None or 0 <= percent <= 100:
        return []
    return [invalid_value(at, percent, "not in valid range [0-100]")]


def _removed_errors(at: str, profile: Mapping[str, Any]) -> list[FieldError]:
    detail = f'was invalid in version "v1" (KubeSchedulerConfiguration is version "{API_VERSION}")'
    errors = []
    for point in POINTS:
        enabled = ((profile.get("plugins") or {}).get(point) or {}).get("enabled") or ()
        for number, plugin in enumerate(enabled):
            if plugin.get("name") in REMOVED:
                where = f"{at}.plugins.{point}.enabled[{number}]"
                errors.append(invalid_value(where, plugin["name"], detail))
    seen: set[str] = set()
    for number, config in enumerate(profile.get("pluginConfig") or ()):
        where, name = f"{at}.pluginConfig[{number}]", config.get("name") or ""
        if name in seen:
            errors.append(duplicate_value(where, name))
        seen.add(name)
        if name in REMOVED:
            errors.append(invalid_value(where, name, detail))
        elif name in ARGUMENTS:
            errors += read_arguments(name, config.get("args"), f"{where}.args").errors
    return errors


def _queue_sort_errors(profiles: Sequence[Mapping[str, Any]]) -> list[FieldError]:
    sets = [(profile.get("plugins") or {}).get("queueSort") or {} for profile in profiles]
    errors = []
    if len(sets[0].get("enabled") or ()) > 1:
        at = "profiles[0].plugins.queueSort.Enabled"
        count = len(sets[0]["enabled"])
        errors.append(invalid_value(at, count, "only one queue sort plugin can be enabled"))
    for number, other in enumerate(sets[1:], 1):
        if other != sets[0]:
            at = f"profiles[{number}].plugins.queueSort"
            errors.append(invalid_value(at, other, "must be the same for all profiles"))
    return errors


def _extender_errors(extenders: Sequence[Mapping[str, Any]]) -> list[FieldError]:
    errors = []
    managed: set[str] = set()
    for number, extender in enumerate(extenders):
        at = f"extenders[{number}]"
        timeout = extender.get("httpTimeout")
        if timeout is not None:
            try:
                parse_go_duration(timeout)
            except ValueError as error:
                errors.append(invalid_value(f"{at}.httpTimeout", timeout, str(error)))
        weight = extender.get("weight", 0)
        if extender.get("prioritizeVerb") and weight <= 0:
            detail = "must have a positive weight applied to it"
            errors.append(invalid_value(f"{at}.weight", weight, detail))
        for index, resource in enumerate(extender.get("managedResources") or ()):
            where, name = f"{at}.managedResources[{index}].name", resource.get("name") or ""
            if "/" not in name or name.partition("/")[0].endswith("kubernetes.io"):
                errors.append(invalid_value(where, name, "is an invalid extended resource name"))
            if name in managed:
                errors.append(invalid_value(where, name, "duplicate extender managed resource name"))
            managed.add(name)
    binders = sum(bool(extender.get("bindVerb")) for extender in extenders)
    if binders > 1:
        shown = f"found {binders} extenders implementing bind"
        errors.append(invalid_value("extenders", shown, "only one extender can implement bind"))
    return errors


def _left_to_extenders(given: Mapping[str, Any]) -> list[str]:
    """Resources that extenders look after alone."""
    return [
        resource["name"]
        for extender in given.get("extenders") or ()
        for resource in extender.get("managedResources") or ()
        if resource.get("ignoredByScheduler")
    ]


def _profile(given: Mapping[str, Any], number: int, ignored: Sequence[str]) -> Profile:
    name = given["schedulerName"]
    plugins = given.get("plugins") or {}
    everywhere = _merged(plugin_order(), plugins.get("multiPoint") or {})
    try:
        filters = _at_point("filter", plugins, everywhere)
        scorers = dict(_at_point("score", plugins, everywhere))
        post = dict(_at_point("postFilter", plugins, everywhere))
        for point in GROUP_POINTS:
            _at_point(point, plugins, everywhere)
        if not _at_point("queueSort", plugins, everywhere):
            raise ConfigurationError(
                f'only one queue sort plugin required for profile with scheduler name "{name}", but got 0'
            )
        if not _at_point("bind", plugins, everywhere):
            raise ConfigurationError(
                f'at least one bind plugin is needed for profile with scheduler name "{name}"'
            )
    except ConfigurationError as error:
        raise ConfigurationError(f"creating profiles: profiles[{number}]: {error}") from None
    arguments = {config.get("name"): config.get("args") for config in given.get("pluginConfig") or ()}
    if ignored:
        fit = dict(arguments.get("NodeResourcesFit") or {})
        arguments["NodeResourcesFit"] = {
            **fit,
            "ignoredResources": [*(fit.get("ignoredResources") or ()), *ignored],
        }
    order = [plugin for plugin, _ in filters]
    order += [plugin for plugin in scorers if plugin not in order]
    filtering = {plugin for plugin, _ in filters}
    made = [(plugin, make_plugin(plugin, arguments.get(plugin))) for plugin in order]
    chosen = [
        Chosen(plugin, scorers.get(named, 0), named in filtering)
        for named, plugin in made
        if plugin is not None
    ]
    preemption = read_arguments("DefaultPreemption", arguments.get("DefaultPreemption"), "").values
    return Profile(
        name,
        chosen,
        preempts="DefaultPreemption" in post,
        min_candidates_percent=preemption["minCandidateNodesPercentage"],
        min_candidates=preemption["minCandidateNodesAbsolute"],
    )


def _merged(defaults: Sequence[tuple[str, int]], custom: Mapping[str, Any]) -> list[tuple[str, int]]:
    """The default plugins without those disabled, re-weighted in place, and then those that are new."""
    disabled = {plugin.get("name") for plugin in custom.get("disabled") or ()}
    enabled = {plugin.get("name") or "": plugin.get("weight", 0) for plugin in custom.get("enabled") or ()}
    found = []
    if "*" not in disabled:
        found = [(name, enabled.pop(name, weight)) for name, weight in defaults if name not in disabled]
    return [*found, *enabled.items()]


def _at_point(
    point: str, plugins: Mapping[str, Any], everywhere: Sequence[tuple[str, int]]
) -> list[tuple[str, int]]:
    """The plugins of one extension point in their order, with weights."""
    own = plugins.get(point) or {}
    explicit = {plugin.get("name") or "": plugin.get("weight", 0) for plugin in own.get("enabled") or ()}
    disabled = {plugin.get("name") for plugin in own.get("disabled") or ()}
    extending, known = plugins_at(point), {name for name, _ in plugin_order()}
    for name, _ in everywhere:
        if name not in known:
            raise ConfigurationError(f'plugin "{name}" does not exist')
    for name in explicit:
        if name not in known:
            raise ConfigurationError(f'plugin "{name}" does not exist')
        if name not in extending:
            raise ConfigurationError(f'plugin "{name}" does not extend {point[0].upper() + point[1:]} plugin')
    both = [name for name in explicit if any(name == other for other, _ in everywhere)]
    found = [(name, explicit[name]) for name in both]
    if "*" not in disabled:
        found += [
            (name, weight)
            for name, weight in everywhere
            if name in extending and name not in disabled and name not in explicit
        ]
    found += [(name, weight) for name, weight in explicit.items() if name not in both]
    if point != "score":
        return found
    return [(name, weight or 1) for name, weight in found]
