"""Components alone: each in a process of its own, against any API server, with upstream's flags.

`flags` reads a command line as upstream's programs do (spf13/pflag), `..._flags` say which flags a component
takes, and what it is told by them; the module named like the component runs it. `access` finds the API
server, `process` is what is around all of them.
"""
