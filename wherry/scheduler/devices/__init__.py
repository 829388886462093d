"""Devices for claims (dynamic resource allocation): what there is, what is taken, and who gets what.

device     one device of a slice, and what selectors see of it
inventory  slices, classes, taint rules and claims as the scheduler knows them; what is allocated
wanted     what claims ask for
capacity   portions of devices that many may share
allocator  the search for devices on one node
results    a search's outcome as a claim's `status.allocation`
"""
