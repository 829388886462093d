"""One worker per pod: `worker` decides when to look and act, the modules beside it do single things.

`builder` carries a plan out, with `sandbox` and `container` rendering specs for the runtime, `starter` and
`stopper` starting and stopping containers. `remover` takes a pod down; `remains` finds what is left of pods
nobody knows. `pool` holds the workers and hands them what happens, `context` is what they share.
"""
