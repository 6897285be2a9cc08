"""The rules of the commit order, proved for small worlds by trying every interleaving: the fence, and the places of
prepared transactions. What is modelled is extension/change_log.cpp, extension/fence.cpp and waybill.release().

All writers write one row, so each depends on the one before it. An ordinary one draws its csn, becomes visible, which
lets the next one at the row, and then gives up its lock on the sequence. A prepared one locks a slot of the prepared log,
draws a number, and becomes visible at COMMIT PREPARED, which gives up the slot.

A reader reads the sequence, waits for those who hold its lock then, and looks for prepared transactions. If there may be
any it gives those that it sees their places, which takes effect when it commits, unless it fails. Then it fetches.

To hold: every reader reads versions 1, 2, 3, … of the row, in that order and without a gap.
"""

import dataclasses
import itertools

import pytest

STEP = 100  # of the sequence
ORDINARY, PREPARED = "ordinary", "prepared"


@dataclasses.dataclass(frozen=True)
class Rules:
    waits: bool = True            # the fence waits for those who drew
    places_behind_released: bool = True  # not before what was handed out
    releases_at_commit: bool = True      # what was handed out changes with the places, or not at all
    notes_in_flight: bool = True         # also when nothing can be seen yet
    locks_before_drawing: bool = True    # the slot, at PREPARE


@dataclasses.dataclass(frozen=True)
class Writer:
    step: str = "start"
    number: int = 0
    version: int = 0


@dataclasses.dataclass(frozen=True)
class Reader:
    step: str = "start"
    bound: int = 0
    waits_for: frozenset = frozenset()
    taken: frozenset = frozenset()  # numbers and versions that it gives places
    places: frozenset = frozenset()
    read_to: int = 0
    read: int = 0  # the last version


@dataclasses.dataclass(frozen=True)
class World:
    writers: tuple
    readers: tuple
    drawn: int = 0
    row: int = 0                      # its version
    row_locked: bool = False
    holders: frozenset = frozenset()  # of the sequence's lock
    slots: frozenset = frozenset()    # holders of the prepared log's
    log: frozenset = frozenset()      # visible, as (csn, version)
    waiting: frozenset = frozenset()  # visible and prepared, without a place, as (number, version)
    released: int = 0
    release_locked: bool = False


class Wrong(Exception):
    pass


def write(world: World, rules: Rules, i: int, kind: str):
    writer = world.writers[i]

    def then(step: str, number: int = writer.number, version: int = writer.version, **changes):
        writers = (*world.writers[:i], Writer(step, number, version), *world.writers[i + 1:])
        return dataclasses.replace(world, writers=writers, **changes)

    def draw(step: str, **changes):
        return then(step, number=world.drawn + STEP, drawn=world.drawn + STEP, **changes)

    mine = frozenset({i})
    match kind, writer.step:
        case _, "start" if not world.row_locked:
            yield then("wrote", version=world.row + 1, row_locked=True)
        case "ordinary", "wrote":
            yield draw("drew", holders=world.holders | mine)
        case "ordinary", "drew":
            yield then("visible", row=writer.version, row_locked=False,
                       log=world.log | {(writer.number, writer.version)})
        case "ordinary", "visible":
            yield then("done", holders=world.holders - mine)
        case "prepared", "wrote":
            if rules.locks_before_drawing:
                yield then("locked", slots=world.slots | mine)
            else:
                yield draw("unlocked")
        case "prepared", "locked":
            yield draw("drew")
        case "prepared", "unlocked":
            yield then("drew", slots=world.slots | mine)
        case "prepared", "drew":
            yield then("done", row=writer.version, row_locked=False, slots=world.slots - mine,
                       waiting=world.waiting | {(writer.number, writer.version)})


def place(world: World, rules: Rules) -> frozenset:
    places, last = set(), world.released if rules.places_behind_released else 0
    for number, version in sorted(world.waiting):
        last = max(number, last + 1)
        places.add((last, version))
    return frozenset(places)


def read(world: World, rules: Rules, i: int):
    reader = world.readers[i]

    def then(step: str, changes=None, **fields):
        readers = (*world.readers[:i], dataclasses.replace(reader, step=step, **fields), *world.readers[i + 1:])
        return dataclasses.replace(world, readers=readers, **(changes or {}))

    match reader.step:
        case "start":
            yield then("knows bound", bound=world.drawn)
        case "knows bound":
            yield then("waits", waits_for=world.holders if rules.waits else frozenset())
        case "waits" if not reader.waits_for & world.holders:
            in_flight = bool(world.slots) and rules.notes_in_flight
            yield then("releases" if in_flight else "looks", waits_for=frozenset())
        case "looks":
            if world.waiting:
                yield then("releases")
            else:
                yield then("fetches", bound=max(reader.bound, world.released))
        case "releases" if not world.release_locked:
            places = place(world, rules)
            bound = max([reader.bound, world.released, *(csn for csn, _ in places)])
            if places:
                early = {} if rules.releases_at_commit else {"released": bound}
                yield then("commits", {"release_locked": True} | early, bound=bound, taken=world.waiting, places=places)
            else:
                yield then("fetches", {"released": bound}, bound=bound)
        case "commits":
            yield then("start", {"release_locked": False}, taken=frozenset(), places=frozenset(), bound=0)  # fails
            yield then("fetches", {"release_locked": False, "released": reader.bound, "log": world.log | reader.places,
                                   "waiting": world.waiting - reader.taken}, taken=frozenset(), places=frozenset())
        case "fetches":
            last = reader.read
            for csn, version in sorted(world.log):
                if reader.read_to < csn <= reader.bound:
                    if version != last + 1:
                        raise Wrong(f"reads version {version} behind {last}: {world}")
                    last = version
            yield then("start", bound=0, read=last, read_to=max(reader.read_to, reader.bound))


def check_end(world: World) -> None:
    """With all writers done, one more round brings every reader the rest."""
    if any(writer.step != "done" for writer in world.writers) or world.waiting or world.release_locked:
        return
    for reader in world.readers:
        rest = [version for csn, version in sorted(world.log) if csn > reader.read_to]
        if reader.step == "start" and rest != list(range(reader.read + 1, len(world.writers) + 1)):
            raise Wrong(f"will read {rest} behind {reader.read}: {world}")


def explore(kinds: tuple, readers: int, rules: Rules) -> int:
    start = World(tuple(Writer() for _ in kinds), tuple(Reader() for _ in range(readers)))
    seen, todo = {start}, [start]
    while todo:
        world = todo.pop()
        check_end(world)
        for following in itertools.chain(
                *(write(world, rules, i, kind) for i, kind in enumerate(kinds)),
                *(read(world, rules, i) for i in range(readers))):
            if following not in seen:
                seen.add(following)
                todo.append(following)
    return len(seen)


# Three writers and one reader; two and two. Writers are alike, so their order says nothing.
WORLDS = [(kinds, readers) for writers, readers in ((3, 1), (2, 2))
          for kinds in itertools.combinations_with_replacement((ORDINARY, PREPARED), writers)]


@pytest.mark.parametrize(("kinds", "readers"), WORLDS)
def test_the_rules_keep_the_order_in_every_interleaving(kinds, readers):
    assert explore(kinds, readers, Rules()) > 100


@pytest.mark.parametrize("missing", [field.name for field in dataclasses.fields(Rules)])
def test_every_rule_is_needed(missing):
    rules = dataclasses.replace(Rules(), **{missing: False})
    with pytest.raises(Wrong):
        for kinds, readers in WORLDS:
            explore(kinds, readers, rules)
