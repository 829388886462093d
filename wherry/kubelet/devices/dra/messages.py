"""The messages of DRA drivers' plug-ins (k8s.io/kubelet/pkg/apis/dra, dra-health).

Those of v1 and v1beta1 differ in nothing but the package: one set serves both. The same holds of the health
service's versions.
"""

from __future__ import annotations

from wherry.kubelet.plugins.declared import Messages

SERVICES = {
    f"{version}.DRAPlugin": f"k8s.io.kubelet.pkg.apis.dra.{version}.DRAPlugin"
    for version in ("v1", "v1beta1")
}
"""gRPC services by what a driver calls them when it registers, the newest first."""
HEALTH_SERVICES = ("v1.DRAResourceHealth", "v1beta1.DRAResourceHealth", "v1alpha1.DRAResourceHealth")
"""Both what a driver calls them and the gRPC service, the newest first."""
HEALTH = {1: "Healthy", 2: "Unhealthy"}
MESSAGES = Messages(
    "k8s.io.kubelet.pkg.apis.dra.v1",
    {
        "Claim": "string namespace 1, string uid 2, string name 3",
        "NodePrepareResourcesRequest": "[]Claim claims 1",
        "Device": "[]string request_names 1, string pool_name 2, string device_name 3,"
        " []string cdi_device_ids 4, string share_id 5",
        "NodePrepareResourceResponse": "[]Device devices 1, string error 2",
        "NodePrepareResourcesResponse": "map:NodePrepareResourceResponse claims 1",
        "NodeUnprepareResourcesRequest": "[]Claim claims 1",
        "NodeUnprepareResourceResponse": "string error 1",
        "NodeUnprepareResourcesResponse": "map:NodeUnprepareResourceResponse claims 1",
        "NodeWatchResourcesRequest": "",
        "DeviceIdentifier": "string pool_name 1, string device_name 2",
        "DeviceHealth": "DeviceIdentifier device 1, enum health 2, int64 last_updated_time 3,"
        " int64 health_check_timeout_seconds 4, string message 5",
        "NodeWatchResourcesResponse": "[]DeviceHealth devices 1",
    },
)
