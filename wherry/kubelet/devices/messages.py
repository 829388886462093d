"""The messages of the device plug-in protocol (k8s.io/kubelet/pkg/apis/deviceplugin/v1beta1)."""

from __future__ import annotations

from wherry.kubelet.plugins.declared import Messages

VERSION = "v1beta1"
HEALTHY = "Healthy"
REGISTRATION = "v1beta1.Registration"
PLUGIN = "/v1beta1.DevicePlugin"
MESSAGES = Messages(
    "v1beta1",
    {
        "Empty": "",
        "DevicePluginOptions": "bool pre_start_required 1, bool get_preferred_allocation_available 2",
        "RegisterRequest": "string version 1, string endpoint 2, string resource_name 3,"
        " DevicePluginOptions options 4",
        "ListAndWatchResponse": "[]Device devices 1",
        "NUMANode": "int64 ID 1",
        "TopologyInfo": "[]NUMANode nodes 1",
        "Device": "string ID 1, string health 2, TopologyInfo topology 3",
        "PreStartContainerRequest": "[]string devices_ids 1",
        "PreStartContainerResponse": "",
        "ContainerPreferredAllocationRequest": "[]string available_deviceIDs 1,"
        " []string must_include_deviceIDs 2, int32 allocation_size 3",
        "PreferredAllocationRequest": "[]ContainerPreferredAllocationRequest container_requests 1",
        "ContainerPreferredAllocationResponse": "[]string deviceIDs 1",
        "PreferredAllocationResponse": "[]ContainerPreferredAllocationResponse container_responses 1",
        "ContainerAllocateRequest": "[]string devices_ids 1",
        "AllocateRequest": "[]ContainerAllocateRequest container_requests 1",
        "CDIDevice": "string name 1",
        "Mount": "string container_path 1, string host_path 2, bool read_only 3",
        "DeviceSpec": "string container_path 1, string host_path 2, string permissions 3",
        "ContainerAllocateResponse": "map:string envs 1, []Mount mounts 2, []DeviceSpec devices 3,"
        " map:string annotations 4, []CDIDevice cdi_devices 5",
        "AllocateResponse": "[]ContainerAllocateResponse container_responses 1",
    },
)
