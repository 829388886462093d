"""Which addresses are behind a service: Endpoints and EndpointSlices.

`members` tells which pods count and under which ports, for both. `endpoints` writes the old kind,
one object per service; `slices` plans the new one, `slice_controller` writes it. `hints` keep traffic near
where that is asked for, `topology` shares endpoints out among zones. `trigger_times` says when what they
tell of has happened.
"""
