"""Files of snapshots whose content is of another shape: refused by the field, and nothing is damaged."""

from __future__ import annotations

import base64
import copy
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from wherry.hollow.outcomes import Chosen, Evicted, Exits, NodeOutcome, Outcome
from wherry.testing import Cluster, Snapshot, SnapshotError, snapshot_file

OTHERS: tuple[Any, ...] = (None, True, "x", "", -1, (1 << 64) - 1, 1.5, -0.5, [], ["x"], [[]], {}, {"x": 1})
MISSING = object()
OUTCOMES = (
    Outcome(name="crashes", chosen=Chosen({"app": "web"}, names=("web-*",)), exits=Exits(3, 2.0)),
    Outcome(name="full", evicted=Evicted(1.0), unready_after_s=3.0),
    NodeOutcome(name="gone", chosen=Chosen(), lost_after_s=4.0),
)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A file with something of everything: history, deletions, events that expire."""
    path = tmp_path_factory.mktemp("snapshots") / "taken"
    with Cluster(
        controllers="none", scheduler=False, outcomes=OUTCOMES, runtime_config={"batch/v1": True}
    ) as c:
        meta = {"name": "m", "namespace": "default"}
        c.client.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta})
        c.client.delete("configmaps", "m", "default")
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": meta,
            "involvedObject": {"namespace": "default"},
        }
        c.client.create(event)
        c.snapshot().save(path)
    return path.read_bytes()


@pytest.fixture(scope="module")
def document(saved: bytes) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(zlib.decompress(saved.partition(b"\n")[2]))
    store = found["store"]
    assert store["expiries"]
    assert any(deleted for _, _, deleted in store["log"])
    return found


def write(path: Path, document: Any) -> Path:
    head = snapshot_file.MAGIC + b"%d\n" % snapshot_file.FORMAT
    path.write_bytes(head + zlib.compress(orjson.dumps(document), 1))
    return path


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a document; of a list's items the first and the last stand for all."""
    if path:
        yield path
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from places(inner, (*path, name))
    elif isinstance(value, list):
        for index in sorted({0, len(value) - 1} if value else ()):
            yield from places(value[index], (*path, index))


def changed(document: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """A copy with another value in that place; only what leads there is copied."""
    made = copy.copy(document)
    inner: Any = made
    for step in path[:-1]:
        inner[step] = copy.copy(inner[step])
        inner = inner[step]
    if value is MISSING:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return made


def test_whatever_is_taken_is_kept_as_it_was(document: dict[str, Any], tmp_path: Path) -> None:
    """Of every other value in every place: it is refused in one line, or a snapshot holds just that."""
    refused, said = 0, set()
    for path in list(places(document)):
        for value in OTHERS:
            tried = changed(document, path, value)
            try:
                found = Snapshot.load(write(tmp_path / "tried", tried))
            except SnapshotError as error:
                refused += 1
                said.add(len(str(error).splitlines()))
                continue
            found.save(tmp_path / "again")
            text = zlib.decompress((tmp_path / "again").read_bytes().partition(b"\n")[2])
            assert orjson.loads(text)["settings"] == tried["settings"], (path, value)
            assert orjson.loads(text)["random"] == tried["random"], (path, value)
    assert refused > 1000
    assert said == {1}


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (("settings",), MISSING, "settings: must be a map, is None"),
        (("settings", "nodes"), MISSING, "settings.nodes: is missing"),
        (("settings", "nodes"), -1, "settings.nodes: -1 is negative"),
        (("settings", "seed"), "7", "settings.seed: must be a whole number, is '7'"),
        (("settings", "nods"), 3, "settings.nods: unknown field"),
        (
            ("settings", "node_template", "kind of settings"),
            "NodeTemplat",
            "must be of kind NodeTemplate, is",
        ),
        (
            ("settings", "node_template", "count"),
            1 << 40,
            "settings.node_template.count 1099511627776: must be",
        ),
        (
            ("settings", "outcomes", 0, "kind of settings"),
            "Stage",
            "outcomes[0].kind of settings: 'Stage' is not",
        ),
        (("settings", "outcomes", 0, "exits", "code"), MISSING, "outcomes[0].exits.code: is missing"),
        (
            ("settings", "outcomes", 0, "exits", "after_s"),
            -2.0,
            "exits.after_s: -2.0 is not a number from 0 on",
        ),
        (
            ("settings", "start"),
            "2026-01-01T00:00:00",
            "settings.start: 2026-01-01T00:00:00 has no time zone",
        ),
        (("settings", "start"), 1, "settings.start: must be a text or null, is 1"),
        (("wall",), "yesterday", "wall: Invalid isoformat string: 'yesterday'"),
        (("random",), [3, [1, 2], None], "random: state vector is the wrong size"),
        (("store", "revision"), -5, "store.revision: -5 is not between 0 and 2^63"),
        (("store", "compacted"), 1 << 40, "store.compacted: 1099511627776 is after the revision"),
        (("store", "current", 0), 1 << 20, "store.current[0]: there is no entry 1048576"),
        (("store", "current", 0), -1, "store.current[0]: -1 is not between"),
        (("store", "entries", 0, 1), "?", "store.entries[0][1]: "),
        (("store", "entries", 0, 1), "e30K", "holds is no object"),
        (("store", "entries", 0, 1), "eyJtZXRhZGF0YSI6IHt9fQ==", "holds is another object"),
        (("wall",), "9999-12-31T23:59:59+00:00", "is not within the years 1970 to 9000"),
        (("store", "entries", 0, 1), "W10=", "holds is no object"),
        (("store", "entries", 0, 2), 1 << 40, "are not within 1 and"),
        (("store", "retention"), [1.0], "store.retention: must be two numbers, is [1.0]"),
        (("version",), 3, "version: must be a text, is 3"),
    ],
)
def test_it_says_which_field(
    document: dict[str, Any], tmp_path: Path, path: tuple[Any, ...], value: Any, says: str
) -> None:
    file = write(tmp_path / "tried", changed(document, path, value))
    with pytest.raises(SnapshotError) as refused:
        Snapshot.load(file)
    assert says in str(refused.value)
    assert str(refused.value).startswith(f"{file} is damaged (")
    assert str(refused.value).endswith("): take the snapshot anew")


def test_what_is_related_must_fit(document: dict[str, Any], tmp_path: Path) -> None:
    store = document["store"]
    swapped = [store["current"][1], store["current"][0], *store["current"][2:]]
    first = store["current"][0]
    for name, value, says in (
        ("log", [], "ends with revision 0, the store has|ends with revision 1, the store has"),
        ("log", store["log"][:-1], "store.log: ends with revision"),
        ("current", store["current"][1:], "is not what the log says last of it"),
        ("log", [e for e in store["log"] if e[0] != first], "was changed after 0, the log has it not"),
        ("current", swapped, "is not after the key before it"),
        ("log", list(reversed(store["log"])), "is not after"),
        ("log", [[0, 0, False]], "the version before is of another key, or not before"),
        ("log", [[0, None, True]], "a deletion of nothing"),
    ):
        with pytest.raises(SnapshotError, match=says):
            Snapshot.load(write(tmp_path / "tried", changed(document, ("store", name), value)))
    Snapshot.load(write(tmp_path / "whole", document)).fork().close()


def packed(path: Path, text: bytes) -> Path:
    path.write_bytes(snapshot_file.MAGIC + b"%d\n" % snapshot_file.FORMAT + zlib.compress(text, 9))
    return path


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"[" + b"1," * 300_000 + b"1]", "it has more than 200000 values"),
        (b"[" + b"{}," * 150_000 + b"{}]", "it has more than 200000 values"),
        (b" " * ((1 << 25) + 1), "it is cut off, or of more than 33554432 bytes"),
    ],
)
def test_what_would_fill_the_memory_is_not_parsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: bytes, said: str
) -> None:
    monkeypatch.setattr(snapshot_file, "orjson", SimpleNamespace(JSONDecodeError=orjson.JSONDecodeError))
    with pytest.raises(SnapshotError, match=said):
        Snapshot.load(packed(tmp_path / "bomb", text))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (b"[" * 900 + b"]" * 900, "is more than 205 levels deep"),
        (b"[" + b"1," * 200_000 + b"1]", "has more than 200000 values"),
    ],
)
def test_an_object_that_no_server_would_have_taken(
    document: dict[str, Any], tmp_path: Path, value: bytes, said: str
) -> None:
    index = next(i for i, entry in enumerate(document["store"]["entries"]) if "/namespaces/" in entry[0])
    entry = document["store"]["entries"][index]
    obj = base64.b64decode(entry[1])
    spoilt = [entry[0], base64.b64encode(b'{"x":' + value + b"," + obj[1:]).decode(), *entry[2:]]
    path = write(tmp_path / "odd", changed(document, ("store", "entries", index), spoilt))
    with pytest.raises(SnapshotError, match=said):
        Snapshot.load(path)
