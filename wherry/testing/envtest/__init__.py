"""Stand-ins for the binaries that controller-runtime's envtest starts: existing Go suites run unchanged.

`assets` writes a directory with `kube-apiserver`, `etcd` and `kubectl`, which goes into `KUBEBUILDER_ASSETS`.
Source: sigs.k8s.io/controller-runtime, pkg/internal/testing/{controlplane,process} (v0.25): the flags it
passes, the help it reads, the paths it asks until they answer 200.
"""
