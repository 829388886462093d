"""Unknown and repeated fields: what is told of them, which costs little however many there are."""

from __future__ import annotations

import pytest

from tests.timing import least, thread_seconds
from wherry.api import schema
from wherry.apiserver.strictness import json_complaints, json_patch_complaints, json_repeats, yaml_repeats
from wherry.objects.errors import MOST_COMPLAINTS
from wherry.objects.structural.node import Node
from wherry.objects.structural.prune import prune

CONFIG_MAP = "io.k8s.api.core.v1.ConfigMap"


def unknown(*paths: str) -> list[str]:
    return [f'unknown field "{path}"' for path in paths]


def duplicate(*paths: str) -> list[str]:
    return [f'duplicate field "{path}"' for path in paths]


@pytest.mark.parametrize(
    ("body", "fields", "told"),
    [
        (b'{"a":1,"b":2}', ["b"], unknown("b")),
        (b'{"b":2,"a":1,"a":2}', ["b"], unknown("b") + duplicate("a")),
        (b'{"a":1,"a":2,"b":2}', ["b"], duplicate("a") + unknown("b")),
        (b'{"b":{"x":1,"x":2},"a":1,"a":1}', ["b"], unknown("b") + duplicate("a")),
        (b'{"a":[{"x":1},{"x":1,"x":2}]}', [], duplicate("a[1].x")),
        (b'{"a":[[{"x":1,"x":2}]]}', [], duplicate("a[0][0].x")),
        (b'{"b.c":{"x":1,"x":2}}', ["b.c"], unknown("b.c")),
        (b'{"a":{"b":1,"b":1,"b":1}}', [], duplicate("a.b")),
    ],
)
def test_fields_are_told_in_the_order_of_the_document(
    body: bytes, fields: list[str], told: list[str]
) -> None:
    assert json_complaints(body, unknown(*fields)) == told


def test_repeated_keys_among_many_unknown_fields_cost_no_time() -> None:
    count = 8000
    strangers = b",".join(b'"x%d":0' % number for number in range(count))
    body = b'{"data":{}%b,%b}' % (b',"data":{}' * count, strangers)
    told: list[str] = []

    def complain() -> None:
        told[:] = json_complaints(body, unknown(*(f"x{number}" for number in range(count))))

    assert least(lambda: thread_seconds(complain), 3) < 3
    assert told[:2] == [*duplicate("data"), *unknown("x0")]
    assert len(told) == MOST_COMPLAINTS


def test_long_keys_above_many_short_ones_cost_no_time() -> None:
    body = b'{"%b":{%b}}' % (b"x" * 1_000_000, b",".join(b'"%d":0,"%d":0' % (n, n) for n in range(50_000)))

    def repeats() -> None:
        assert 0 < len(json_repeats(body)) <= MOST_COMPLAINTS

    assert least(lambda: thread_seconds(repeats), 3) < 3


def test_of_many_only_the_first_are_told() -> None:
    names = [f"x{number}" for number in range(300)]
    obj = {"metadata": {"name": "a"}, **dict.fromkeys(names, 1)}
    found = schema.check(obj, schema.definition(CONFIG_MAP))
    assert list(found.unknown) == unknown(*names[:MOST_COMPLAINTS])
    assert obj == {"metadata": {"name": "a"}}
    custom = {"spec": [dict.fromkeys(names, 1)], **dict.fromkeys(names, 1)}
    assert len(prune(custom, Node({"type": "object", "properties": {"spec": {"type": "array"}}}))) == 100
    assert custom == {"spec": [{}]}
    twice = ",".join(f'"{name}":1,"{name}":2' for name in names).encode()
    assert json_repeats(b"{%b}" % twice) == duplicate(*names[:MOST_COMPLAINTS])
    assert len(json_patch_complaints(b"[{%b}]" % twice)) == MOST_COMPLAINTS
    assert len(yaml_repeats(b"\n".join(b"%b: 1\n%b: 1" % (n.encode(), n.encode()) for n in names))) == 100
