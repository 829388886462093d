"""authorization.k8s.io: questions who may do what; nothing of it is stored."""
