"""One worker per pod: `worker` decides when to look and act, the modules beside it do single things.

`sandbox` and `container` render specs for the runtime, `starter` and `stopper` start and stop
containers, `pool` holds the workers and hands them what happens.
"""
