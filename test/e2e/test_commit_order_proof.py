"""The rules of the commit order, proved for small worlds by trying every interleaving: the fence, and the places of
prepared transactions. What is modelled is extension/change_log.cpp, extension/fence.cpp and waybill_internal.release().

Writers of one row depend each on the one before it. An ordinary one draws its csn, becomes visible, which
lets the next one at the row, and then gives up its lock on the sequence. A prepared one marks itself, draws a number, and
becomes visible at COMMIT PREPARED, which takes the mark away.

A reader reads the sequence, waits for those who hold its lock then, and, if transactions are being prepared, notes how far
it lets itself read. If it then sees prepared ones it gives them their places behind what is noted, which takes effect when
it commits, unless it fails. Then it fetches.

To hold: every reader reads versions 1, 2, 3, … of each row, in that order, and none is left out.
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
    notes_in_flight: bool = True         # when somebody prepares, also if nothing can be seen yet
    looks_again: bool = True             # behind the note: who sees it later finds that
    looks_before_reading: bool = True    # what was noted, to give places behind it
    locks_before_drawing: bool = True    # the mark of who prepares
    places_up_to_bound: bool = True      # what has a greater number waits: others before it may not be visible yet


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
    in_flight: bool = False         # whether somebody was preparing
    released: int = 0               # as it knows it
    places: frozenset = frozenset()
    read_to: int = 0
    read: tuple = (0, 0)  # the last version of each row


@dataclasses.dataclass(frozen=True)
class World:
    writers: tuple
    readers: tuple
    drawn: int = 0
    rows: tuple = (0, 0)              # their versions
    locked: frozenset = frozenset()   # rows
    holders: frozenset = frozenset()  # of the sequence's lock
    preparing: frozenset = frozenset()  # who is marked as prepared, or about to be
    log: frozenset = frozenset()      # visible, as (csn, row, version)
    waiting: frozenset = frozenset()  # visible and prepared, without a place, as (number, row, version)
    released: int = 0
    release_locked: bool = False


class Wrong(Exception):
    pass


def write(world: World, rules: Rules, i: int, kind: str, row: int):
    writer = world.writers[i]

    def then(step: str, number: int = writer.number, version: int = writer.version, **changes):
        writers = (*world.writers[:i], Writer(step, number, version), *world.writers[i + 1:])
        return dataclasses.replace(world, writers=writers, **changes)

    def draw(step: str, **changes):
        return then(step, number=world.drawn + STEP, drawn=world.drawn + STEP, **changes)

    mine = frozenset({i})
    visible = {"locked": world.locked - {row}, "rows": (*world.rows[:row], writer.version, *world.rows[row + 1:])}
    match kind, writer.step:
        case _, "start" if row not in world.locked:
            yield then("wrote", version=world.rows[row] + 1, locked=world.locked | {row})
        case "ordinary", "wrote":
            yield draw("drew", holders=world.holders | mine)
        case "ordinary", "drew":
            yield then("visible", log=world.log | {(writer.number, row, writer.version)}, **visible)
        case "ordinary", "visible":
            yield then("done", holders=world.holders - mine)
        case "prepared", "wrote":
            if rules.locks_before_drawing:
                yield then("locked", preparing=world.preparing | mine)
            else:
                yield draw("unlocked")
        case "prepared", "locked":
            yield draw("drew")
        case "prepared", "unlocked":
            yield then("drew", preparing=world.preparing | mine)
        case "prepared", "drew":
            yield then("done", preparing=world.preparing - mine, waiting=world.waiting | {(writer.number, row, writer.version)},
                       **visible)


def place(released: int, rules: Rules, taken: frozenset) -> frozenset:
    places, last = set(), released if rules.places_behind_released else 0
    for number, row, version in sorted(taken):
        last = max(number, last + 1)
        places.add((last, row, version))
    return frozenset(places)


def waiting_up_to(world: World, rules: Rules, bound: int) -> frozenset:
    return frozenset(one for one in world.waiting if one[0] <= bound or not rules.places_up_to_bound)


def read_up_to(world: World, read_to: int, bound: int, read: tuple) -> tuple:
    """The last version of each row after reading the log's part."""
    last = list(read)
    for csn, row, version in sorted(world.log):
        if read_to < csn <= bound:
            if version != last[row] + 1:
                raise Wrong(f"reads version {version} of row {row} behind {last[row]}: {world}")
            last[row] = version
    return tuple(last)


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
            yield then("looks", waits_for=frozenset(), in_flight=bool(world.preparing) and rules.notes_in_flight)
        case "looks" if waiting_up_to(world, rules, reader.bound):
            yield then("locks")
        case "looks":
            yield then("notes" if reader.in_flight else "knows released", in_flight=False)
        case "notes":
            yield then("looks again" if rules.looks_again else "knows released",
                       {"released": max(world.released, reader.bound)})
        case "looks again":
            yield then("locks" if waiting_up_to(world, rules, reader.bound) else "knows released")
        case "knows released":
            yield then("fetches", bound=max(reader.bound, world.released))
        case "locks" if not world.release_locked:
            if rules.looks_before_reading:
                yield then("places", {"release_locked": True}, taken=waiting_up_to(world, rules, reader.bound))
            else:
                yield then("looks late", {"release_locked": True}, released=world.released)
        case "looks late":
            yield then("places", taken=waiting_up_to(world, rules, reader.bound))
        case "places" if not reader.taken:
            yield then("looks", {"release_locked": False}, released=0)
        case "places":
            released = world.released if rules.looks_before_reading else reader.released
            places = place(released, rules, reader.taken)
            bound = max([reader.bound, released, *(csn for csn, _, _ in places)])
            early = {} if rules.releases_at_commit else {"released": max(world.released, bound)}
            yield then("commits", early, bound=bound, places=places, released=0, in_flight=False)
        case "commits":
            yield then("start", {"release_locked": False}, taken=frozenset(), places=frozenset(), bound=0)  # fails
            yield then("fetches", {"release_locked": False, "released": max(world.released, reader.bound),
                                   "log": world.log | reader.places, "waiting": world.waiting - reader.taken},
                       taken=frozenset(), places=frozenset())
        case "fetches":
            read = read_up_to(world, reader.read_to, reader.bound, reader.read)
            yield then("start", bound=0, read=read, read_to=max(reader.read_to, reader.bound))


def check_end(world: World) -> None:
    """With all writers done, one more round brings every reader the rest."""
    if any(writer.step != "done" for writer in world.writers) or world.waiting or world.release_locked:
        return
    for reader in world.readers:
        if reader.step == "start":
            read = read_up_to(world, reader.read_to, max(csn for csn, _, _ in world.log), reader.read)
            if read != world.rows:
                raise Wrong(f"will have read {read}: {world}")


def explore(writers: tuple, readers: int, rules: Rules) -> int:
    start = World(tuple(Writer() for _ in writers), tuple(Reader() for _ in range(readers)))
    seen, todo = {start}, [start]
    while todo:
        world = todo.pop()
        check_end(world)
        for following in itertools.chain(
                *(write(world, rules, i, kind, row) for i, (kind, row) in enumerate(writers)),
                *(read(world, rules, i) for i in range(readers))):
            if following not in seen:
                seen.add(following)
                todo.append(following)
    return len(seen)


# Three writers of one row and a reader; two of one and one of another; two and two readers.
WORLDS = [(tuple(zip(kinds, rows)), readers) for rows, readers in (((0, 0, 0), 1), ((0, 0, 1), 1), ((0, 0), 2))
          for kinds in itertools.product((ORDINARY, PREPARED), repeat=len(rows))]


@pytest.mark.parametrize(("writers", "readers"), WORLDS)
def test_the_rules_keep_the_order_in_every_interleaving(writers, readers):
    assert explore(writers, readers, Rules()) > 100


@pytest.mark.parametrize("missing", [field.name for field in dataclasses.fields(Rules)])
def test_every_rule_is_needed(missing):
    rules = dataclasses.replace(Rules(), **{missing: False})
    with pytest.raises(Wrong):
        for writers, readers in WORLDS:
            explore(writers, readers, rules)
