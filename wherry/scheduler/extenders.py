"""Extenders: servers that have a say in filtering, scoring, preemption and binding, asked by HTTP
(`pkg/scheduler/extender.go`).

The bodies are Go's, without tags: `Pod`, `Nodes` or `NodeNames` go out, `FailedNodes` and so on come back,
in any case. What one answers is not trusted: names nobody asked about, and answers of another form, are
errors.
"""

from __future__ import annotations

import base64
import binascii
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from wherry.objects.go_durations import parse_go_duration
from wherry.objects.meta import Object, name_of, namespace_of
from wherry.scheduler.facts import PodFacts
from wherry.scheduler.framework import SchedulingError
from wherry.scheduler.preemption import Candidate

if TYPE_CHECKING:
    import aiohttp

TIMEOUT_S = 5.0
POINTS = 10
"""What an extender's points (0 to 10) are multiplied by, beside its weight."""
LARGEST_ANSWER = 64 * 1024 * 1024

FindNode = Callable[[str], Object | None]
PodsOn = Callable[[str], Mapping[str, PodFacts] | None]


@dataclass(slots=True)
class Verdict:
    """Which nodes are left, and why others are out; `hard` are those where evictions would not help."""

    left: list[str]
    failed: dict[str, str] = field(default_factory=dict)
    hard: dict[str, str] = field(default_factory=dict)


class Extender:
    """One extender, by its settings (checked by `configuration`)."""

    def __init__(self, settings: Mapping[str, Any], find_node: FindNode) -> None:
        self.url = str(settings.get("urlPrefix") or "").rstrip("/")
        self.weight = int(settings.get("weight") or 0)
        self.ignorable = bool(settings.get("ignorable"))
        self.binds = bool(settings.get("bindVerb"))
        self._verbs = {
            verb: str(settings.get(f"{verb}Verb") or "")
            for verb in ("filter", "prioritize", "preempt", "bind")
        }
        self._by_name = bool(settings.get("nodeCacheCapable"))
        managed = settings.get("managedResources") or ()
        self._managed = frozenset(resource["name"] for resource in managed)
        self.ignored_resources = frozenset(r["name"] for r in managed if r.get("ignoredByScheduler"))
        given = settings.get("httpTimeout")
        self._timeout_s = parse_go_duration(given) / 1e9 if given else TIMEOUT_S
        self._tls = settings.get("tlsConfig") or {}
        self._is_secure = bool(settings.get("enableHTTPS")) or bool(self._tls)
        self._find_node = find_node
        self._session: aiohttp.ClientSession | None = None

    def is_interested(self, pod: PodFacts) -> bool:
        """Whether the pod asks for something this extender manages; one that names nothing wants all."""
        if not self._managed:
            return True
        return not self._managed.isdisjoint(pod.template.requests)

    async def filter(self, pod: PodFacts, names: Sequence[str]) -> Verdict:
        """Which of the nodes can take the pod. Raises SchedulingError."""
        if not self._verbs["filter"]:
            return Verdict(list(names))
        answer = _object(await self._send("filter", self._about(pod, names)), "filter")
        if answer.get("error"):
            raise SchedulingError(str(answer["error"]))
        left = answer.get("nodenames") if self._by_name else None
        if left is None and answer.get("nodes") is not None:
            items = _list(_object(answer["nodes"], "nodes").get("items"), "items")
            left = [name_of(item) if isinstance(item, dict) else item for item in items]
        found = _list(left, "node names")
        known = set(names)
        for name in found:
            if not isinstance(name, str):
                raise SchedulingError(f"extender {self.url}: a node's name is no text")
            if name not in known:
                raise SchedulingError(
                    f'extender "{self.url}" claims a filtered node "{name}" which is not found in the input'
                )
        return Verdict(
            found, _texts(answer.get("failednodes")), _texts(answer.get("failedandunresolvablenodes"))
        )

    async def prioritize(self, pod: PodFacts, names: Sequence[str]) -> dict[str, int]:
        """Points by node, 0 to 10 each. Raises SchedulingError."""
        if not self._verbs["prioritize"]:
            return {}
        answer = await self._send("prioritize", self._about(pod, names))
        if not isinstance(answer, list):
            raise SchedulingError(f"extender {self.url}: prioritize answered with no list")
        points = {}
        for item in answer:
            lowered = _object(item, "priority")
            score = lowered.get("score") or 0
            if not isinstance(score, int):
                raise SchedulingError(f"extender {self.url}: a node's score is no whole number")
            points[str(lowered.get("host"))] = min(max(score, 0), POINTS)
        return points

    @property
    def preempts(self) -> bool:
        """Whether it has a say in whom to evict (upstream's SupportsPreemption)."""
        return bool(self._verbs["preempt"])

    async def preempt(
        self, pod: PodFacts, candidates: Sequence[Candidate], pods_on: PodsOn
    ) -> list[Candidate]:
        """The candidates it leaves, with the victims it chooses (ProcessPreemption). Raises SchedulingError.

        `pods_on` are the pods of a node by uid, None if there is no such node.
        """
        answer = _object(await self._send("preempt", self._about_victims(pod, candidates)), "preempt")
        chosen = answer.get("nodenametometavictims") or {}
        if not isinstance(chosen, dict):
            raise SchedulingError(f"extender {self.url}: its nodes with victims are no object")
        found = []
        for node, told in chosen.items():
            candidate = self._chosen(node, _object(told or {}, "victims"), pods_on(node))
            if candidate is not None:
                found.append(candidate)
        return found

    def _about_victims(self, pod: PodFacts, candidates: Sequence[Candidate]) -> dict[str, Any]:
        victims, by_uid = (
            {
                one.node: {
                    "Pods": [shown(victim) for victim in one.victims],
                    "NumPDBViolations": one.violations,
                }
                for one in candidates
            }
            for shown in (_whole, _uid)
        )
        return {
            "Pod": pod.pod,
            "NodeNameToVictims": None if self._by_name else victims,
            "NodeNameToMetaVictims": by_uid if self._by_name else None,
        }

    def _chosen(
        self, node: str, told: Mapping[str, Any], there: Mapping[str, PodFacts] | None
    ) -> Candidate | None:
        """What it chose of one node; None where it chose nobody, and may be passed over."""
        if there is None:
            raise SchedulingError(f'nodeinfo not found for node name "{node}"')
        victims = []
        for item in _list(told.get("pods"), "victims"):
            uid = _object(item, "victim").get("uid")
            if not isinstance(uid, str) or uid not in there:
                raise SchedulingError(
                    f"extender: {self.url} claims to preempt pod (UID: {uid}) on node: {node}, "
                    "but the pod is not found on that node"
                )
            victims.append(there[uid])
        violations = told.get("numpdbviolations") or 0
        if not isinstance(violations, int):
            raise SchedulingError(f"extender {self.url}: a number of violations is no whole number")
        if victims:
            victims.sort(key=lambda victim: -victim.priority)
            return Candidate(node, tuple(victims), violations)
        if self.ignorable:
            return None
        raise SchedulingError(f'expected at least one victim pod on node "{node}"')

    async def bind(self, pod: PodFacts, node: str) -> None:
        """Bind the pod. Raises SchedulingError."""
        body = {
            "PodName": name_of(pod.pod),
            "PodNamespace": namespace_of(pod.pod),
            "PodUID": pod.uid,
            "Node": node,
        }
        answer = _object(await self._send("bind", body), "bind")
        if answer.get("error"):
            raise SchedulingError(str(answer["error"]))

    async def close(self) -> None:
        """Give up connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _about(self, pod: PodFacts, names: Sequence[str]) -> dict[str, Any]:
        if self._by_name:
            return {"Pod": pod.pod, "Nodes": None, "NodeNames": list(names)}
        items = [node for name in names if (node := self._find_node(name)) is not None]
        return {
            "Pod": pod.pod,
            "Nodes": {"apiVersion": "v1", "kind": "NodeList", "metadata": {}, "items": items},
            "NodeNames": None,
        }

    async def _send(self, verb: str, about: Mapping[str, Any]) -> Any:
        import aiohttp  # by whoever has extenders

        url = f"{self.url}/{self._verbs[verb]}"
        try:
            async with self._connected().post(
                url,
                data=orjson.dumps(about),
                headers={"Content-Type": "application/json"},
                allow_redirects=False,
            ) as answer:
                if answer.status != 200:
                    text = f"failed {verb} with extender at URL {url}, code {answer.status}"
                    raise SchedulingError(text)
                body = bytearray()
                async for piece in answer.content.iter_any():
                    body += piece
                    if len(body) > LARGEST_ANSWER:
                        raise SchedulingError(
                            f"extender {url}: an answer of more than {LARGEST_ANSWER} bytes"
                        )
                return orjson.loads(body)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise SchedulingError(f'Post "{url}": {error or type(error).__name__}') from None
        except ValueError as error:
            raise SchedulingError(f"extender {url}: {error}") from None

    def _connected(self) -> aiohttp.ClientSession:
        if self._session is None:
            import aiohttp

            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=self._context() if self._is_secure else True),
                timeout=aiohttp.ClientTimeout(total=self._timeout_s),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    def _context(self) -> ssl.SSLContext | bool:
        """As upstream's: without a CA nothing is verified."""
        tls = self._tls
        try:
            authority = base64.b64decode(tls.get("caData") or "").decode()
            if not authority and not tls.get("caFile"):
                return False
            context = ssl.create_default_context(cafile=tls.get("caFile") or None, cadata=authority or None)
            if tls.get("certFile"):
                context.load_cert_chain(tls["certFile"], tls.get("keyFile"))
        except (OSError, ssl.SSLError, binascii.Error, UnicodeDecodeError) as error:
            raise SchedulingError(f"extender {self.url}: unusable tlsConfig: {error}") from None
        return False if tls.get("insecure") else context


def _whole(pod: PodFacts) -> Object:
    return pod.pod


def _uid(pod: PodFacts) -> Object:
    return {"UID": pod.uid}


def _object(value: Any, what: str) -> dict[str, Any]:
    """A JSON object by names in lower case, as Go reads them in any case. Raises SchedulingError."""
    if not isinstance(value, dict):
        raise SchedulingError(f"an extender's {what} is no object")
    return {name.lower(): item for name, item in value.items()}


def _list(value: Any, what: str) -> list[Any]:
    """A JSON array; null is an empty one, as in Go. Raises SchedulingError."""
    if value is not None and not isinstance(value, list):
        raise SchedulingError(f"an extender's {what} are no list")
    return value or []


def _texts(value: Any) -> dict[str, str]:
    return {str(name): str(text) for name, text in value.items()} if isinstance(value, dict) else {}
