"""Giving out what there is only one of: service addresses and node ports.

An address is given out by an IPAddress object, stored in one transaction with the Service that has it
(KEP-1880), so that no crash and no second server gives one out twice or loses one. `addresses` is the index
over these objects. Node ports are known in memory alone, and found again from the stored services at start.
"""
