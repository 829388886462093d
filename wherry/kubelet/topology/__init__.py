"""Which processors, memory and devices of the machine a container gets, near to each other.

Pure decisions in files of their own; the managers hold what was given out and write it down.
"""
