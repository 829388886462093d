"""The node agent: runs the pods bound to its node as real containers and says how they are.

`agent` wires it together; `workers` has one worker per pod; `runtimes/` speaks to what runs
containers, `volumes/` to what gives them files; `probes`, `status`, `server` do what they are called.
"""
