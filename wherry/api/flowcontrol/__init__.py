"""flowcontrol.apiserver.k8s.io: which requests wait for which."""
