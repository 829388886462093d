"""Kinds defined at run time: from a CustomResourceDefinition to a served resource.

`naming` decides who gets which names, `kinds` makes `Resource`s, `strategy` holds objects to their
schema, `views` shows stored objects in a version, `controller` follows the definitions and keeps the
registry, their status and their deletion going.
"""
