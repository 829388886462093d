"""The resource quota controller: `status.hard` and `status.used` of every quota, from what there is.

Admission adds to `used` as objects are made; here it is counted anew when a quota changes and when
something it counts is gone, has ended or has changed.
"""
