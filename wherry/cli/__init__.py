"""The command line: one command per file, thin over `wherry.cluster`.

`main` names all commands; `terminal` is how they speak (progress, colours, JSON); `failures` turns
what went wrong into one line and an exit code.
"""
