"""authentication.k8s.io: questions who somebody is; nothing of it is stored."""
