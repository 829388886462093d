"""Beta versions the API level still has, of kinds that have a released version as well.

One file per group version. Each kind is made out of its released form (`wherry.api.versions`), shares
its storage, and is converted both ways where the shape differs. Kinds that are beta only stand in
their group's folder like any other. `catalog` names them all.
"""
