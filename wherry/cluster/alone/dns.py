"""`wherry dns`: the cluster's DNS alone, for any API server, at any address.

CoreDNS's own flags say where its file lies; what is followed of a Corefile is read from the ConfigMap
`kube-system/coredns`.
"""

from __future__ import annotations

import asyncio
from ipaddress import ip_address, ip_network
from pathlib import Path

from wherry.client.api import Client
from wherry.cluster.alone import access
from wherry.cluster.alone.flags import EMPTY_DEFAULT, LOGGING, NAMES, NUMBER, Flag, FlagError, Values
from wherry.cluster.alone.process import main
from wherry.cluster.catalog import DNS
from wherry.cluster.components import PermanentError, announce
from wherry.dns.served import DnsConfig, ServedDns
from wherry.kit.clock import SystemClock

FLAGS = (
    *access.FLAGS,
    Flag("address", "Where names are served.", default="127.0.0.1", empty=EMPTY_DEFAULT),
    Flag("port", "The port, for datagrams and streams.", NUMBER, "53"),
    Flag("pages-port", "The port of /health, /ready and /metrics; 0 for none.", NUMBER, "9153"),
    Flag("domain", "The cluster's domain.", default="cluster.local", empty=EMPTY_DEFAULT),
    Flag("clients", "Ranges whose addresses may ask; this machine's own may always.", NAMES),
    Flag("hostname-override", "The node whose pods' search paths are finished here (autopath)."),
    Flag(
        "resolv-conf",
        "Whom to ask about other names: a resolv.conf.",
        default="/etc/resolv.conf",
        empty=EMPTY_DEFAULT,
    ),
    *LOGGING,
)


def dns_config(values: Values) -> DnsConfig:
    """What is served. Raises FlagError."""
    try:
        address = str(ip_address(values.text("address")))
    except ValueError:
        raise FlagError(f"--address: {values.text('address')!r} is not an address") from None
    try:
        clients = tuple(str(ip_network(text)) for text in values.names("clients"))
    except ValueError as error:
        raise FlagError(f"--clients: {error}") from None
    return DnsConfig(
        domain=values.text("domain").rstrip("."),
        address=address,
        port=values.number("port"),
        pages_port=values.number("pages-port"),
        clients=clients,
        resolv_conf=Path(values.text("resolv-conf")),
    )


async def run_dns(values: Values, stop: asyncio.Event) -> None:
    """Run until `stop` is set. Raises FlagError, PermanentError, ApiError."""
    config = dns_config(values)
    client = Client(access.find_access(values).transport(DNS), field_manager=DNS)
    served = ServedDns(client, config, values.text("hostname-override"), SystemClock())
    try:
        try:
            await served.listen()
        except OSError as error:
            raise PermanentError(
                f"cannot listen on {config.address}:{config.port}: {error.strerror or error}; "
                "choose with --address and --port"
            ) from error
        served.start()
        announce()
        await stop.wait()
    finally:
        await served.close()
        await client.close()


if __name__ == "__main__":
    main(DNS, FLAGS, run_dns)
