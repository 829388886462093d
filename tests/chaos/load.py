"""What goes on meanwhile: writers that remember what was acknowledged, and pods that come and go.

Plain HTTP with the administrator's certificate, no client of ours: an answer of 2xx is an acknowledgement,
anything else (or none) leaves open whether the write took place.
"""

from __future__ import annotations

import http.client
import json
import ssl
import threading
import time
from base64 import b64decode
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import yaml

from tests.live.cluster import LiveCluster

NAMESPACE = "chaos"
LONGEST_DELAY_S = 45.0
"""A request whose client has gone is done or dropped after so long."""
OBJECTS = 40
"""Each writer's ConfigMaps."""


class Api:
    """One connection at a time to the API server, made anew whenever it breaks."""

    def __init__(self, kubeconfig: Path, scratch: Path) -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        self._host, _, port = (
            config["clusters"][0]["cluster"]["server"].removeprefix("https://").partition(":")
        )
        self._port = int(port)
        authority = b64decode(config["clusters"][0]["cluster"]["certificate-authority-data"]).decode()
        self._context = ssl.create_default_context(cadata=authority)
        cert, key = scratch / "chaos.crt", scratch / "chaos.key"
        user = config["users"][0]["user"]
        for path, name in ((cert, "client-certificate-data"), (key, "client-key-data")):
            path.touch(mode=0o600)
            path.write_bytes(b64decode(user[name]))
        self._context.load_cert_chain(cert, key)
        self._connection: http.client.HTTPSConnection | None = None

    def call(
        self, method: str, path: str, body: Any = None, content_type: str = "application/json"
    ) -> tuple[int, Any]:
        """Status and decoded answer; status 0 when none came, or none that could be read."""
        if self._connection is None:
            self._connection = http.client.HTTPSConnection(
                self._host, self._port, context=self._context, timeout=10.0
            )
        try:
            data = None if body is None else json.dumps(body)
            self._connection.request(method, path, data, {"Content-Type": content_type})
            response = self._connection.getresponse()
            return response.status, json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError):
            self.close()
            return 0, None

    def close(self) -> None:
        """Leave the connection; the next call makes another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@dataclass
class Ledger:
    """What one writer knows: by name the last value acknowledged, and those whose fate is open.

    A write nobody answered may still take place, also after a later one that was: whatever stopped the server
    may have stopped it with the request before its door.
    """

    acknowledged: dict[str, str | None] = field(default_factory=dict)
    open: dict[str, list[tuple[float, str | None]]] = field(default_factory=dict)
    answers: Counter[int] = field(default_factory=Counter)

    def sent(self, name: str, value: str | None, code: int) -> None:
        """Note a write of `value` (None: a deletion) and how it was answered."""
        self.answers[code] += 1
        if 200 <= code < 300 or (value is None and code == 404):
            self.acknowledged[name] = value
            late = time.monotonic() - LONGEST_DELAY_S
            self.open[name] = [entry for entry in self.open.get(name, ()) if entry[0] > late]
        elif code in (0, 500, 502, 503, 504):
            self.open.setdefault(name, []).append((time.monotonic(), value))

    def allowed(self, name: str) -> list[str | None]:
        """The values the object may have now."""
        return [self.acknowledged.get(name), *(value for _, value in self.open.get(name, ()))]


class Load:
    """Everything that runs while faults happen."""

    def __init__(self, cluster: LiveCluster, seed: int, writers: int = 3) -> None:
        self.ledgers = [Ledger() for _ in range(writers)]
        self._cluster = cluster
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._write, args=(number, Random(f"{seed}/{number}")), daemon=True)
            for number in range(writers)
        ]
        self._threads.append(
            threading.Thread(target=self._scale, args=(Random(f"{seed}/scale"),), daemon=True)
        )

    def api(self, name: str) -> Api:
        """A connection of its own; `name` keeps its files apart."""
        scratch = self._cluster.directory / f"load-{name}"
        scratch.mkdir(mode=0o700, exist_ok=True)
        return Api(self._cluster.directory / "kubeconfig", scratch)

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End, after the requests under way."""
        self._stop.set()
        for thread in self._threads:
            thread.join(60.0)

    def _write(self, number: int, random: Random) -> None:
        api, ledger, count = self.api(f"writer-{number}"), self.ledgers[number], 0
        base = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
        while not self._stop.wait(random.uniform(0.005, 0.05)):
            name, count = f"w{number}-{random.randrange(OBJECTS)}", count + 1
            if random.random() < 0.1:
                ledger.sent(name, None, api.call("DELETE", f"{base}/{name}")[0])
                continue
            value = str(count)
            patch = {"data": {"value": value}}
            code, _ = api.call("PATCH", f"{base}/{name}", patch, "application/merge-patch+json")
            if code == 404:
                made = {"metadata": {"name": name}, **patch}
                code, _ = api.call("POST", base, made)
            ledger.sent(name, value, code)
        api.close()

    def _scale(self, random: Random) -> None:
        api = self.api("scale")
        path = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/busy/scale"
        while not self._stop.wait(random.uniform(2.0, 6.0)):
            patch = {"spec": {"replicas": random.randrange(1, 5)}}
            api.call("PATCH", path, patch, "application/merge-patch+json")
        api.close()
