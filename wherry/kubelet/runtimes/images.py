"""Images: what containers are made from, pulled once and kept (CRI's ImageService)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Image:
    """An image on the node; `names` are its tags and digests, `uid` or `username` what it runs as by default.

    One that is `pinned` is the runtime's own and never removed.
    """

    id: str
    names: Sequence[str]
    size_bytes: int
    uid: int | None = None
    username: str = ""
    pinned: bool = False


@dataclass(frozen=True, slots=True)
class ImageView:
    """How to mount the files of an image: kind of file system, source and options, as of mount(8)."""

    kind: str
    source: str
    options: Sequence[str] = ()


@runtime_checkable
class ImageViews(Protocol):
    """A runtime that shows what is in an image. Every method raises RuntimeFailure."""

    async def view_image(self, reference: str, key: str) -> ImageView:
        """How to mount an image that is on the node; its layers are kept for `key`, though it be removed."""
        ...

    async def release_view(self, key: str) -> None:
        """The layers kept for `key` may go. Harmless when there are none."""
        ...


class ImageService(Protocol):
    """The part of a runtime that keeps images. Every method raises RuntimeFailure."""

    async def image(self, reference: str) -> Image | None:
        """The image if it is on the node."""
        ...

    async def images(self) -> list[Image]: ...

    async def pull_image(self, reference: str, auth: Mapping[str, str] | None = None) -> str:
        """Fetch an image; its id. Raises RuntimeFailure with reason ErrImagePull or InvalidImageName."""
        ...

    async def remove_image(self, reference: str) -> None:
        """Remove an image, by id with all its names. Harmless when it is gone."""
        ...

    async def image_filesystem(self) -> str:
        """A directory on the file system that holds images, "" if the runtime does not tell."""
        ...
