"""Images for volumes: pulled like those of containers, shown out of the runtime's own layers."""

from __future__ import annotations

from collections.abc import Callable

from wherry.kubelet.credentials import pull_secrets
from wherry.kubelet.images import Images
from wherry.kubelet.runtimes.failures import RuntimeFailure
from wherry.kubelet.runtimes.images import ImageView, ImageViews
from wherry.objects.meta import Object


class VolumeImages:
    """The images of the node's runtime, as volumes use them."""

    def __init__(self, images: Images, runtime: object) -> None:
        self._images = images
        self._views = runtime if isinstance(runtime, ImageViews) else None

    async def ensure(self, pod: Object, wanted: Object, lookup: Callable[[str, str], Object | None]) -> None:
        """Have an image on the node: `image` by `imagePullPolicy`, with the pod's secrets.

        Raises ImageFailure.
        """
        secrets = pull_secrets(pod, lambda name: lookup("Secret", name))
        await self._images.ensure(pod, wanted, secrets)

    async def view(self, reference: str, key: str) -> ImageView:
        """How to mount an image that is there; it is kept for `key`. Raises RuntimeFailure."""
        if self._views is None:
            raise RuntimeFailure("the runtime does not show what is in images")
        return await self._views.view_image(reference, key)

    async def release(self, key: str) -> None:
        """Keep nothing for `key` any more. Raises RuntimeFailure."""
        if self._views is not None:
            await self._views.release_view(key)
