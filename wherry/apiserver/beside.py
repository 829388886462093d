"""Work on large objects, beside the event loop: `beside` has a thread do it (`threads`).

Reading, defaulting, judging and encoding an object is Python, some microseconds for each byte: an object of
megabytes takes seconds, which the loop does not have. From `LARGE` bytes on a thread does each such step. It
is given nothing that others change meanwhile: objects made for this call alone, bytes, declarations. What
is decided stays on the loop, and a write is a compare-and-swap on the version that was read, as always.

A thread cannot be stopped. That it ends is held by the limit of bodies and by `tests/growth`, which see to it
that no step costs more than what it is done on weighs; whoever waits has the deadline of the request, after
which a step that did not begin yet never does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from wherry.apiserver.call import Call
    from wherry.apiserver.parts import Parts

T = TypeVar("T")

LARGE = 16 * 1024
"""From so many bytes on an object is worked on beside the loop: the slowest steps take 5 ms for them."""


async def beside(core: Parts, call: Call, work: Callable[[], T], size: int = 0) -> T:
    """What `work` returns or raises, done in a thread if what `call` is about, or of `size` bytes, is large.

    It may change what belongs to the call alone, and nothing else.
    """
    if call.weight < LARGE and size < LARGE:
        return work()
    return await core.threads.run(call.user.name, work)
