"""Playing stages: for each object of one resource the next stage is chosen, waited for, and carried out.

One timer heap and a fixed number of workers serve all objects. An object is in at most one worker's hands;
what its stage wrote is waited for in the watch before the next is chosen, so that nothing is played twice.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from math import ceil
from random import Random

from wherry.api.resource import Resource
from wherry.hollow.performing import Performer
from wherry.hollow.stages import Stage, StageBlocked, StageFailed, choose, is_still_possible
from wherry.hollow.timers import Alarm, Timers
from wherry.kit.clock import Clock
from wherry.kit.integers import parse_unsigned
from wherry.kit.tasks import Tasks
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, key_of, revision_of, uid_of

log = logging.getLogger(__name__)

WORKERS = 32
FIRST_RETRY_S = 1.0
LONGEST_RETRY_S = 30.0
MOST_IN_A_ROW = 100
"""So many stages without a delay an object may go through at a stretch, more than any life has. One that goes
on matching what it writes would else be played as fast as the machine allows, and no time would ever pass."""
ROW_S = 1.0


class _Part:
    """What is known of one object while a stage is waited for or played."""

    __slots__ = (
        "alarm",
        "awaited",
        "failures",
        "fraction",
        "is_at_once",
        "is_playing",
        "left_in_row",
        "not_before",
        "obj",
        "rest_until",
        "rests",
        "row_until",
        "since",
        "stage",
        "step",
    )

    def __init__(self, obj: Object) -> None:
        self.obj = obj
        self.stage: Stage | None = None
        self.since = 0.0
        self.fraction = 0.0
        """How far between the least and the most delay; drawn once per stage."""
        self.step = 0
        self.failures = 0
        self.not_before = 0.0
        """When what failed may be tried again."""
        self.alarm: Alarm | None = None
        self.is_playing = False
        self.awaited = 0
        """The version a stage wrote: anything older is the past."""
        self.is_at_once = False
        """Whether the stage that is next has no delay."""
        self.left_in_row = 0
        self.row_until = 0.0
        self.rests = 0
        self.rest_until = 0.0
        """Before this no stage without a delay is played."""

    def begin(self, stage: Stage | None, now: float, random: Random) -> None:
        """This stage is next."""
        self.stage = stage
        self.since, self.step, self.failures, self.not_before = now, 0, 0, 0.0
        self.fraction = random.random() if stage is not None else 0.0

    def played_at_once(self, now: float) -> float:
        """A stage without a delay was played; for how many seconds the next one rests.

        It does when that is the last of a row, and twice as long after each row that follows at once.
        """
        if not self.left_in_row or now >= self.row_until:
            if self.left_in_row:
                self.rests = 0
            self.left_in_row, self.row_until = MOST_IN_A_ROW, now + ROW_S
        self.left_in_row -= 1
        if self.left_in_row:
            return 0.0
        rest_s = min(FIRST_RETRY_S * 2.0 ** min(self.rests, 16), LONGEST_RETRY_S)
        self.rests += 1
        self.rest_until = now + rest_s
        return rest_s


class Player:
    """Plays `stages_of` each object it is told of; `Performer` says how steps are carried out."""

    def __init__(
        self,
        resource: Resource,
        stages_of: Callable[[Object], Sequence[Stage]],
        performer: Performer,
        timers: Timers,
        clock: Clock,
        random: Random,
    ) -> None:
        self.resource = resource
        self.played = 0
        self._stages_of = stages_of
        self._performer = performer
        self._timers = timers
        self._clock = clock
        self._random = random
        self._parts: dict[str, _Part] = {}
        self._due: deque[tuple[str, _Part]] = deque()
        self._tasks = Tasks(f"simulated {resource.plural}")
        self._workers = 0
        self._is_closed = False

    def __len__(self) -> int:
        return len(self._parts)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being written or due (what waits for its time is neither)."""
        return not self._workers and not self._due

    def take(self, obj: Object) -> None:
        """The object is new, or has changed."""
        key = key_of(obj)
        part = self._parts.get(key)
        if part is not None and uid_of(part.obj) != uid_of(obj):
            self.drop(part.obj)
            part = None
        if part is None:
            part = self._parts[key] = _Part(obj)
        part.obj = obj
        if not part.is_playing and _version(obj) >= part.awaited:
            self._consider(key, part)

    def drop(self, obj: Object) -> None:
        """The object is gone, or no longer ours."""
        part = self._parts.pop(key_of(obj), None)
        if part is not None and part.alarm is not None:
            part.alarm.cancel()

    async def close(self) -> None:
        """Play nothing any more; what is being written may or may not be."""
        self._is_closed = True
        for part in self._parts.values():
            if part.alarm is not None:
                part.alarm.cancel()
        self._due.clear()
        await self._tasks.close()

    def _consider(self, key: str, part: _Part) -> None:
        """Choose what is next for an object, unless what was chosen may still come."""
        now = self._clock.monotonic()
        try:
            stages = self._stages_of(part.obj)
            if part.stage is None or not is_still_possible(part.stage, part.obj, stages):
                stage = choose(stages, part.obj, self._performer.moment(0), self._random)
                if stage is not part.stage:
                    part.begin(stage, now, self._random)
            if part.stage is None:
                delay_s = 0.0
            else:
                waited = now - part.since
                delay_s = part.stage.delay(part.obj, self._performer.moment(waited)).at(part.fraction)
                part.is_at_once = delay_s <= 0
                delay_s -= waited
        except StageFailed as error:
            log.warning("%s %s: %s", self.resource.kind, key, error)
            part.stage = None
        if part.stage is None:
            if part.alarm is not None:
                part.alarm.cancel()
                part.alarm = None
        else:
            due = now + delay_s
            if part.stage.to_the_second:
                due = float(ceil(due))
            self._wait(key, part, max(due, part.not_before, part.rest_until if part.is_at_once else 0.0))

    def _wait(self, key: str, part: _Part, due: float) -> None:
        if part.alarm is not None:
            if part.alarm.callback is not None and part.alarm.due == due:
                return
            part.alarm.cancel()
        if due <= self._clock.monotonic():
            part.alarm = None
            self._ready(key, part)
        else:
            part.alarm = self._timers.at(due, lambda: self._ready(key, part))

    def _ready(self, key: str, part: _Part) -> None:
        if self._is_closed or self._parts.get(key) is not part or part.is_playing:
            return
        part.is_playing = True
        part.alarm = None
        self._due.append((key, part))
        if self._workers < WORKERS:
            self._workers += 1
            self._tasks.spawn(self._work(), "player")

    async def _work(self) -> None:
        try:
            while self._due:
                key, part = self._due.popleft()
                if self._parts.get(key) is part:
                    await self._play(key, part)
        finally:
            self._workers -= 1

    async def _play(self, key: str, part: _Part) -> None:
        stage, obj = part.stage, part.obj
        assert stage is not None
        written: Object | None = None
        try:
            for step in stage.steps(obj)[part.step :]:
                written = await self._performer.perform(stage, step, obj, written)
                part.step += 1
        except (ApiError, StageBlocked) as error:
            part.is_playing = False
            self._failed(key, part, error)
            return
        except StageFailed as error:
            # Nothing to try again: the object has to change first.
            log.warning("%s %s: %s", self.resource.kind, key, error)
            part.is_playing, part.awaited = False, _version(obj) + 1
            return
        except Exception as error:
            # One object's fault must not cost the others their worker, nor itself its next try.
            log.exception("%s %s: stage %s failed", self.resource.kind, key, stage.name)
            part.is_playing = False
            self._failed(key, part, error)
            return
        part.is_playing = False
        part.stage = None
        self.played += 1
        if part.is_at_once and (rest_s := part.played_at_once(self._clock.monotonic())):
            log.log(
                logging.WARNING if part.rests == 1 else logging.DEBUG,
                "%s %s: %d stages without a delay were played in a row, the last is %s: the next waits for "
                "%.0f s; a stage needs a delay, or a selector that does not match what it wrote",
                self.resource.kind,
                key,
                MOST_IN_A_ROW,
                stage.name,
                rest_s,
            )
        self._go_on(key, part, stage, obj, written)

    def _go_on(self, key: str, part: _Part, stage: Stage, played: Object, written: Object | None) -> None:
        """Choose the next stage, if the newest version is here; else the watch will bring it."""
        if self._parts.get(key) is not part:
            return
        version = _version(written) if written is not None else _version(played)
        if version == _version(played) and _version(part.obj) <= version:
            # Nothing was changed: what was just played would match again, for ever. A new version is awaited.
            is_repeated = stage.immediate and stage.delay(part.obj, self._performer.moment(0)).least > 0
            part.awaited = version + (0 if is_repeated else 1)
            if is_repeated:
                self._consider(key, part)
            return
        part.awaited = version
        if stage.immediate and written is not None and _version(part.obj) < version:
            part.obj = written
        if _version(part.obj) >= version:
            self._consider(key, part)

    def _failed(self, key: str, part: _Part, error: Exception) -> None:
        if self._parts.get(key) is not part:
            return
        stage = part.stage.name if part.stage is not None else ""
        delay_s = min(FIRST_RETRY_S * 2.0 ** min(part.failures, 16), LONGEST_RETRY_S)
        part.failures += 1
        part.not_before = self._clock.monotonic() + delay_s
        is_gone = isinstance(error, ApiError) and error.code == 404  # mostly deleted meanwhile
        log.log(
            logging.INFO if is_gone else logging.WARNING,
            "%s %s: stage %s failed, again in %.0f s: %s",
            self.resource.kind,
            key,
            stage,
            delay_s,
            error,
        )
        self._wait(key, part, part.not_before)


def _version(obj: Object) -> int:
    """The object's version as a number: versions can be compared (KEP-5504)."""
    return parse_unsigned(revision_of(obj)) or 0
