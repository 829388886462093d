"""Labels by which a runtime's things tell whose they are, in upstream's keys, so that crictl shows them.

Source: `k8s.io/cri-client/pkg/util`/`pkg/kubelet/types/labels.go`.
"""

from __future__ import annotations

POD_NAME = "io.kubernetes.pod.name"
POD_NAMESPACE = "io.kubernetes.pod.namespace"
POD_UID = "io.kubernetes.pod.uid"
CONTAINER_NAME = "io.kubernetes.container.name"
