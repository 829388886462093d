"""What gives containers files: `base` is the protocol, `plugins` has one source per file, `catalog`

names them all, `pod_volumes` runs them for a pod by `operations` (one at a time per volume) and keeps
`records` of them on disk. Files with content (configMap, secret, ...) are rendered by pure functions in
`payload` and put in place by `atomic_writer`.
"""
