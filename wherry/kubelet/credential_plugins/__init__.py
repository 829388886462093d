"""Programs of the node's administrator that give credentials of registries (credential provider plug-ins).

`config` reads which there are and what for, `program` runs one, `provider` remembers what it said for as long
as it said, `plugins` asks all of them. Source: pkg/credentialprovider/plugin; KEP-2133, KEP-4412.
"""
