"""Images that a mirror has under another name: pulled by that one, and called by the one they were asked for.

k3s's containerd is patched to do so itself; any other is asked for the other name, and given both.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from urllib.parse import urlsplit

from wherry.kubelet.credentials import image_repository
from wherry.kubelet.registries.registries import Registries, Rewrite
from wherry.kubelet.runtimes.failures import RuntimeFailure
from wherry.objects.regex import compile_pattern

log = logging.getLogger(__name__)

Pull = Callable[[str, Mapping[str, str] | None], Awaitable[str]]
"""Fetches an image by a reference, with credentials; its id. Raises RuntimeFailure."""
Tag = Callable[[str, str], Awaitable[None]]
"""Gives the image of one reference another one, too. Raises RuntimeFailure."""


class RewritingPulls:
    """Pulls from the mirrors that rename first, then as `pull` does."""

    def __init__(self, registries: Registries, pull: Pull, tag: Tag) -> None:
        self._registries = registries
        self._pull = pull
        self._tag = tag

    async def pull(self, reference: str, auth: Mapping[str, str] | None) -> str:
        """Fetch an image; its id. Raises RuntimeFailure."""
        whole = whole_reference(reference)
        for other in other_names(self._registries, whole):
            try:
                # The pod's credentials are for the registry it names, the node's own for its mirrors.
                image_id = await self._pull(other, None)
                await self._tag(other, whole)
            except RuntimeFailure as error:
                log.info("%s was not to be had as %s: %s", reference, other, error)
            else:
                return image_id
        return await self._pull(reference, auth)


def whole_reference(reference: str) -> str:
    """`docker.io/library/nginx:1` for `nginx:1`, `docker.io/library/nginx:latest` for `nginx`."""
    repository = image_repository(reference)
    name, at, digest = reference.partition("@")
    if at:
        return f"{repository}@{digest}"
    tag = name.rsplit("/", 1)[-1].partition(":")[2] or "latest"
    return f"{repository}:{tag}"


def other_names(registries: Registries, whole: str) -> Iterator[str]:
    """The references by which mirrors that rename may have the image of a whole reference, in order."""
    repository = image_repository(whole)
    host, _, path = repository.partition("/")
    rest = whole[len(repository) :]
    mirror = registries.mirror_of(host)
    if not mirror.rewrites:
        return
    renamed = next((new for rule in mirror.rewrites if (new := rewritten(rule, path)) is not None), path)
    for endpoint in mirror.endpoints:
        url = urlsplit(endpoint)
        below = url.path.removeprefix("/v2").strip("/")
        yield "/".join(part for part in (url.netloc, below, renamed) if part) + rest


def rewritten(rule: Rewrite, repository: str) -> str | None:
    """What a rule calls a repository, None if it is not about it (Go's Regexp.ReplaceAllString)."""
    pattern = compile_pattern(rule.pattern)
    return pattern.replace(repository, rule.replacement) if pattern.is_in(repository) else None
