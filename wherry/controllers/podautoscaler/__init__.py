"""The HorizontalPodAutoscaler controller (upstream's pkg/controller/podautoscaler).

`metrics` asks the metrics APIs, `pods` sorts a target's pods, `proposals` counts replicas from samples,
`sources` does that for each kind of metric, `limits` keeps changes within a behavior's bounds, and
`controller` puts them together.
"""
