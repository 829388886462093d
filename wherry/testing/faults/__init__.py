"""Faults as a plan: what a cluster's clients have to live with, at moments a test chooses.

The kinds are those of Sieve (intermediate, stale and unobserved states) and what an API server does on bad
days: refusals, answers that are lost though the write happened, watches that are cut or lag, history that is
forgotten. `plan.FaultPlan` sits in front of the verbs, so they hold for clients of any language. `sweep` runs
a scenario under each fault and tells which end differs from the fault-free one.
"""
