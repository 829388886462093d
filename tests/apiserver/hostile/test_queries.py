"""Options, selectors, versions and continue tokens nobody should send."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote

import pytest

from tests.apiserver.hostile.wire import CONFIG_MAPS, PODS, ask, refused
from tests.apiserver.rig import Rig, config_map
from wherry.objects.errors import LONGEST_SHOWN

NO_INTEGERS = ["1.5", "abc", "5_0", " 5", "0x10", "१", "1e3", "--1"]
BEYOND_64_BITS = ["9223372036854775808", "-9223372036854775809", "9" * 5000]


@pytest.mark.parametrize("option", ["limit", "timeoutSeconds"])
async def test_integers(rig: Rig, option: str) -> None:
    for text in NO_INTEGERS:
        reply = await ask(rig, "GET", f"{CONFIG_MAPS}?{option}={quote(text)}")
        refused(reply, 400, "BadRequest", "strconv.ParseInt: parsing ")
        assert "invalid syntax" in reply.json["message"]
    for text in BEYOND_64_BITS:
        reply = await ask(rig, "GET", f"{CONFIG_MAPS}?{option}={text}")
        shown = text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."
        refused(reply, 400, "BadRequest", f'strconv.ParseInt: parsing "{shown}": value out of range')
    for text in ("-1", "0", "", "9223372036854775807", "-9223372036854775808"):
        assert (await ask(rig, "GET", f"{CONFIG_MAPS}?{option}={text}")).code == 200


async def test_a_watch_of_absurd_length_begins(rig: Rig) -> None:
    for text in ("9223372036854775807", "-5"):
        target = f"{CONFIG_MAPS}?watch=1&timeoutSeconds={text}"
        assert (await ask(rig, "HEAD", target)).code == 200


async def test_grace_periods(rig: Rig) -> None:
    for text in (*NO_INTEGERS, *BEYOND_64_BITS):
        reply = await ask(rig, "DELETE", f"{PODS}/target?gracePeriodSeconds={quote(text)}")
        refused(reply, 400, "BadRequest", "strconv.ParseInt")
    assert (await ask(rig, "GET", f"{PODS}/target")).code == 200


@pytest.mark.parametrize(
    "text", ["-1", "abc", "1.5", "१", "²", "9" * 5000, "18446744073709551616", "%00", " "]
)
async def test_versions_that_are_none(rig: Rig, text: str) -> None:
    asked = text if text == "%00" else quote(text)
    said = "invalid resource version: resourceVersion: Invalid value"
    for target in (CONFIG_MAPS, f"{CONFIG_MAPS}/target"):
        refused(await ask(rig, "GET", f"{target}?resourceVersion={asked}"), 400, "BadRequest", said)
    watch = f"{CONFIG_MAPS}?watch=1&timeoutSeconds=1&resourceVersion={asked}"
    refused(await ask(rig, "GET", watch), 400, "BadRequest", said)


INITIAL = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"


async def test_versions_of_the_future(rig: Rig) -> None:
    for text in ("99999999", "18446744073709551615"):
        said = f"Too large resource version: {text}, current: {rig.store.revision}"
        for target in (CONFIG_MAPS, f"{CONFIG_MAPS}/target", f"{CONFIG_MAPS}?{INITIAL}"):
            joint = "&" if "?" in target else "?"
            reply = await ask(rig, "GET", f"{target}{joint}resourceVersion={text}")
            refused(reply, 504, "Timeout", said)
            assert reply.json["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"
            assert reply.headers["retry-after"] == "1"


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (
            "resourceVersionMatch=Exact",
            "resourceVersionMatch is forbidden unless resourceVersion is provided",
        ),
        ("resourceVersionMatch=Sort&resourceVersion=1", 'Unsupported value: "Sort"'),
        ("resourceVersionMatch=Exact&resourceVersion=0", "is forbidden for resourceVersion"),
        ("sendInitialEvents=true", "sendInitialEvents is forbidden for list"),
        ("watch=1&sendInitialEvents=true", "requires setting resourceVersionMatch to NotOlderThan"),
        ("watch=1&resourceVersionMatch=Exact", "is forbidden for watch unless sendInitialEvents"),
    ],
)
async def test_options_that_contradict(rig: Rig, query: str, said: str) -> None:
    refused(await ask(rig, "GET", f"{CONFIG_MAPS}?{query}"), 422, "Invalid", said)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("dryRun=Some", "dryRun: Unsupported value"),
        ("fieldValidation=Sometimes", "fieldValidation: Unsupported value"),
        ("fieldManager=" + "x" * 129, "fieldManager: Too long"),
    ],
)
async def test_write_options(rig: Rig, query: str, said: str) -> None:
    body = json.dumps(config_map("a")).encode()
    refused(await ask(rig, "POST", f"{CONFIG_MAPS}?{query}", body), 422, "Invalid", said)
    refused(await ask(rig, "PUT", f"{CONFIG_MAPS}/target?{query}", body), 422, "Invalid", said)


def token(document: Any) -> str:
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def forged(revision: Any = 1, start: Any = "default/a\0", version: Any = "meta.k8s.io/v1") -> str:
    return token({"v": version, "rv": revision, "start": start})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x", "continue key is not valid"),
        ("====", "continue key is not valid"),
        ("%ff", "continue key is not valid"),
        ("A" * 60_000, "continue key is not valid"),
        (token(b"[]"), "continue key is not valid"),
        (token(b"[" * 2000), "continue key is not valid"),
        (token({}), "server does not recognize this encoded version"),
        (forged(version="v2"), 'server does not recognize this encoded version "v2"'),
        (forged(revision="x"), "incorrect encoded start resourceVersion (version meta.k8s.io/v1)"),
        (forged(revision=0), "incorrect encoded start resourceVersion (version meta.k8s.io/v1)"),
        (forged(revision=True), "incorrect encoded start resourceVersion (version meta.k8s.io/v1)"),
        (forged(revision=1e300), "incorrect encoded start resourceVersion (version meta.k8s.io/v1)"),
        (forged(start=""), "encoded start key empty (version meta.k8s.io/v1)"),
        (forged(start=5), "encoded start key empty (version meta.k8s.io/v1)"),
        (forged(start="../../secrets/default/a\0"), "continue key is not valid"),
        (forged(revision=10**15), "it is from a later time than this server's"),
    ],
    ids=lambda it: it[:40],
)
async def test_continue_tokens(rig: Rig, text: str, said: str) -> None:
    asked = text if text == "%ff" else quote(text)
    reply = await ask(rig, "GET", f"{CONFIG_MAPS}?limit=1&continue={asked}")
    refused(reply, 400, "BadRequest", "invalid continue token: ")
    assert said in reply.json["message"]


async def test_a_token_of_another_collection_reaches_nothing_else(rig: Rig) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hidden"}}
    assert (await rig.http("POST", "/api/v1/namespaces/default/secrets", secret))[0] == 201
    for start in ("/registry/secrets/\0", "\0", "zzz\0", "kube-system/\0"):
        reply = await ask(rig, "GET", f"{CONFIG_MAPS}?continue={quote(forged(-1, start))}")
        assert reply.code == 200
        assert b"hidden" not in reply.body


MANY = "a in (" + "x," * 20_000 + "x)"


@pytest.mark.parametrize(
    ("selector", "said"),
    [
        ("a in (", "unable to parse requirement"),
        ("((((", "expected: !, identifier"),
        ("!!a", "expected: identifier"),
        ("x" * 60_000, "name part must be no more than 63 bytes"),
        ("a=\0", "Invalid value"),
        ("a=" + "x" * 64, "must be no more than 63 bytes"),
        ("a>x", "the value must be an integer"),
        ("é", "Invalid value"),
        ("a,,b", "expected: identifier after ','"),
    ],
    ids=lambda it: it[:20],
)
async def test_label_selectors(rig: Rig, selector: str, said: str) -> None:
    refused(await ask(rig, "GET", f"{CONFIG_MAPS}?labelSelector={quote(selector)}"), 400, "BadRequest", said)
    watch = f"{CONFIG_MAPS}?watch=1&labelSelector={quote(selector)}"
    refused(await ask(rig, "GET", watch), 400, "BadRequest", said)
    refused(
        await ask(rig, "DELETE", f"{CONFIG_MAPS}?labelSelector={quote(selector)}"), 400, "BadRequest", said
    )
    assert (await ask(rig, "GET", f"{CONFIG_MAPS}/target")).code == 200


async def test_huge_selectors_are_answered(rig: Rig) -> None:
    for selector in (MANY, "a=b," * 10_000 + "c", "a>" + "9" * 63):
        reply = await ask(rig, "GET", f"{CONFIG_MAPS}?labelSelector={quote(selector, safe=',()')}")
        assert (reply.code, reply.json["items"]) == (200, [])
    fields = "metadata.name=a," * 3000 + "metadata.name=b"
    assert (await ask(rig, "GET", f"{CONFIG_MAPS}?fieldSelector={fields}")).json["items"] == []


@pytest.mark.parametrize(
    ("selector", "said"),
    [
        ("a", "invalid selector"),
        ("spec.nosuch=1", '"spec.nosuch" is not a known field selector'),
        ("metadata.name=a\\", "invalid escape sequence"),
        ("metadata.name=a=b", "unescaped character in value"),
    ],
)
async def test_field_selectors(rig: Rig, selector: str, said: str) -> None:
    target = f"{CONFIG_MAPS}?fieldSelector={quote(selector)}"
    refused(await ask(rig, "GET", target), 400, "BadRequest", said)
    refused(await ask(rig, "DELETE", target), 400, "BadRequest", said)
    assert (await ask(rig, "GET", f"{CONFIG_MAPS}/target")).code == 200


async def test_queries_that_are_no_utf8(rig: Rig) -> None:
    for query in ("labelSelector=%ff", "fieldSelector=%ff"):
        refused(await ask(rig, "GET", f"{CONFIG_MAPS}?{query}"), 400, "BadRequest")
    for query in ("%ff=%fe", "&&==&=;", "limit", "%", "%zz=%", "a=" + "b" * 30_000):
        assert (await ask(rig, "GET", f"{CONFIG_MAPS}?{query}")).code == 200


async def test_too_many_labels_and_too_long_annotations(rig: Rig) -> None:
    body = config_map("labels")
    body["metadata"]["labels"] = {f"long-label-{number:06}": "v" for number in range(100_000)}
    reply = await ask(rig, "POST", CONFIG_MAPS, json.dumps(body).encode())
    assert reply.code == 500
    assert reply.json["message"].startswith(
        "rpc error: code = ResourceExhausted desc = trying to send message larger than max ("
    )
    body = config_map("annotations")
    body["metadata"]["annotations"] = {"a": "x" * (256 * 1024)}
    refused(
        await ask(rig, "POST", CONFIG_MAPS, json.dumps(body).encode()),
        422,
        "Invalid",
        "metadata.annotations: Too long: may not be more than 262144 bytes",
    )


@pytest.mark.parametrize("compacts", [False, True])
async def test_pages_while_everything_changes(rig: Rig, compacts: bool) -> None:
    """All pages show one moment, or the client is told that they cannot any more."""
    for number in range(60):
        assert (await rig.http("POST", CONFIG_MAPS, config_map(f"m{number:02}")))[0] == 201
    wanted = [f"m{number:02}" for number in range(60)] + ["target"]
    found: list[str] = []
    version = following = ""
    for turn in range(20):
        reply = await ask(rig, "GET", f"{CONFIG_MAPS}?limit=7&continue={following}")
        if reply.code == 410:
            refused(reply, 410, "Expired", "The provided continue parameter is too old")
            rest = reply.json["metadata"]["continue"]
            reply = await ask(rig, "GET", f"{CONFIG_MAPS}?continue={rest}")
            later = [item["metadata"]["name"] for item in reply.json["items"]]
            assert compacts
            assert reply.code == 200
            assert later[0] > found[-1], "an inconsistent rest begins where the pages ended"
            return
        assert reply.code == 200
        found += [item["metadata"]["name"] for item in reply.json["items"]]
        version = version or reply.json["metadata"]["resourceVersion"]
        assert reply.json["metadata"]["resourceVersion"] == version
        following = reply.json["metadata"].get("continue", "")
        if not following:
            break
        for number in range(turn * 3, turn * 3 + 3):
            await rig.http("DELETE", f"{CONFIG_MAPS}/m{59 - number:02}")
            await rig.http("POST", CONFIG_MAPS, config_map(f"n{number:02}"))
        if compacts and turn == 3:
            await rig.store.compact(rig.store.revision)
    assert not compacts
    assert found == wanted
