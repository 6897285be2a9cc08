"""Databases in other encodings than UTF-8: what is published is UTF-8 all the same, and no byte is lost."""

import contextlib
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
