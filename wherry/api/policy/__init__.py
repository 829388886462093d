"""policy: PodDisruptionBudget."""
