# Written by tools/generate_schema.py; do not edit.
"""TypedDicts of the API's `resource_v1beta1` types, for the type checker only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from wherry.api.types import core, meta


class AllocatedDeviceStatus(TypedDict, total=False):
    conditions: list[meta.Condition]
    data: dict[str, Any]
    device: str
    driver: str
    networkData: NetworkDeviceData
    pool: str
    shareID: str


class AllocationResult(TypedDict, total=False):
    allocationTimestamp: str
    devices: DeviceAllocationResult
    nodeSelector: core.NodeSelector


class BasicDevice(TypedDict, total=False):
    allNodes: bool
    allowMultipleAllocations: bool
    attributes: dict[str, DeviceAttribute]
    bindingConditions: list[str]
    bindingFailureConditions: list[str]
    bindsToNode: bool
    capacity: dict[str, DeviceCapacity]
    consumesCounters: list[DeviceCounterConsumption]
    nodeAllocatableResources: dict[str, NodeAllocatableResource]
    nodeName: str
    nodeSelector: core.NodeSelector
    taints: list[DeviceTaint]


class CELDeviceSelector(TypedDict, total=False):
    expression: str


class CapacityRequestPolicy(TypedDict, total=False):
    default: str | int | float
    validRange: CapacityRequestPolicyRange
    validValues: list[str | int | float]


class CapacityRequestPolicyRange(TypedDict, total=False):
    max: str | int | float
    min: str | int | float
    step: str | int | float


class CapacityRequirements(TypedDict, total=False):
    requests: dict[str, str | int | float]


class Counter(TypedDict, total=False):
    value: str | int | float


class CounterSet(TypedDict, total=False):
    counters: dict[str, Counter]
    name: str


class Device(TypedDict, total=False):
    basic: BasicDevice
    name: str


class DeviceAllocationConfiguration(TypedDict, total=False):
    opaque: OpaqueDeviceConfiguration
    requests: list[str]
    source: str


class DeviceAllocationResult(TypedDict, total=False):
    config: list[DeviceAllocationConfiguration]
    results: list[DeviceRequestAllocationResult]


class DeviceAttribute(TypedDict, total=False):
    bool: bool
    bools: list[bool]
    int: int
    ints: list[int]
    string: str
    strings: list[str]
    version: str
    versions: list[str]


class DeviceCapacity(TypedDict, total=False):
    requestPolicy: CapacityRequestPolicy
    value: str | int | float


class DeviceClaim(TypedDict, total=False):
    config: list[DeviceClaimConfiguration]
    constraints: list[DeviceConstraint]
    requests: list[DeviceRequest]


class DeviceClaimConfiguration(TypedDict, total=False):
    opaque: OpaqueDeviceConfiguration
    requests: list[str]


class DeviceClass(TypedDict, total=False):
    apiVersion: str
    kind: str
    metadata: meta.ObjectMeta
    spec: DeviceClassSpec


class DeviceClassConfiguration(TypedDict, total=False):
    opaque: OpaqueDeviceConfiguration


class DeviceClassList(TypedDict, total=False):
    apiVersion: str
    items: list[DeviceClass]
    kind: str
    metadata: meta.ListMeta


class DeviceClassSpec(TypedDict, total=False):
    config: list[DeviceClassConfiguration]
    extendedResourceName: str
    selectors: list[DeviceSelector]


class DeviceConstraint(TypedDict, total=False):
    distinctAttribute: str
    matchAttribute: str
    requests: list[str]


class DeviceCounterConsumption(TypedDict, total=False):
    compatibilityGroups: list[str]
    counterSet: str
    counters: dict[str, Counter]


class DeviceDerivedAttribute(TypedDict, total=False):
    expression: str
    name: str


class DeviceRequest(TypedDict, total=False):
    adminAccess: bool
    allocationMode: str
    capacity: CapacityRequirements
    count: int
    derivedAttributes: list[DeviceDerivedAttribute]
    deviceClassName: str
    firstAvailable: list[DeviceSubRequest]
    name: str
    selectors: list[DeviceSelector]
    tolerations: list[DeviceToleration]


class DeviceRequestAllocationResult(TypedDict, total=False):
    adminAccess: bool
    bindingConditions: list[str]
    bindingFailureConditions: list[str]
    consumedCapacity: dict[str, str | int | float]
    device: str
    driver: str
    pool: str
    request: str
    shareID: str
    skipNodeOperations: list[str]
    tolerations: list[DeviceToleration]


class DeviceSelector(TypedDict, total=False):
    cel: CELDeviceSelector


class DeviceSubRequest(TypedDict, total=False):
    allocationMode: str
    capacity: CapacityRequirements
    count: int
    derivedAttributes: list[DeviceDerivedAttribute]
    deviceClassName: str
    name: str
    selectors: list[DeviceSelector]
    tolerations: list[DeviceToleration]


class DeviceTaint(TypedDict, total=False):
    effect: str
    key: str
    timeAdded: str
    value: str


class DeviceToleration(TypedDict, total=False):
    effect: str
    key: str
    operator: str
    tolerationSeconds: int
    value: str


class NetworkDeviceData(TypedDict, total=False):
    hardwareAddress: str
    interfaceName: str
    ips: list[str]


class NodeAllocatableMapping(TypedDict, total=False):
    capacityKey: str
    capacityMultiplier: str | int | float
    deviceMultiplier: str | int | float


class NodeAllocatableOverhead(TypedDict, total=False):
    perContainer: str | int | float
    perPod: str | int | float


class NodeAllocatableResource(TypedDict, total=False):
    mapping: NodeAllocatableMapping
    overhead: NodeAllocatableOverhead


class OpaqueDeviceConfiguration(TypedDict, total=False):
    driver: str
    parameters: dict[str, Any]


class ResourceClaim(TypedDict, total=False):
    apiVersion: str
    kind: str
    metadata: meta.ObjectMeta
    spec: ResourceClaimSpec
    status: ResourceClaimStatus


class ResourceClaimConsumerReference(TypedDict, total=False):
    apiGroup: str
    name: str
    resource: str
    uid: str


class ResourceClaimList(TypedDict, total=False):
    apiVersion: str
    items: list[ResourceClaim]
    kind: str
    metadata: meta.ListMeta


class ResourceClaimSpec(TypedDict, total=False):
    devices: DeviceClaim


class ResourceClaimStatus(TypedDict, total=False):
    allocation: AllocationResult
    devices: list[AllocatedDeviceStatus]
    reservedFor: list[ResourceClaimConsumerReference]


class ResourceClaimTemplate(TypedDict, total=False):
    apiVersion: str
    kind: str
    metadata: meta.ObjectMeta
    spec: ResourceClaimTemplateSpec


class ResourceClaimTemplateList(TypedDict, total=False):
    apiVersion: str
    items: list[ResourceClaimTemplate]
    kind: str
    metadata: meta.ListMeta


class ResourceClaimTemplateSpec(TypedDict, total=False):
    metadata: meta.ObjectMeta
    spec: ResourceClaimSpec


class ResourcePool(TypedDict, total=False):
    generation: int
    name: str
    resourceSliceCount: int


class ResourceSlice(TypedDict, total=False):
    apiVersion: str
    kind: str
    metadata: meta.ObjectMeta
    spec: ResourceSliceSpec


class ResourceSliceList(TypedDict, total=False):
    apiVersion: str
    items: list[ResourceSlice]
    kind: str
    metadata: meta.ListMeta


class ResourceSliceSpec(TypedDict, total=False):
    allNodes: bool
    devices: list[Device]
    driver: str
    nodeName: str
    nodeSelector: core.NodeSelector
    partitionTypeAttribute: str
    perDeviceNodeSelection: bool
    pool: ResourcePool
    sharedCounters: list[CounterSet]
    skipNodeOperations: list[str]
