"""One try of one probe, by whichever way it names."""

from __future__ import annotations

from collections.abc import Sequence

from wherry.kubelet.probes.exec import probe_exec
from wherry.kubelet.probes.grpc import probe_grpc
from wherry.kubelet.probes.http import HttpProber
from wherry.kubelet.probes.result import Outcome, ProbeResult
from wherry.kubelet.probes.target import NoSuchPort, http_target, resolve_port
from wherry.kubelet.probes.tcp import probe_tcp
from wherry.kubelet.runtimes.streams import Streams
from wherry.objects.meta import Object

AGENT = "kube-probe/1.37"


class NetworkProber:
    """Probes over the pod network and inside containers."""

    def __init__(self, runtime: Streams, http: HttpProber) -> None:
        self._runtime = runtime
        self._http = http

    async def probe(
        self, probe: Object, spec: Object, container_id: str, pod_ips: Sequence[str]
    ) -> ProbeResult:
        """Make the try within the probe's timeout; never raises for what the pod does."""
        timeout_s = float(probe.get("timeoutSeconds") or 1)
        try:
            if probe.get("exec"):
                command = probe["exec"].get("command") or []
                return await probe_exec(self._runtime, container_id, command, timeout_s)
            if probe.get("httpGet"):
                target = http_target(probe["httpGet"], spec, pod_ips, AGENT)
                return await self._http.get(target, timeout_s)
            host = pod_ips[0] if pod_ips else ""
            if probe.get("tcpSocket"):
                action = probe["tcpSocket"]
                port = resolve_port(action["port"], spec)
                return await probe_tcp(action.get("host") or host, port, timeout_s)
            if probe.get("grpc"):
                action = probe["grpc"]
                return await probe_grpc(host, int(action["port"]), action.get("service") or "", timeout_s)
        except NoSuchPort as error:
            return ProbeResult(Outcome.UNKNOWN, str(error))
        return ProbeResult(Outcome.UNKNOWN, f"missing probe handler for container {spec['name']}")
