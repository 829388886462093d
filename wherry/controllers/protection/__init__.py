"""Protection of storage in use: claims and volumes that are deleted stay until nobody uses them.

Admission gives new ones a finalizer; here it is taken off again, and given to those that lack it.
"""
