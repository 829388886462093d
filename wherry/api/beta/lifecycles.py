"""When each beta was deprecated upstream: three releases after it came, to go three releases later.

Betas younger than that have no entry: they are not deprecated at this API level.
"""

from __future__ import annotations

from wherry.api.lifecycle import Lifecycle

SINCE_1_32 = Lifecycle("1.35", "1.38")
SINCE_1_33 = Lifecycle("1.36", "1.39")
SINCE_1_34 = Lifecycle("1.37", "1.40")
