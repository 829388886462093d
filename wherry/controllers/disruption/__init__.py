"""The disruption controller: how many pods of each PodDisruptionBudget may be evicted now.

`plan` works a budget's status out (pure), `scales` finds how many pods there should be, `controller` writes.
"""
