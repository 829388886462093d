"""coordination.k8s.io: Lease, and candidates for one."""
