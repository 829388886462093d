"""How extension API servers know the API server: ConfigMap `extension-apiserver-authentication`.

They read there which CA vouches for clients, and which client certificate may say in headers whom a
request is made for.
"""

from __future__ import annotations

from pathlib import Path

import orjson

from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.apiserver.config import ApiServerConfig
from wherry.apiserver.parts import Parts
from wherry.client.api import Client
from wherry.objects.meta import Object

NAMESPACE, NAME = "kube-system", "extension-apiserver-authentication"


async def publish_authentication(core: Parts, client: Client) -> None:
    """Create the ConfigMap or make it say what holds now. Raises ApiError, OSError for unreadable files."""
    data = authentication_data(core.config)
    if not data:
        return
    served = core.registry.of(CONFIG_MAPS)
    await served.source.open()
    cached = served.get(NAMESPACE, NAME)
    wanted: Object = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": NAME, "namespace": NAMESPACE},
        "data": data,
    }
    if cached is None:
        await client.create(CONFIG_MAPS, wanted)
    elif (present := cached.decode()).get("data") != data:
        await client.update(CONFIG_MAPS, {**present, "data": data})


def authentication_data(config: ApiServerConfig) -> dict[str, str]:
    """The ConfigMap's data; empty without a client CA, then nobody can be known by certificate."""
    if config.client_ca_file is None:
        return {}
    authority = config.client_ca_file.read_text()
    data = {"client-ca-file": authority}
    if config.proxy_client_cert_file is not None and config.requestheader_client_ca_file is not None:
        told = config.front_proxy
        said = {
            "allowed-names": told.names or _names(config.proxy_client_cert_file),
            "extra-headers-prefix": told.extra_prefixes or ("X-Remote-Extra-",),
            "group-headers": told.group_headers or ("X-Remote-Group",),
            "username-headers": told.username_headers or ("X-Remote-User",),
        }
        data["requestheader-client-ca-file"] = config.requestheader_client_ca_file.read_text()
        data |= {f"requestheader-{name}": orjson.dumps(values).decode() for name, values in said.items()}
    return data


def _names(certificate_file: Path) -> tuple[str, ...]:
    """The common names in a certificate (PEM)."""
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    subject = x509.load_pem_x509_certificate(certificate_file.read_bytes()).subject
    return tuple(str(item.value) for item in subject.get_attributes_for_oid(NameOID.COMMON_NAME))
