"""Simulated nodes and pods: they live only in the API, as KWOK's do, and cost next to nothing.

`HollowNodes` follows pods and nodes once for all of its nodes and plays what is to happen to each as
`Stage`s: data that say when an object is meant, how long to wait, and what to write then. Stages come from
three places, and are the same to the `player`: our own set (`pods`, `machines`), `Outcome`s for chosen pods
and nodes (`outcomes`), and KWOK's Stage files, read as they are (`stage_files`).

Nothing is remembered that cannot be read from the API: a `HollowNodes` that starts anew goes on where the one
before it stood.
"""
