"""apps: the workloads that keep pods running, and their revisions."""
