"""DaemonSets: one pod on each node that fits.

`placement` says which nodes those are and what their pods look like, `judgement` how a node stands, `fleet`
keeps that for all nodes of a set, so that an event costs what it changes; `node_changes` finds the sets a
changed node is another for, `rollout` decides about updates, `status` what to report; `controller` acts.
Behaviour and texts are those of pkg/controller/daemon.
"""
