"""Which API versions are served: `select_served`, upstream's `--runtime-config`.

Keys turn groups of versions on or off, the more particular one winning: `api/all`, then `api/ga`,
`api/beta` or `api/alpha`, then `group/version` (`v1` or `api/v1` for the core group), then
`group/version/resource`. Versions the cluster's own parts speak are always served.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from wherry.api.resource import Resource

ALL = "api/all"
STAGES = {"api/ga": "ga", "api/beta": "beta", "api/alpha": "alpha"}
OPTIONAL = frozenset({"autoscaling/v1"})
"""Released versions nothing here depends on."""


def stage_of(version: str) -> str:
    """`alpha`, `beta` or `ga`."""
    return next((stage for stage in ("alpha", "beta") if stage in version), "ga")


def select_served(resources: Sequence[Resource], switches: Mapping[str, bool]) -> list[Resource]:
    """Those of `resources` that `switches` leave on (without any: all of them).

    Raises ValueError for a key that names nothing, or that would turn off what the cluster needs.
    """
    if not switches:
        return list(resources)
    check_switches(resources, switches)
    return [resource for resource in resources if _is_on(resource, switches)]


def check_switches(resources: Sequence[Resource], switches: Mapping[str, bool]) -> None:
    """Raise ValueError as `select_served` does."""
    versions = {resource.api_version for resource in resources}
    names = {f"{resource.api_version}/{resource.plural}" for resource in resources}
    for key, on in switches.items():
        if key == ALL or key in STAGES:
            if key == "api/ga" and not on:
                raise ValueError("api/ga cannot be false: the cluster's own parts use released versions")
            continue
        plain = key.removeprefix("api/")
        if plain not in versions and plain not in names:
            raise ValueError(f"{key!r} is not known; use {_examples(versions)}")
        version = plain if plain in versions else plain.rpartition("/")[0]
        if not on and _is_needed(version):
            raise ValueError(f"{key} cannot be false: the cluster's own parts use {version}")


def parse_switches(text: str) -> dict[str, bool]:
    """`api/beta=false,apps/v1beta1=true` as a mapping; a key alone means true. Raises ValueError."""
    switches: dict[str, bool] = {}
    for part in text.split(","):
        key, _, value = part.strip().partition("=")
        if not key:
            raise ValueError(f"{text!r} has an empty key; write it as api/beta=false,apps/v1beta1=true")
        if value not in ("", "true", "false"):
            raise ValueError(f"{key} must be true or false, is {value!r}")
        switches[key] = value != "false"
    return switches


def _is_on(resource: Resource, switches: Mapping[str, bool]) -> bool:
    if _is_needed(resource.api_version):
        return True
    version = resource.api_version
    stage = next(key for key, stage in STAGES.items() if stage == stage_of(resource.version))
    for key in (f"{version}/{resource.plural}", version, f"api/{version}", stage, ALL):
        if key in switches:
            return switches[key]
    return True


def _is_needed(api_version: str) -> bool:
    return stage_of(api_version.rpartition("/")[2]) == "ga" and api_version not in OPTIONAL


def _examples(versions: Collection[str]) -> str:
    optional = sorted(version for version in versions if not _is_needed(version))
    return f"{', '.join((ALL, *STAGES))}, or one of {', '.join(optional)}, also with /resource behind it"
