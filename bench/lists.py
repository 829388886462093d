"""How long others wait while a list of 30,000 pods is taken, in each form there is.

The list goes to a process of its own, which only reads; here one object is asked for again and again. The
longest it waits in a whole list is the figure, the best of three lists: what else the machine does counts
against the server.
"""

from __future__ import annotations

import multiprocessing
import time
from multiprocessing.connection import Connection

from bench.alone import Access, Alone, Api
from bench.figures import Figure, percentile
from bench.fill import fill
from bench.objects import NAMESPACE, pod
from bench.stored import samples

PODS = 30_000
ROUNDS = 3
LONGEST = "≤ 50 ms"
FORMS = {
    "Table": "application/json;as=Table;v=v1;g=meta.k8s.io",
    "YAML": "application/yaml",
    "JSON": "application/json",
    "protobuf": "application/vnd.kubernetes.protobuf",
}
COLLECTION = f"/api/v1/namespaces/{NAMESPACE}/pods"


def measure_lists() -> list[Figure]:
    """The longest wait, and its 99th percentile, for each form."""
    figures = []
    with Alone() as server:
        server.start()
        server.make_namespace()
        few = samples(server)
        server.stop()
        fill(server.paths.store, f"/registry/pods/{NAMESPACE}/", few, PODS)
        server.start()
        api = Api(server.access)
        api.send("POST", COLLECTION, pod(PODS))
        for form, accept in FORMS.items():
            waits, took_s = min((_waits(server, api, accept) for _ in range(ROUNDS)), key=lambda f: max(f[0]))
            what = f"while {PODS:,} pods are listed as {form}"
            figures += [
                Figure(f"longest wait of another client {what}", max(waits) * 1000, "ms", LONGEST),
                Figure(f"99th percentile of its waits {what}", percentile(waits, 99) * 1000, "ms"),
                Figure(f"the list itself, {form}", took_s, "s"),
            ]
        api.close()
    return figures


def _waits(server: Alone, api: Api, accept: str) -> tuple[list[float], float]:
    """What a GET took, each time, while a list was taken; and how long the list took."""
    here, there = multiprocessing.Pipe()
    taking = multiprocessing.Process(target=_take, args=(server.access, accept, there))
    taking.start()
    there.close()
    here.recv()  # it is connected
    waits = []
    here.send("begin")
    began = time.perf_counter()
    while not here.poll():
        started = time.perf_counter()
        api.send("GET", f"{COLLECTION}/p{PODS}")
        waits.append(time.perf_counter() - started)
        time.sleep(0.001)
    took_s = time.perf_counter() - began
    if here.recv() != "taken":
        raise RuntimeError("the list was not taken")
    taking.join()
    return waits, took_s


def _take(access: Access, accept: str, peer: Connection) -> None:
    """Ask for the list and read all of it."""
    connection = access.connect()
    connection.connect()
    peer.send("connected")
    peer.recv()
    connection.request("GET", COLLECTION, headers={"Accept": accept})
    answer = connection.getresponse()
    while answer.read(1 << 18):
        pass
    peer.send("taken" if answer.status == 200 else str(answer.status))
    connection.close()
