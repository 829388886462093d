"""ReplicaSets and ReplicationControllers: keep so many pods of one template.

`plan` decides how many to create and which to delete, `ranking` in what order pods go, `status`
what to report; `controller` acts, for both kinds.
"""
