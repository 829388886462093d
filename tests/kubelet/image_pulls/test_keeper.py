"""Who may use an image that is on the node: the policies, the records, and an agent killed between them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from wherry.kit.clock import FakeClock, SystemClock
from wherry.kit.disk import DirectDisk, Disk, DiskThreads
from wherry.kubelet.credentials import Credential, Source
from wherry.kubelet.image_pulls.keeper import PullRecords
from wherry.kubelet.image_pulls.policy import (
    ALLOWLISTED,
    ALWAYS,
    NEVER,
    PRELOADED,
    allowlist_error,
    verification,
)
from wherry.kubelet.image_pulls.records import file_name
from wherry.kubelet.runtimes.images import Image

NAME = "reg.example/app:1"
IMAGE = Image("sha256:" + "c" * 64, (NAME,), 1)
SECRET = Source("Secret", "u1", "one", "pull")
ACCOUNT = Source("ServiceAccount", "a1", "one", "builder")
MINE = Credential({"username": "u", "password": "p"}, SECRET)


async def keeper(
    root: Path, policy: str = PRELOADED, images: Sequence[Image] = (IMAGE,), disk: Disk | None = None
) -> PullRecords:
    """An agent's records, as they are after its start."""
    made = PullRecords(root, verification(policy), disk or DirectDisk(), FakeClock())

    async def there() -> Sequence[Image]:
        return images

    await made.load(there)
    return made


async def must(records: PullRecords, *shown: Credential, name: str = NAME) -> bool:
    async def credentials() -> Sequence[Credential]:
        return shown

    return await records.must_pull(name, IMAGE, credentials)


async def pull(records: PullRecords, used: Credential | None) -> None:
    await records.begin(NAME)
    await records.pulled(NAME, IMAGE.id, used)


@pytest.mark.parametrize(
    ("policy", "preloaded", "pulled"),
    [(NEVER, False, False), (PRELOADED, False, True), (ALLOWLISTED, True, True), (ALWAYS, True, True)],
)
async def test_policies(tmp_path: Path, policy: str, preloaded: bool, pulled: bool) -> None:
    records = await keeper(tmp_path, policy)
    assert await must(records) is preloaded
    await pull(records, MINE)
    assert await must(records) is pulled
    assert not await must(records, MINE)


def test_the_allowlist() -> None:
    rule = verification(ALLOWLISTED, ["reg.example/app", "reg.example/public/*", "nginx"])
    names = ["reg.example/app:1", "reg.example/public/a/b", "nginx:1", "docker.io/library/nginx"]
    assert not any(rule(name, True) for name in names)
    assert all(rule(name, False) for name in ("reg.example/other", "reg.example/publication"))


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("reg.example/app", ""),
        ("reg.example/*", ""),
        (" a", "leading/trailing spaces are not allowed:  a"),
        ("", "the supplied pattern is too short: "),
        ("a*", "not a valid wildcard pattern, only patterns ending with '/*' are allowed: a*"),
        ("/*", "at least registry hostname is required"),
        ("reg.example/app:1", "neither tag nor digest is accepted in an image reference: reg.example/app:1"),
        ("A B", "failed to parse as an image name: invalid reference format"),
    ],
)
def test_names_in_the_allowlist(pattern: str, why: str) -> None:
    assert allowlist_error(pattern) == why


async def test_credentials_are_known_by_hash_and_by_secret(tmp_path: Path) -> None:
    records = await keeper(tmp_path)
    await pull(records, MINE)
    copied = Credential(MINE.auth, Source("Secret", "u2", "two", "copy"))
    other = Credential({"username": "u", "password": "other"}, Source("Secret", "u3", "two", "other"))
    rotated = Credential({"username": "u", "password": "new"}, SECRET)
    assert not await must(records, copied)
    assert not await must(records, rotated)
    assert await must(records, other)
    assert await must(records, other, name="reg.example/elsewhere:1")
    told = json.loads((tmp_path / "image_manager/pulled" / file_name(IMAGE.id)).read_text())
    noted = told["credentialMapping"]["reg.example/app"]["kubernetesSecrets"]
    assert [(one["name"], one["credentialHash"]) for one in noted] == [
        ("pull", rotated.hash),
        ("copy", MINE.hash),
    ]
    assert not await must(await keeper(tmp_path), copied)


async def test_accounts_and_what_all_may_have(tmp_path: Path) -> None:
    records = await keeper(tmp_path)
    await pull(records, Credential({"username": "u"}, ACCOUNT))
    assert not await must(records, Credential({"username": "another token"}, ACCOUNT))
    assert await must(records, MINE)
    await pull(records, None)
    assert not await must(records)
    assert not await must(await keeper(tmp_path))


async def test_records_are_upstreams(tmp_path: Path) -> None:
    records = await keeper(tmp_path)
    await records.begin(NAME)
    intent = tmp_path / "image_manager/pulling" / file_name(NAME)
    assert intent.read_text() == (
        '{"kind":"ImagePullIntent","apiVersion":"kubelet.config.k8s.io/v1beta1","image":"reg.example/app:1"}\n'
    )
    await records.pulled(NAME, IMAGE.id, MINE)
    assert not intent.exists()
    pulled = tmp_path / "image_manager/pulled" / file_name(IMAGE.id)
    told = json.loads(pulled.read_text())
    assert (told["kind"], told["imageRef"]) == ("ImagePulledRecord", IMAGE.id)
    assert "p" not in told["credentialMapping"]["reg.example/app"]["kubernetesSecrets"][0].values()
    assert pulled.stat().st_mode & 0o777 == 0o600
    told["apiVersion"] = "kubelet.config.k8s.io/v1alpha1"
    pulled.write_text(json.dumps(told))
    assert not await must(await keeper(tmp_path), MINE)


@pytest.mark.parametrize("images", [(), (IMAGE,)])
async def test_an_agent_killed_between_intent_and_record(tmp_path: Path, images: Sequence[Image]) -> None:
    """Whether the runtime ended the pull before the next agent looked, or after: nobody gets in unasked."""
    await (await keeper(tmp_path)).begin(NAME)
    after = await keeper(tmp_path, images=images)
    assert await must(after)
    assert await must(after, MINE)
    is_left = (tmp_path / "image_manager/pulling" / file_name(NAME)).exists()
    assert is_left is not bool(images)
    await pull(after, MINE)
    assert not await must(after, MINE)
    assert list((tmp_path / "image_manager/pulling").iterdir()) == []


async def test_what_cannot_be_read_lets_nobody_in(tmp_path: Path) -> None:
    records = await keeper(tmp_path)
    await pull(records, None)
    (tmp_path / "image_manager/pulled" / file_name(IMAGE.id)).write_text("[")
    after = await keeper(tmp_path)
    assert await must(after, MINE)
    await pull(after, MINE)
    assert not await must(after, MINE)


async def test_an_image_that_came_by_one_name_and_was_pulled_by_another(tmp_path: Path) -> None:
    """The loaded name is for everybody still; the id, or a name the image has not, is nobody's way in."""
    records = await keeper(tmp_path)
    await pull(records, MINE)

    async def nothing() -> Sequence[Credential]:
        return ()

    loaded = Image(IMAGE.id, (NAME, "docker.io/library/busybox:1"), 1)
    for name, must_pull in (("busybox:1", False), ("busybox:2", True), (NAME, True), (IMAGE.id, True)):
        assert await records.must_pull(name, loaded, nothing) is must_pull


async def test_a_failed_pull_leaves_nothing_and_two_at_once_count(tmp_path: Path) -> None:
    records = await keeper(tmp_path)
    intent = tmp_path / "image_manager/pulling" / file_name(NAME)
    await records.begin(NAME)
    await records.begin(NAME)
    await records.failed(NAME)
    assert intent.exists()
    assert await must(records)
    await records.failed(NAME)
    assert not intent.exists()
    assert not await must(records)


async def test_a_pull_that_begins_while_another_of_that_image_ends_has_its_intent(tmp_path: Path) -> None:
    records = await keeper(tmp_path, disk=DiskThreads(SystemClock()))
    await records.begin(NAME)
    second = asyncio.create_task(records.begin(NAME))
    await asyncio.sleep(0)
    await records.failed(NAME)
    await second
    intent = tmp_path / "image_manager/pulling" / file_name(NAME)
    assert intent.exists()
    await records.failed(NAME)
    assert not intent.exists()


async def test_records_go_with_their_images(tmp_path: Path) -> None:
    clock = FakeClock()
    records = PullRecords(tmp_path, verification(PRELOADED), DirectDisk(), clock)

    async def none() -> Sequence[Image]:
        return ()

    await records.load(none)
    await pull(records, MINE)
    file = tmp_path / "image_manager/pulled" / file_name(IMAGE.id)
    await records.prune({IMAGE.id}, clock.now())
    await records.prune((), clock.now())
    assert file.exists()
    before = clock.now()
    await clock.advance(1)
    await records.prune((), before)
    assert file.exists()
    await records.prune((), clock.now())
    assert not file.exists()
    assert not await must(records)
