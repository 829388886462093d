"""Which addresses are behind a service: Endpoints and EndpointSlices.

`members` tells which pods count and under which ports, for both. `endpoints` writes the old kind,
one object per service; `slices` plans the new one (with `hints` where traffic is to stay near),
`slice_controller` writes it. `trigger_times` says when what they tell of has happened.
"""
