"""Every stored object of one resource, in memory, as the bytes a client gets.

Most requests are answered from here without decoding: GET hands out `data`, LIST joins it, a watch
event wraps it. Beside the bytes stands only what selectors and keys need. A cacher is fed by one
store subscription; since the store tells its sinks before it answers the writer, what a client was
told was written is always here.
"""
