"""Databases in other encodings than UTF-8: what is published is UTF-8 all the same, and no byte is lost."""

import contextlib
import itertools
import json

import pytest

# Two words of each encoding, and another one that clients may use. SQL_ASCII knows no characters; what is well-formed
# UTF-8 there is published as that.
SAMPLES = {
    "LATIN1": ("Größe", "año", "MULE_INTERNAL"),
    "EUC_JP": ("日本語", "ｶﾅ", "SJIS"),
    "SQL_ASCII": ("日本語", "año", "SQL_ASCII"),
}


@pytest.mark.parametrize("encoding", SAMPLES)
def test_names_values_and_context_arrive(pipeline_in, encoding):
    pipeline = pipeline_in(encoding)
    word, other, client_encoding = SAMPLES[encoding]
    with contextlib.closing(pipeline.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SET client_encoding = 'UTF8'")
        connection.set_client_encoding("UTF8")
        cursor.execute(f"""
            CREATE TYPE mood AS ENUM ('{word}', '{other}');
            CREATE TYPE pair AS (a int, b text);
            CREATE TABLE "{word}" ("{other}" text PRIMARY KEY, c_varchar varchar(20) DEFAULT '{other}', c_char char(10),
                c_name name, c_json json, c_jsonb jsonb, c_xml xml, c_mood mood, c_moods mood[], c_texts text[],
                c_jsonbs jsonb[], c_pair pair);
            SELECT waybill.enable_capture('"{word}"', key => '{{{other}}}');
            SET waybill.context = '{{"by": "{word}"}}';
            INSERT INTO "{word}" VALUES ('{word}', '{word}', '{word}', '{word}', '{{"{word}": "{other}"}}',
                '{{"{word}": "{other}"}}', '<a>{word}</a>', '{word}', '{{{word},{other}}}', '{{{word},NULL,"a {other}"}}',
                ARRAY['"{word}"'::jsonb], (1, '{word} {other}'))""")
        # Whatever the client speaks.
        cursor.execute(f"SET client_encoding = '{client_encoding}'")
        cursor.execute("DO $$ BEGIN EXECUTE (SELECT format('UPDATE %s SET %I = %1$L', \"table\", key[1]) "
                       "FROM waybill.captured_tables); END $$")
    pipeline.shipper(stream={"schemas": True}).once()

    topic = [name for name in pipeline.broker.topics() if name.startswith(f"{pipeline.name}.")]
    assert topic == [f"{pipeline.name}.public.{'_' * len(word) if encoding != 'LATIN1' else 'Gr__e'}"]
    records = pipeline.records(topic[0].removeprefix(f"{pipeline.name}."))
    created, removed, _, moved = records
    assert json.loads(created.key)["payload"] == {other: word}
    assert created.header("waybill.context") == f'{{"by": "{word}"}}'
    value = json.loads(created.value)
    assert value["payload"]["source"]["table"] == word
    fields = {field["field"]: field for field in value["schema"]["fields"][1]["fields"]}
    assert fields["c_mood"]["parameters"]["allowed"] == f"{word},{other}"
    assert fields["c_varchar"]["default"] == other
    row = {other: word, "c_varchar": word, "c_char": word.ljust(10), "c_name": word,
           "c_json": f'{{"{word}": "{other}"}}', "c_jsonb": f'{{"{word}": "{other}"}}', "c_xml": f"<a>{word}</a>",
           "c_mood": word, "c_moods": [word, other], "c_texts": [word, None, f"a {other}"], "c_jsonbs": [f'"{word}"'],
           "c_pair": f'(1,"{word} {other}")'}
    if encoding == "SQL_ASCII":  # there its ten characters are ten bytes
        row["c_char"] = word.ljust(10 - len(word.encode()) + len(word))
    assert value["payload"]["after"] == row
    assert json.loads(removed.value)["payload"]["before"] == row
    assert json.loads(moved.value)["payload"]["after"] == row | {other: f'"{word}"'}


# Text that Unicode cannot say, and texts that could be taken for what is published in its place.
UNPUBLISHABLE = {
    # JIS X 0208 has nothing at row 2 cell 15, nor at row 94 cell 94.
    "EUC_JP": ("euc_jp", [b"a\xa2\xafz", b"a\xfe\xfez", b"\xa4\xa2\xa2\xaf", b"a\\xa2\\xafz", b"a??z", b"\x8e\xb1"]),
    "SQL_ASCII": ("utf-8", [b"\x81", b"\xff\xfe", b"\xe3\x81", b"\xe3\x81\x82", b"\xed\xa0\x80", b"\\x81", b"?",
                            "\ufffd".encode(), "\uf781".encode(), "\uf780x\uf7ff".encode(), b"\xf4\x90\x80\x80",
                            b"\xc0\xaf", b"plain \xe4 and \xc3\xa4"]),
}


def to_bytes(text: str, codec: str) -> bytes:
    """The way back from what is published."""
    return b"".join(bytes([ord(c) & 0xFF]) if "\uf780" <= c <= "\uf7ff" else c.encode(codec) for c in text)


@pytest.mark.parametrize("encoding", UNPUBLISHABLE)
def test_bytes_that_are_no_characters_are_not_lost(pipeline_in, encoding):
    pipeline = pipeline_in(encoding)
    codec, keys = UNPUBLISHABLE[encoding]
    text = f"convert_from(%s, '{encoding}')"
    with contextlib.closing(pipeline.connect()) as connection, connection.cursor() as cursor:
        # Names too, and a stream that knows the table by its name.
        cursor.execute(f"""DO $$ DECLARE odd text := convert_from('\\x{keys[0].hex()}', '{encoding}'); BEGIN
            EXECUTE format('CREATE TABLE %1$I (id text PRIMARY KEY, %1$I text[], j jsonb DEFAULT to_jsonb(%1$L::text))', odd);
            EXECUTE format('CREATE VIEW t AS SELECT id, %1$I AS list, j FROM %1$I', odd);
            PERFORM waybill.enable_capture(quote_ident(odd)::regclass);
            PERFORM waybill.create_stream('odd', ARRAY['public.' || odd]);
            PERFORM set_config('waybill.context', odd, false); END $$""")
        for key in keys:
            cursor.execute(f"INSERT INTO t (id, list) SELECT u, ARRAY[u, NULL, u || ' ' || u] FROM {text} u", (key,))
        cursor.execute(f"UPDATE t SET list = '{{}}' WHERE id = {text}", (keys[1],))
        cursor.execute(f"DELETE FROM t WHERE id = {text}", (keys[2],))
        cursor.execute(f"UPDATE t SET id = id || 'x' WHERE id = {text}", (keys[0],))
        cursor.execute("SELECT convert_to(id, %(e)s), convert_to(list::text, %(e)s), convert_to(j #>> '{}', %(e)s) FROM t",
                       {"e": encoding})
        table = {bytes(key): (bytes(listed), bytes(default)) for key, listed, default in cursor.fetchall()}
        # The log in SQL has the database's own bytes again.
        cursor.execute("SELECT convert_to(key ->> 'id', %s) FROM waybill.changes WHERE op = 'insert' ORDER BY csn",
                       (encoding,))
        assert [bytes(key) for (key,) in cursor.fetchall()] == keys
        cursor.execute("SELECT count(*) FROM waybill.changes c, t WHERE c.after -> 'id' = to_jsonb(t.id) "
                       "AND c.after -> 'j' = t.j AND c.context = current_setting('waybill.context')")
        assert cursor.fetchone()[0] >= len(table)
    pipeline.shipper(stream={"name": "odd"}).once()

    [topic] = [name for name in pipeline.broker.topics() if name.startswith(f"{pipeline.name}.")]
    records = pipeline.records(topic.removeprefix(f"{pipeline.name}."))
    rows = {}
    for record in records:
        key = to_bytes(json.loads(record.key)["id"], codec)
        assert to_bytes(record.header("waybill.context"), codec) == keys[0]
        rows.pop(key, None)
        if record.value is None:
            continue
        event = json.loads(record.value)  # valid UTF-8, or this raises
        assert to_bytes(event["source"]["table"], codec) == keys[0]
        if event["after"] is not None:
            assert to_bytes(list(event["after"])[1], codec) == keys[0]
            rows[key] = event["after"]
    assert set(rows) == set(table)
    for key, row in rows.items():
        listed, default = table[key]
        assert to_bytes(json.loads(row["j"]), codec) == default
        items = [None if item is None else to_bytes(item, codec) for item in list(row.values())[1]]
        assert items in ([], [keys[0], None, keys[0] + b" " + keys[0]], [key, None, key + b" " + key])
        assert (items == []) == (listed == b"{}")


# What is no text of the database's encoding, and yet is in it: from a client that set what was not checked, from a C
# function, from before. A cast that changes no byte makes it as well.
INVALID = {
    "UTF8": [b"a\xff", b"\xc3", b"\xe2\x82", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf4\x90\x80\x80", b"a\0b",
             b"long enough for more than a word \xfe and on",
             # What is well-formed stays what it is.
             "\uf7ff".encode(), "\uf700 \U0001f600 grün \ue000".encode()],
    "EUC_JP": [b"a\xff", b"\xa4", b"\x8f\xa2"],
    "LATIN1": [b"a\0b"],
}


def mapped(text: bytes, encoding: str) -> str:
    """As documented: each byte of what is not well-formed is a character of its own."""
    if encoding == "LATIN1":
        return text.decode("latin-1").replace("\0", "\uf700")
    if encoding == "EUC_JP":
        return "".join(chr(byte if byte < 128 else 0xF700 + byte) for byte in text)
    result = text.decode("utf-8", "surrogateescape").replace("\0", "\uf700")
    return "".join(chr(0xF700 + ord(c) - 0xDC00) if "\udc80" <= c <= "\udcff" else c for c in result)


@pytest.mark.parametrize("encoding", INVALID)
def test_invalid_text_stops_nobody(pipeline_in, encoding):
    pipeline = pipeline_in(encoding)
    odd = INVALID[encoding][0] if encoding != "LATIN1" else b"x"  # no name has a zero
    with contextlib.closing(pipeline.connect()) as connection, connection.cursor() as cursor:
        connection.set_client_encoding("UTF8")
        cursor.execute(f"""
            CREATE CAST (bytea AS text) WITHOUT FUNCTION;
            CREATE FUNCTION as_it_is(bytea) RETURNS text LANGUAGE sql AS 'SELECT CAST($1 AS text)';
            CREATE TABLE gone (id int PRIMARY KEY);
            CREATE TABLE fine (id int PRIMARY KEY, v text);
            DO $$ DECLARE odd text := as_it_is('\\x{odd.hex()}'); BEGIN
                EXECUTE format('CREATE TYPE %I AS ENUM (%L)', 't' || odd, 'l' || odd);
                EXECUTE format('CREATE TYPE p AS (a int, b text)');
                EXECUTE format('CREATE TABLE %1$I (id text PRIMARY KEY, %1$I text[], n name DEFAULT %1$L, e %2$I DEFAULT %3$L,
                                j jsonb, s json, p p, v varchar)', odd, 't' || odd, 'l' || odd);
                EXECUTE format('CREATE VIEW t AS SELECT id, %1$I AS list, j, s, p, v FROM %1$I', odd);
                EXECUTE format('ALTER TABLE gone ADD %1$I text DEFAULT %1$L', odd);
                PERFORM waybill.enable_capture(quote_ident(odd)::regclass), waybill.enable_capture('gone'),
                        waybill.enable_capture('fine');
                PERFORM waybill.create_stream('odd', ARRAY['public.' || odd]);
                PERFORM set_config('waybill.context', odd, false);
            END $$""")
        for text in INVALID[encoding]:
            cursor.execute("INSERT INTO t SELECT x, ARRAY[x, NULL], to_jsonb(x), to_json(x), ROW(1, x)::p, x "
                           "FROM as_it_is(%s) x", (text,))
        cursor.execute("INSERT INTO gone VALUES (1)")
        cursor.execute("DROP TABLE gone")
        cursor.execute("SET waybill.context = 'fine'; INSERT INTO fine VALUES (1, 'é')")
        # In SQL, too: all of it is text of the database's.
        cursor.execute("SELECT key ->> 'id', after, context, \"table\" FROM waybill.changes ORDER BY csn")
        shown = cursor.fetchall()
        if encoding == "UTF8":
            assert [key for key, *_ in shown[:-2]] == [mapped(text, encoding) for text in INVALID[encoding]]
    for stream in "default", "odd":
        pipeline.shipper(stream={"name": stream, "prefix": f"{pipeline.name}.{stream}", "schemas": True}).once()
        topics = [name for name in pipeline.broker.topics() if name.startswith(f"{pipeline.name}.{stream}.")]
        assert len(topics) == (3 if stream == "default" else 1)
    [topic] = topics
    records = pipeline.records(topic.removeprefix(f"{pipeline.name}."))
    name = mapped(odd, encoding)
    for record, text in zip(records, INVALID[encoding], strict=True):
        expected = mapped(text, encoding)
        shown_by_output = mapped(text.split(b"\0")[0], encoding)  # as far as the server's output functions see
        assert json.loads(record.key)["payload"] == {"id": expected}
        assert record.header("waybill.context") == name
        after = json.loads(record.value)["payload"]["after"]
        assert after["id"] == after["v"] == expected
        assert after[name] == [expected, None]
        assert after["n"] == name and after["e"] == f"l{name}"
        assert json.loads(after["j"]) == shown_by_output
        # PostgreSQL 18 escapes what it makes JSON of to its end.
        assert json.loads(after["s"]) in (shown_by_output, expected.replace("\uf700", "\0"))
        assert after["p"].strip("()").split(",")[1].strip('"') == shown_by_output
    schema = json.loads(records[0].value)["schema"]
    [enumeration] = [field for field in schema["fields"][1]["fields"] if field["field"] == "e"]
    assert enumeration["parameters"]["allowed"] == f"l{name}" and enumeration["default"] == f"l{name}"


def test_what_is_utf_8_is_found_byte_by_byte(pipeline_in):
    """Sequences at the borders of what is well-formed, at places where texts are looked at in pieces of several sizes."""
    pipeline = pipeline_in("UTF8")
    borders = b"\0A\x7f\x80\x8f\x90\x9f\xa0\xbf\xc0\xc1\xc2\xdf\xe0\xed\xef\xf0\xf4\xf5\xff"
    pipeline.execute("CREATE CAST (bytea AS text) WITHOUT FUNCTION")
    for before, behind in (0, 0), (3, 0), (4, 9), (6, 1), (17, 30):
        [(result,)] = pipeline.query("""
            WITH byte AS (SELECT substr(%(borders)s::bytea, i, 1) AS b FROM generate_series(1, length(%(borders)s::bytea)) i)
            SELECT string_agg(waybill.utf8(CAST(convert_to(repeat('-', %(before)s), 'UTF8') || a.b || b.b || c.b || d.b
                                                || convert_to(repeat('-', %(behind)s), 'UTF8') AS text)),
                              convert_to('/', 'UTF8') ORDER BY a.b, b.b, c.b, d.b)
            FROM byte a, byte b, byte c, byte d""", {"borders": borders, "before": before, "behind": behind})
        expected = "/".join(mapped(b"-" * before + bytes(sequence) + b"-" * behind, "UTF8")
                            for sequence in itertools.product(sorted(borders), repeat=4))
        assert bytes(result).decode() == expected
