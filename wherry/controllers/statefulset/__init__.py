"""StatefulSets: pods that keep their names and claims, made, replaced and removed in order.

`identity` is what makes a pod the set's, `storage` the claims a pod has and who owns them, `plan` decides
what to do, `status` what to report; `controller` acts. Behaviour, order and texts are those of
pkg/controller/statefulset.
"""
