"""scheduling.k8s.io: PriorityClass, and the groups of pods that are scheduled together."""
