"""Features nodes declare, by upstream's names (component-helpers/nodedeclaredfeatures, KEP-5328)."""

from __future__ import annotations

GUARANTEED_CPU_RESIZE = "GuaranteedQoSPodCPUResize"
POD_LEVEL_RESIZE = "InPlacePodLevelResourcesVerticalScaling"
INIT_CONTAINER_RESIZE = "InPlacePodVerticalScalingInitContainers"

RESIZE_FEATURES = (GUARANTEED_CPU_RESIZE, POD_LEVEL_RESIZE, INIT_CONTAINER_RESIZE)
"""What a node that resizes pods in place declares; it has no static CPU manager."""
