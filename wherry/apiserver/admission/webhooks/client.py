"""Asking a webhook: one POST of an AdmissionReview, the way there found by service or URL.

What went wrong is told in the words of Go's HTTP client, because that is what people search for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import orjson

from wherry.api.resource import Resource
from wherry.apiserver.admission.base import Attributes, done_beside
from wherry.apiserver.admission.webhooks.configuration import Webhook
from wherry.apiserver.admission.webhooks.review import InvalidAnswer, Verdict, review_of, verdict
from wherry.apiserver.endpoints import webhook_backend, webhook_trust
from wherry.apiserver.outbound import Unreachable, read_answer
from wherry.apiserver.parts import Parts
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object
from wherry.objects.nesting import MOST_CONTAINERS, has_too_many
from wherry.objects.uids import new_uid

HEADERS = (
    ("Content-Type", "application/json"),
    ("Accept", "application/json, */*"),
    ("User-Agent", "kube-apiserver-admission"),
)
ANSWER_LIMIT_B = 8 * 1024 * 1024
"""Enough for a patch that replaces the largest object there can be, in base64."""
_SHOWN_CHARACTERS = 1024


LONGEST_WHY = 4096
"""Characters of a failure that are told and logged."""


class CallFailed(Exception):
    """A webhook could not be asked, or gave no sensible answer. `code` is what it amounts to.

    `why` may repeat what the webhook said, of which a part is told.
    """

    def __init__(self, why: str, code: int = 503) -> None:
        super().__init__(why if len(why) <= LONGEST_WHY else f"{why[:LONGEST_WHY]}...")
        self.code = code


async def ask(
    webhook: Webhook,
    attributes: Attributes,
    resource: Resource,
    obj: Object | None,
    old: Object | None,
    *,
    is_mutating: bool,
) -> Verdict:
    """What the webhook says to the request. Raises CallFailed."""
    core = attributes.core
    review_id = new_uid(core.random)
    review = review_of(webhook, review_id, attributes, resource, obj, old)
    data = await _post(core, webhook, orjson.dumps(review))

    def judged() -> Verdict:
        try:
            answer = orjson.loads(data)
        except orjson.JSONDecodeError as error:
            raise CallFailed(
                f"failed to call webhook: couldn't get version/kind; json parse error: {error}"
            ) from error
        try:
            return verdict(answer, review_id, webhook.review_version, is_mutating=is_mutating)
        except InvalidAnswer as error:
            raise CallFailed(f"received invalid webhook response: {error}") from error

    if has_too_many(data):
        raise CallFailed(f"received invalid webhook response: more than {MOST_CONTAINERS} lists and maps")
    return await done_beside(attributes, judged, len(data))


def shown_url(client_config: Mapping[str, Any], timeout_s: int) -> str:
    """The URL as it is told to people: a service by its name, whichever endpoint is asked."""
    url = client_config.get("url")
    if not url:
        service = client_config.get("service") or {}
        host = f"{service.get('name')}.{service.get('namespace')}.svc"
        url = f"https://{host}:{service.get('port') or 443}{_path(service.get('path'))}"
    return f"{url}{'&' if urlsplit(url).query else '?'}{_with_timeout('', timeout_s)}"


def _path(path: str | None) -> str:
    return path if path and path.startswith("/") else f"/{path or ''}"


def _with_timeout(query: str, timeout_s: int) -> str:
    return f"{query}{'&' if query else ''}timeout={timeout_s}s"


async def _post(core: Parts, webhook: Webhook, body: bytes) -> bytes:
    shown = f'failed to call webhook: Post "{shown_url(webhook.client_config, webhook.timeout_s)}"'
    try:
        backend = await webhook_backend(core.registry, core.random, webhook.client_config)
        async with core.outbound.request(
            "POST",
            backend.target,
            backend.path,
            _with_timeout(backend.query, webhook.timeout_s),
            trust=webhook_trust(webhook.client_config, backend),
            headers=HEADERS,
            body=body,
            timeout_s=float(webhook.timeout_s),
        ) as response:
            data, status = await read_answer(response, ANSWER_LIMIT_B), response.status
    except ApiError as error:
        raise CallFailed(f"{shown}: {error.message}", error.code) from error
    except Unreachable as error:
        raise CallFailed(f"{shown}: {_go_words(error)}") from error
    if status >= 300:
        raise CallFailed(f"failed to call webhook: {_refusal(status, data)}", status)
    return data


def _refusal(status: int, data: bytes) -> str:
    """An HTTP error as upstream's client tells it."""
    text = data[:_SHOWN_CHARACTERS].decode(errors="replace").strip()
    match status:
        case 404:
            return "the server could not find the requested resource"
        case 401:
            return "the server has asked for the client to provide credentials"
        case 403:
            return f"{text or 'forbidden'}"
        case 429:
            return "the server has received too many requests and has asked us to try again later"
        case _ if status >= 500:
            return f'an error on the server ("{text or "unknown"}") has prevented the request from succeeding'
    return f'the server rejected our request for an unknown reason ("{text or status}")'


def _go_words(error: Unreachable) -> str:
    """Why a connection could not be had, in the words of Go's net package."""
    import aiohttp

    cause = error.__cause__
    match cause:
        case TimeoutError():
            return "context deadline exceeded"
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError():
            return f"tls: failed to verify certificate: x509: {cause.os_error}"
        case aiohttp.ClientConnectorDNSError():
            return f"dial tcp: lookup {cause.host}: no such host"
        case aiohttp.ClientConnectorError():
            what = (
                "connection refused" if isinstance(cause.os_error, ConnectionRefusedError) else cause.strerror
            )
            return f"dial tcp {cause.host}:{cause.port}: connect: {what}"
        case aiohttp.ServerDisconnectedError():
            return "EOF"
    return str(error)
