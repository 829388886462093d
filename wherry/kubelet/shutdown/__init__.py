"""Graceful node shutdown: when the machine is told to go down, its pods end first, by priority.

`periods` says who has how long (pure), `logind` speaks to whoever takes the machine down, `graceful` ends the
pods meanwhile, `record` remembers it over a restart of the agent.
"""
