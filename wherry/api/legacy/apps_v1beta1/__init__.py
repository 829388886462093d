"""The first version of the group of workloads."""
