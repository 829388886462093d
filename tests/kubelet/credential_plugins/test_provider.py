"""What a plug-in said holds for an image, a registry or all, for as long as it said, and for one account."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from wherry.kit.clock import FakeClock
from wherry.kubelet.credential_plugins.accounts import Account
from wherry.kubelet.credential_plugins.config import CredentialProvider, TokenAttributes
from wherry.kubelet.credential_plugins.program import NotAsked, PluginFailure, Request, Response
from wherry.kubelet.credential_plugins.provider import Provider
from wherry.kubelet.credentials import Source
from wherry.kubelet.metrics import KubeletMetrics
from wherry.objects.meta import Object

POD: Object = {"metadata": {"name": "p", "namespace": "default", "uid": "p1"}, "spec": {}}
CONFIG = CredentialProvider(
    name="plug",
    path=Path("/plug"),
    api_version="credentialprovider.kubelet.k8s.io/v1",
    match_images=("*.example", "reg.example:5000/team"),
    cache_s=60,
)
TOKENS = TokenAttributes(audience="x", requires_account=True)
ACCOUNT = Account(Source("ServiceAccount", "a1", "default", "builder"), {"k": "v"}, "t0k")


@dataclass
class Answers:
    """A program that says what it is told to, and the accounts of pods."""

    response: Response
    asked: list[Request] = field(default_factory=list)
    fails: bool = False
    found: Account | None = ACCOUNT

    async def ask(self, request: Request) -> Response:
        self.asked.append(request)
        await asyncio.sleep(0)
        if self.fails:
            raise PluginFailure("no")
        return self.response

    async def account(self, pod: Object, attributes: TokenAttributes) -> Account | None:
        if self.found is None:
            raise NotAsked("none")
        return self.found


def made(
    key_type: str = "Image", cache_s: float | None = None, config: CredentialProvider = CONFIG
) -> tuple[Provider, Answers, FakeClock]:
    clock = FakeClock()
    auth = {"reg.example": {"username": "u", "password": "p"}, "other.example": {"username": "x"}}
    answers = Answers(Response(cache_key_type=key_type, cache_s=cache_s, auth=auth))
    return Provider(config, answers, answers, clock, KubeletMetrics()), answers, clock


async def test_only_images_that_match_are_asked_about() -> None:
    provider, answers, _ = made()
    assert await provider.credentials("a.reg.example/app", POD) == []
    assert await provider.credentials("docker.io/library/nginx", POD) == []
    assert answers.asked == []
    (found,) = await provider.credentials("reg.example/app", POD)
    assert found.auth == {"username": "u", "password": "p"}
    assert found.source is None


@pytest.mark.parametrize(("key_type", "asked"), [("Image", 3), ("Registry", 2), ("Global", 1)])
async def test_for_what_it_holds(key_type: str, asked: int) -> None:
    provider, answers, _ = made(key_type)
    for image in ("reg.example/a", "reg.example/b", "reg.example/a", "other.example/a"):
        assert await provider.credentials(image, POD)
    assert len(answers.asked) == asked


@pytest.mark.parametrize(("said", "holds_s"), [(None, 60), (5.0, 5), (0.0, 0)])
async def test_for_how_long(said: float | None, holds_s: int) -> None:
    provider, answers, clock = made(cache_s=said)
    await provider.credentials("reg.example/a", POD)
    await clock.advance(holds_s)
    await provider.credentials("reg.example/a", POD)
    assert len(answers.asked) == (1 if holds_s else 2)
    await clock.advance(0.1)
    await provider.credentials("reg.example/a", POD)
    assert len(answers.asked) == (2 if holds_s else 3)


async def test_those_who_ask_at_once_share_an_answer_and_a_failure_is_kept_by_nobody() -> None:
    provider, answers, _ = made()
    answers.fails = True
    asking = (provider.credentials("reg.example/a", POD) for _ in range(5))
    assert await asyncio.gather(*asking) == [[]] * 5
    assert len(answers.asked) == 1
    answers.fails = False
    assert await provider.credentials("reg.example/a", POD)


async def test_accounts_have_answers_of_their_own() -> None:
    provider, answers, _ = made("Global", config=replace(CONFIG, token=TOKENS))
    (found,) = await provider.credentials("reg.example/a", POD)
    assert found.source == ACCOUNT.source
    assert answers.asked == [Request(image="reg.example/a", token="t0k", annotations={"k": "v"})]
    answers.found = replace(ACCOUNT, token="renewed")
    await provider.credentials("reg.example/a", POD)
    assert len(answers.asked) == 1
    answers.found = replace(ACCOUNT, annotations={"k": "w"})
    await provider.credentials("reg.example/a", POD)
    assert len(answers.asked) == 2
    answers.found = None
    assert await provider.credentials("reg.example/a", POD) == []
    assert len(answers.asked) == 2


async def test_by_token_each_token_has_an_answer() -> None:
    config = replace(CONFIG, token=replace(TOKENS, is_cached_by_token=True))
    provider, answers, _ = made("Global", config=config)
    answers.response = replace(answers.response, auth={"reg.example": {"password": "t0k"}})
    assert await provider.credentials("reg.example/a", POD)
    answers.found = replace(ACCOUNT, token="renewed")
    await provider.credentials("reg.example/a", POD)
    assert len(answers.asked) == 2


async def test_the_token_is_no_password_unless_kept_by_token(caplog: pytest.LogCaptureFixture) -> None:
    provider, answers, _ = made(config=replace(CONFIG, token=TOKENS))
    answers.response = replace(answers.response, auth={"reg.example": {"password": "t0k"}})
    assert await provider.credentials("reg.example/a", POD) == []
    assert "returned the service account token as the password" in caplog.text
    assert "t0k" not in caplog.text
