"""The last version of the group of workloads before v1: the same but for the name."""
