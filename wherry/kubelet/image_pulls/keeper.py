"""Whether a pod may use an image that is on the node, or has to pull it with its own credentials first.

What is remembered here is what lies on disk, which is written first: an agent that is killed at any point
finds either the intent, which makes everybody show credentials, or the record.
Source: pkg/kubelet/images/pullmanager/image_pull_manager.go.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from wherry.kit.clock import Clock
from wherry.kit.disk import Disk
from wherry.kubelet.credentials import Credential, Source, image_repository
from wherry.kubelet.image_pulls.policy import MustVerify
from wherry.kubelet.image_pulls.records import Access, PulledRecord, RecordFiles, file_name
from wherry.kubelet.registries.rewriting import whole_reference
from wherry.kubelet.runtimes.images import Image

log = logging.getLogger(__name__)

T = TypeVar("T")

MOST_NOTED = 100
"""As many secrets an image is noted with while pods only show what others pulled it with."""
DISK_TIMEOUT_S = 30.0
EVERYBODY = Access(everybody=True)
NOBODY = Access()

Credentials = Callable[[], Awaitable[Sequence[Credential]]]
"""What a pod has for an image. Looked for only when it matters: a plug-in may be run for it."""


class PullRecords:
    """The records of one node's images. `must_verify` says for which of them they matter."""

    def __init__(self, root: Path, must_verify: MustVerify, disk: Disk, clock: Clock) -> None:
        self._files = RecordFiles(root)
        self._must_verify = must_verify
        self._disk = disk
        self._clock = clock
        self._pulled: dict[str, PulledRecord | None] = {}
        self._intents: Counter[str] = Counter()
        self._changing = asyncio.Lock()
        self._left: set[str] = set()
        """Images an agent before us began to pull."""

    async def load(self, images: Callable[[], Awaitable[Sequence[Image]]]) -> None:
        """Read what lies there; intents whose image is there become records of nobody's.

        `images` gives those of the node. Raises OSError, RuntimeFailure.
        """
        await self._on_disk("all", self._files.prepare)
        self._pulled = await self._on_disk("all", self._files.pulled)
        self._left = set(await self._on_disk("all", self._files.intents))
        if not self._left:
            return
        by_name = {name: image for image in await images() for name in image.names}
        for intent in sorted(self._left):
            image = by_name.get(intent) or by_name.get(whole_reference(intent))
            if image is not None:
                await self._note(image.id, image_repository(intent), NOBODY)
                await self._done(intent)

    async def must_pull(self, name: str, image: Image, credentials: Credentials) -> bool:
        """Whether a pod that asks for an image by `name` must pull it though it is there."""
        key = file_name(image.id)
        record = self._pulled.get(key)
        repository = image_repository(name)
        if key in self._pulled and record is None:
            return True  # one that cannot be read
        is_pulled = self._intents[name] > 0 or name in self._left or _is_ours(record, repository, name, image)
        if not self._must_verify(name, is_pulled):
            return False
        access = record.access.get(repository) if record is not None else None
        if access is None:
            return True
        if access.everybody:
            return False
        if not access.secrets and not access.accounts:
            return True
        return not await self._has_one(image.id, name, access, await credentials())

    async def begin(self, name: str) -> None:
        """An image is about to be pulled. Raises OSError."""
        self._intents[name] += 1  # first: a pull of the same image that ends now leaves the file there
        try:
            async with self._changing:
                await self._on_disk(name, partial(self._files.write_intent, name))
        except BaseException:
            self._intents[name] -= 1
            raise

    async def pulled(self, name: str, image_id: str, used: Credential | None) -> None:
        """It was, with those credentials. A record that cannot be written leaves the intent."""
        try:
            await self._note(image_id, image_repository(name), _access(used))
        except OSError as error:
            log.error("failed to write image pulled record of %s: %s", image_id, error)
            return
        await self._done(name)

    async def failed(self, name: str) -> None:
        """It was not."""
        await self._done(name)

    async def prune(self, image_ids: Collection[str], until: datetime) -> None:
        """Forget the images that are gone, but for those noted since `until`."""
        there = {file_name(one) for one in image_ids}
        async with self._changing:
            await self._prune(there, until)

    async def _prune(self, there: Collection[str], until: datetime) -> None:
        for key, record in list(self._pulled.items()):
            if record is None or key in there or record.updated >= until:
                continue
            try:
                await self._on_disk(key, partial(self._files.remove_pulled, record.image_ref))
            except OSError as error:
                log.error("failed to remove the record of image %s: %s", record.image_ref, error)
            else:
                self._pulled.pop(key, None)

    async def _has_one(
        self, image_id: str, name: str, access: Access, credentials: Sequence[Credential]
    ) -> bool:
        """Whether some of the credentials are known; a Secret that is new, or changed, is noted with them."""
        hashes = {one for one in access.secrets.values() if one}
        for one in credentials:
            source = one.source
            if source is None or source.kind != "Secret":
                continue
            known = access.secrets.get(source)
            if one.hash not in hashes and (known is None or len(access.secrets) >= MOST_NOTED):
                continue
            if known != one.hash and len(access.secrets) < MOST_NOTED:
                try:
                    await self._note(image_id, image_repository(name), _access(one))
                except OSError as error:
                    log.error("failed to write image pulled record of %s: %s", image_id, error)
            return True
        accounts = (one.source for one in credentials if one.source and one.source.kind != "Secret")
        return next(accounts, None) in access.accounts

    async def _note(self, image_id: str, repository: str, access: Access) -> None:
        """Add to an image's record who may use it by that name. Raises OSError."""
        async with self._changing:
            await self._add(file_name(image_id), image_id, repository, access)

    async def _add(self, key: str, image_id: str, repository: str, access: Access) -> None:
        now = self._clock.now()
        record = self._pulled.get(key)
        had = record.access.get(repository) if record is not None else None
        merged = merged_access(had, access)
        if record is None:
            record = PulledRecord(image_id, now, {repository: merged})
        elif merged == had:
            return
        else:
            record = replace(record, updated=now, access={**record.access, repository: merged})
        await self._on_disk(key, partial(self._files.write_pulled, record))
        self._pulled[key] = record

    async def _done(self, name: str) -> None:
        """One pull fewer of an image is under way."""
        self._intents[name] -= 1
        async with self._changing:
            if self._intents[name] > 0:
                return
            try:
                await self._on_disk(name, partial(self._files.remove_intent, name))
            except OSError as error:
                log.error("failed to remove image pull intent of %s: %s", name, error)
                self._intents[name] += 1
                return
            if self._intents[name] <= 0:
                del self._intents[name]
            self._left.discard(name)

    async def _on_disk(self, key: str, work: Callable[[], T]) -> T:
        return await self._disk.run(f"image record {key}", work, DISK_TIMEOUT_S)


def _is_ours(record: PulledRecord | None, repository: str, name: str, image: Image) -> bool:
    """Whether it was us who gave an image the name a pod calls it by.

    Whatever we pull has a record by its repository. A name without one that the image has came another way,
    though we pulled the same image by another name (upstream notes such as ImagePreloadedRecord).
    """
    if record is None:
        return False
    is_named = name in image.names or whole_reference(name) in image.names
    return not record.access or repository in record.access or not is_named


def merged_access(had: Access | None, more: Access) -> Access:
    """Who may use an image, with those who may now, too."""
    if had is None:
        return more
    if had.everybody or more.everybody:
        return EVERYBODY
    return Access(False, {**had.secrets, **more.secrets}, had.accounts | more.accounts)


def _access(used: Credential | None) -> Access:
    if used is None or used.source is None:
        return EVERYBODY
    source: Source = used.source
    if source.kind == "Secret":
        return Access(secrets={source: used.hash})
    return Access(accounts=frozenset((source,)))
