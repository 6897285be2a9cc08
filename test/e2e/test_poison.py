"""What a writer, or the owner of a table, cannot do to others by what he writes: forge their changes, stop a stream, fill
a shipper's memory."""

import contextlib
import itertools
import struct

import psycopg2
import pytest


# ---- a shape that is taken for another's

MASK = 0xFFFFFFFF


def rotate(word: int, bits: int) -> int:
    return (word << bits | word >> (32 - bits)) & MASK


class Hash:
    """PostgreSQL's hash_bytes_extended() with seed 0, and its way back: each step of it can be undone."""

    MIX = ((4, 6, 8), (16, 19, 4))
    FINAL = ((2, 1, 14), (0, 2, 11), (1, 0, 25), (2, 1, 16), (0, 2, 4), (1, 0, 14), (2, 1, 24))

    @classmethod
    def mix(cls, a, b, c):
        for bits in cls.MIX:
            a = (a - c & MASK) ^ rotate(c, bits[0])
            c = c + b & MASK
            b = (b - a & MASK) ^ rotate(a, bits[1])
            a = a + c & MASK
            c = (c - b & MASK) ^ rotate(b, bits[2])
            b = b + a & MASK
        return a, b, c

    @classmethod
    def unmix(cls, a, b, c):
        for bits in reversed(cls.MIX):
            b = b - a & MASK
            c = (c ^ rotate(b, bits[2])) + b & MASK
            a = a - c & MASK
            b = (b ^ rotate(a, bits[1])) + a & MASK
            c = c - b & MASK
            a = (a ^ rotate(c, bits[0])) + c & MASK
        return a, b, c

    @classmethod
    def unfinish(cls, *words):
        words = list(words)
        for to, by, bits in reversed(cls.FINAL):
            words[to] = (words[to] + rotate(words[by], bits) & MASK) ^ words[by]
        return words

    @staticmethod
    def start(size: int):
        return (0x9E3779B9 + size + 3923095 & MASK,) * 3

    @staticmethod
    def words(block: bytes, last: bool = False):
        if last:  # the lowest byte of the third word is the size's
            block = (block[:8] + b"\0" + block[8:] if len(block) > 8 else block).ljust(12, b"\0")
        return struct.unpack("<3I", block)


def forge(text: bytes, free: slice, wanted: int) -> bytes:
    """`text` with twelve characters in `free` changed so that its hash is the one `wanted`."""
    at = -(-free.start // 12) * 12
    assert at + 12 <= free.stop
    state = Hash.start(len(text))
    for begin in range(0, at, 12):
        state = Hash.mix(*(word + more & MASK for word, more in zip(state, Hash.words(text[begin:begin + 12]))))
    full = len(text) // 12 * 12
    behind = [Hash.words(text[begin:begin + 12]) for begin in range(at + 12, full, 12)]
    tail = Hash.words(text[full:], last=True)
    # printable, and neither SQL nor JSON has to escape it
    allowed = [0x20 <= byte < 0x7F and chr(byte) not in "\"'\\" for byte in range(256)]
    for guess in itertools.count():  # 32 of the 96 bits are not the hash's: there are so many ways back
        words = [word - more & MASK for word, more in zip(Hash.unfinish(guess, wanted >> 32, wanted & MASK), tail)]
        for block in reversed(behind):
            words = [word - more & MASK for word, more in zip(Hash.unmix(*words), block)]
        block = struct.pack("<3I", *(word - had & MASK for word, had in zip(Hash.unmix(*words), state)))
        if all(map(allowed.__getitem__, block)):
            return text[:at] + block + text[at + 12:]


def test_a_default_cannot_make_a_shape_that_is_taken_for_anothers(pipeline):
    """A shape was looked up by a hash, as its owner could find one with the hash of another table's."""
    pipeline.execute("CREATE TABLE vault (id int PRIMARY KEY, secret text)",
                     f"CREATE TABLE forge (id int PRIMARY KEY, note text DEFAULT '{'x' * 23}')")
    pipeline.capture("vault", "forge")
    pipeline.execute("INSERT INTO vault VALUES (1, 'sealed')", "INSERT INTO forge VALUES (1)")
    definitions = dict(pipeline.query("SELECT definition ->> 'table', definition::text FROM waybill.shape"))
    wanted = pipeline.value("SELECT hashtextextended(%s, 0)", (definitions["vault"],)) & 0xFFFFFFFFFFFFFFFF
    own = definitions["forge"].encode()
    begin = own.index(b"x" * 23)
    forged = forge(own, slice(begin, begin + 23), wanted)
    with contextlib.closing(pipeline.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT hashtextextended(%s, 0)", (forged.decode(),))
        assert cursor.fetchone()[0] & 0xFFFFFFFFFFFFFFFF == wanted, "the hashes are equal"
        cursor.execute("ALTER TABLE forge ALTER note SET DEFAULT %s", (forged[begin:begin + 23].decode(),))
        cursor.execute("INSERT INTO vault VALUES (2, 'sealed')")
        cursor.execute("INSERT INTO forge (id) VALUES (3)")
    assert pipeline.query("SELECT \"table\", (after ->> 'id')::int FROM waybill.changes ORDER BY csn") == [
        ("public.vault", 1), ("public.forge", 1), ("public.vault", 2), ("public.forge", 3)]
    assert forged.decode() in {text for (text,) in pipeline.query("SELECT definition::text FROM waybill.shape")}


# ---- changes and contexts that are too large

LARGE = "(SELECT string_agg(md5(i::text), '') FROM generate_series(1, 100000) i)"  # 3.2 MB


def test_a_change_that_cannot_be_a_message_is_told_before_one_is_made(pipeline):
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, v text)")
    pipeline.capture("t")
    pipeline.execute("INSERT INTO t VALUES (1, 'small')", f"INSERT INTO t VALUES (2, {LARGE})",
                     "INSERT INTO t VALUES (3, 'behind')")
    done = pipeline.shipper().run("--once")
    assert done.returncode == 1
    position = f"{pipeline.value('SELECT id FROM waybill.source')}/1/20000/0"
    last = done.stderr.strip().splitlines()[-1]
    assert (f'could not publish the change at position {position} to topic "{pipeline.topic("public.t")}": '
            'Broker: Message size too large; raise kafka."message.max.bytes"') in last, last
    assert pipeline.acknowledged() == 10000
    # What is not published of it does not count, nor what is published otherwise.
    pipeline.shipper(stream={"prefix": f"{pipeline.name}.without"}, columns={"exclude": ["public\\.t\\.v"]}).once()
    assert len(pipeline.records("without.public.t")) == 2


def test_neither_a_context_nor_a_change_above_its_bound_gets_into_the_log(pipeline):
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, v text)", "CREATE ROLE writer", "GRANT INSERT ON t TO writer",
                     f"ALTER DATABASE {pipeline.name} SET waybill.max_change_size = '400kB'")
    pipeline.capture("t")
    with contextlib.closing(pipeline.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SET ROLE writer")
        for context, value in ("'2 MB' || repeat('x', 2000000)", "'x'"), ("'fine'", LARGE):
            for _ in range(2):  # the first also loads the library
                with pytest.raises(psycopg2.errors.ProgramLimitExceeded):
                    cursor.execute(f"SELECT set_config('waybill.context', {context}, false)")
                    cursor.execute(f"INSERT INTO t VALUES (1, {value})")
        cursor.execute("INSERT INTO t VALUES (1, 'after all')")
    pipeline.shipper().once()
    [record] = pipeline.records("public.t")
    assert record.header("waybill.context") == "fine"
