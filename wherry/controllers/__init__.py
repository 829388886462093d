"""The controllers: each compares what is wanted with what is, and closes the gap.

`base` is the one loop all of them share, `supervisor` starts what `catalog` names. Each controller
has a pure `plan_*` that decides, tested by tables, and a thin `sync` that acts. All are
level-triggered: any sync may run twice, or after a restart, and comes to the same result.
"""
