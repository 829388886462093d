"""The files a cluster's settings name for its kubelet: KubeletConfiguration, credential providers."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

from wherry.cluster.components import PermanentError
from wherry.cluster.node_config import NodeConfig
from wherry.kit.log import module_name
from wherry.kubelet.config import KubeletConfig
from wherry.kubelet.configuration.applied import applied, ignored
from wherry.kubelet.configuration.decoding import ConfigurationError, read_configuration
from wherry.kubelet.credential_plugins.config import ProvidersError, read_providers

OURS = {
    **dict.fromkeys(("address", "clusterDNS", "cgroupRoot", "containerRuntimeEndpoint", "podLogsDir"), ""),
    **dict.fromkeys(("tlsCertFile", "tlsPrivateKeyFile", "tlsCipherSuites"), ""),
    **dict.fromkeys(("tlsMinVersion", "authentication.x509.clientCAFile", "healthzPort"), ""),
    **dict.fromkeys(("healthzBindAddress", "providerID", "enableDebuggingHandlers"), ""),
    **dict.fromkeys(("enableProfilingHandler", "enableSystemLogHandler", "enableSystemLogQuery"), ""),
    "clusterDomain": " (clusterDomain)",
    "port": " (kubeletPort)",
}
"""Fields of a KubeletConfiguration a cluster decides, and the settings to use instead."""


log = logging.getLogger(module_name(__name__, __spec__))


def configured(config: NodeConfig, kubelet: KubeletConfig, *, tells: bool = True) -> KubeletConfig:
    """What the kubelet is told, changed by the files the settings name; what is passed over is logged.

    Raises PermanentError.
    """
    file, folder, providers, programs = (
        Path(text) if text else None
        for text in (
            *(config.kubelet_config, config.kubelet_config_dir),
            *(config.credential_provider_config, config.credential_provider_dir),
        )
    )
    if providers is not None or programs is not None:
        try:
            kubelet = replace(kubelet, credential_providers=read_providers(providers, programs))
        except ProvidersError as error:
            raise PermanentError(f"failed to register CRI auth plugins: {error}") from None
    if file is None and folder is None:
        return kubelet
    try:
        said = read_configuration(file, folder)
        for path in said:
            if path in OURS:
                raise ConfigurationError(f"{path} is for the cluster to say{OURS[path]}; leave it out")
        for line in ignored(said) if tells else ():
            log.warning("%s: %s", file or folder, line)
        return applied(said, kubelet)
    except OSError as error:
        why = f"{error.filename or file or folder}: {error.strerror or error}"
    except ConfigurationError as error:
        why = str(error)
    raise PermanentError(f"the kubelet's configuration cannot be followed: {why}")
