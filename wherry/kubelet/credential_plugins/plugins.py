"""All credential provider plug-ins of a node, asked in the order of their configuration."""

from __future__ import annotations

from collections.abc import Sequence

from wherry.client.api import Client
from wherry.kit.clock import Clock
from wherry.kubelet.credential_plugins.accounts import ApiAccounts
from wherry.kubelet.credential_plugins.config import CredentialProvider
from wherry.kubelet.credential_plugins.program import PluginProgram
from wherry.kubelet.credential_plugins.provider import Provider
from wherry.kubelet.credentials import Credential, image_repository
from wherry.kubelet.metrics import KubeletMetrics
from wherry.objects.meta import Object


class CredentialPlugins:
    """The node's plug-ins; none at all is the common case."""

    def __init__(
        self,
        providers: Sequence[CredentialProvider],
        client: Client,
        clock: Clock,
        metrics: KubeletMetrics,
    ) -> None:
        self._accounts = ApiAccounts(client, clock)
        self._providers = [
            Provider(one, PluginProgram(one, clock), self._accounts, clock, metrics) for one in providers
        ]

    async def credentials(self, reference: str, pod: Object) -> list[Credential]:
        """What they have for an image, for a pod. One that fails has nothing, and says so in the log."""
        repository = image_repository(reference)
        return [one for provider in self._providers for one in await provider.credentials(repository, pod)]

    def forget(self, pod_uid: str) -> None:
        """The pod is gone."""
        self._accounts.forget(pod_uid)

    async def close(self) -> None:
        """Give up what is being asked."""
        for provider in self._providers:
            await provider.close()
