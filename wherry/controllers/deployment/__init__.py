"""Deployments: roll from one template to the next through ReplicaSets.

`hashing` names a template, `revisions` numbers them, `family` sorts a deployment's replica sets,
`scaling` decides their sizes, `status` what to report, `plan` puts one step together; `controller`
carries it out. Everything but `controller` is pure.
"""
