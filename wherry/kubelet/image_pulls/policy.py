"""For which images it matters who pulled them (imagePullCredentialsVerificationPolicy). Pure.

Source: pkg/kubelet/images/pullmanager/image_pull_policies.go.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from wherry.images.names import is_image_name
from wherry.kubelet.credentials import image_repository

NEVER, PRELOADED = "NeverVerify", "NeverVerifyPreloadedImages"
ALLOWLISTED, ALWAYS = "NeverVerifyAllowlistedImages", "AlwaysVerify"
POLICIES = (ALWAYS, ALLOWLISTED, NEVER, PRELOADED)
WILDCARD = "/*"

MustVerify = Callable[[str, bool], bool]
"""Whether a pod must show credentials for an image that is there, by its name and whether we pulled it."""


def verification(policy: str, allowlist: Sequence[str] = ()) -> MustVerify:
    """The rule a policy stands for. Raises ValueError for one that is none."""
    if policy == NEVER:
        return lambda _image, _is_pulled: False
    if policy == PRELOADED:
        return lambda _image, is_pulled: is_pulled
    if policy == ALWAYS:
        return lambda _image, _is_pulled: True
    if policy == ALLOWLISTED:
        whole = {image_repository(one) for one in allowlist if not one.endswith(WILDCARD)}
        beginnings = tuple(one.removesuffix("*") for one in allowlist if one.endswith(WILDCARD))
        return lambda image, _is_pulled: not _is_listed(image_repository(image), whole, beginnings)
    raise ValueError(f"unknown image pull credential verification policy: {policy}")


def _is_listed(repository: str, whole: set[str], beginnings: tuple[str, ...]) -> bool:
    return repository in whole or repository.startswith(beginnings)


def allowlist_error(pattern: str) -> str:
    """What is wrong with a name in preloadedImagesVerificationAllowlist, "" for nothing; upstream's words."""
    if pattern != pattern.strip():
        return f"leading/trailing spaces are not allowed: {pattern}"
    is_wildcard = pattern.endswith(WILDCARD)
    trimmed = pattern.removesuffix("*") if is_wildcard else pattern
    if not trimmed:
        return f"the supplied pattern is too short: {pattern}"
    if "*" in trimmed:
        return f"not a valid wildcard pattern, only patterns ending with '/*' are allowed: {pattern}"
    if is_wildcard:
        return "at least registry hostname is required" if trimmed == "/" else ""
    if not is_image_name(trimmed):
        return "failed to parse as an image name: invalid reference format"
    last = trimmed.rpartition("/")[2]
    if "@" in trimmed or ":" in last:
        return f"neither tag nor digest is accepted in an image reference: {pattern}"
    return ""
