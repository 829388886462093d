"""Random faults under load, on a real cluster: `make chaos`.

`faults` breaks things and mends them, `load` writes, watches and asks a service meanwhile and remembers what
was acknowledged, `verdict` says at the end what was lost or left behind. Half an hour by default; a short run
is one of the live tests.
"""
