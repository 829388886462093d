"""Every volume plugin there is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wherry.kubelet.volumes.base import MountFailure, VolumePlugin
from wherry.kubelet.volumes.plugins.config_map import ConfigMapVolume
from wherry.kubelet.volumes.plugins.downward_api import DownwardApiVolume
from wherry.kubelet.volumes.plugins.empty_dir import EmptyDir
from wherry.kubelet.volumes.plugins.git_repo import GitRepo
from wherry.kubelet.volumes.plugins.host_path import HostPath
from wherry.kubelet.volumes.plugins.image import ImageVolume
from wherry.kubelet.volumes.plugins.projected import ProjectedVolume
from wherry.kubelet.volumes.plugins.secret import SecretVolume

PLUGINS: tuple[VolumePlugin, ...] = (
    EmptyDir(),
    HostPath(),
    ConfigMapVolume(),
    SecretVolume(),
    ProjectedVolume(),
    DownwardApiVolume(),
    ImageVolume(),
    GitRepo(),
)


def find_plugin(volume: Mapping[str, Any], plugins: Sequence[VolumePlugin] = PLUGINS) -> VolumePlugin:
    """The plugin for a pod's volume; one without any source is an emptyDir. Raises MountFailure."""
    for plugin in plugins:
        if volume.get(plugin.source) is not None:
            return plugin
    sources = [key for key in volume if key != "name"]
    if not sources:
        return plugins[0]
    raise MountFailure(f"no volume plugin matched name: {sources[0]}")
