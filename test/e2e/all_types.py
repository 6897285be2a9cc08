"""A column of every kind of type, with the values at their ends, for what reads topics of all types."""

SETUP = (
    "CREATE EXTENSION hstore", "CREATE EXTENSION citext", "CREATE EXTENSION ltree", "CREATE EXTENSION isn",
    "CREATE TYPE mood AS ENUM ('sad', 'ok', 'very happy')",
    "CREATE TYPE pair AS (a int, b text)",
    "CREATE TYPE span AS RANGE (subtype = float8)",
    "CREATE DOMAIN price AS numeric(6,2)",
    "CREATE DOMAIN numbers AS int[]",
)

# Type, then literals. A row takes the next literal of each column, and null where a column has no more.
COLUMNS: list[tuple[str, ...]] = [
    ("boolean", "true", "false"),
    ("smallint", "32767", "-32768", "0"),
    ("integer", "2147483647", "-2147483648", "0"),
    ("bigint", "9223372036854775807", "-9223372036854775808", "9007199254740993"),
    ("oid", "4294967295", "0"),
    ("real", "3.3", "1e7", "1e-4", "3.4028235e38", "1e-45"),
    ("double precision", "4.44", "1e7", "123456789012345680", "1.7976931348623157e308", "5e-324"),
    ("numeric(10,2)", "19.99", "-0.01", "0", "1.28", "-99999999.99"),
    ("numeric(5,0)", "12345", "-1"),
    ("numeric", "1.2", "100", "1e-131", "0", "-1.10", "1e900", "123456789012345678901234567890.123456789"),
    ("money", "1.00", "'-92233720368547758.08'", "'92233720368547758.07'"),
    ("char(3)", "'a'", "'é'"),
    ("varchar(5)", "'ab'", "''"),
    ("text", "''", "'a\"b\\c/'", r"E'\x01\t\n\u20ac\U0001F600'", "repeat('ä', 100000)"),
    ("citext", "'Ab'"),
    ("name", "'n'"),
    ("isbn", "'978-0-393-04002-9'"),
    ('"char"', "'a'"),
    ("bytea", r"'\x00ff10'", "''", "sha256(repeat('x', 100000)::bytea)"),
    ("bit(1)", "B'1'", "B'0'"),
    ("bit(2)", "B'11'", "B'00'", "B'10'"),
    ("bit(9)", "B'100000000'", "B'000000001'"),
    ("varbit", "B'100000001'", "B''"),
    ("date", "'2024-05-01'", "'infinity'", "'-infinity'", "'4713-01-01 BC'", "'5874897-12-31'"),
    ("time(3)", "'04:05:06.789'", "'24:00:00'"),
    ("time", "'04:05:06.789012'", "'24:00:00'"),
    ("timetz", "'13:51:02+02'", "'13:51:30.123789+02'", "'00:00:00+14'"),
    ("timestamp(3)", "'2024-05-01 10:00:00.123'", "'infinity'", "'-infinity'", "'0044-03-15 12:00 BC'"),
    ("timestamp", "'2024-05-01 10:00:00.123456'", "'infinity'", "'-infinity'", "'4713-01-01 BC'",
     "'294246-12-31 23:59:59.999999'"),
    ("timestamptz", "'2024-05-01 12:00:00+02'", "'infinity'", "'-infinity'", "'4713-01-01 00:00:00+00 BC'",
     "'294276-12-31 23:59:59.999999+00'", "'2024-05-01 12:00:00.000001+00'"),
    ("timestamptz(3)", "'2024-05-01 12:00:00.1+02'"),
    ("timestamptz(0)", "'2024-05-01 12:00:00+02'"),
    ("interval", "'1 month'", "'1 year 2 mons 3 days 4:05:06.78'", "'-1 day'", "'200000 years'"),
    ("uuid", "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'"),
    ("json", "'{\"bar\":   \"baz\"}'", "'null'", r"""'["\u00e9", 1.50]'"""),
    ("jsonb", "'{\"bar\":\"baz\",\"a\":[1, 2]}'", "'null'"),
    ("xml", "'<a>b</a>'"),
    ("hstore", "'a=>1,b=>NULL'", "''"),
    ("mood", "'sad'", "'very happy'"),
    ("int4range", "'[1,5]'", "'empty'", "'(,)'"),
    ("numrange", "'[1.50,2)'"),
    ("tsrange", "'[2019-03-31 15:30:00,infinity)'"),
    ("tstzrange", "'[2019-03-31 15:30:00+02,)'"),
    ("daterange", "'[2019-03-31,2019-04-01]'"),
    ("span", "'[1.5,2]'"),
    ("inet", "'192.168.2.0/12'", "'::1'"),
    ("cidr", "'192.168.0.0/16'"),
    ("macaddr", "'08002b:010203'"),
    ("macaddr8", "'08002b0102030405'"),
    ("ltree", "'Top.A.B'"),
    ("tsvector", "'a:1 b:2'"),
    ("tsquery", "'a & b'"),
    ("point", "'(1,-2.5)'"),
    ("box", "'(1,1),(0,0)'"),
    ("circle", "'<(10,20),10>'"),
    ("polygon", "'((0,0),(1,1),(1,0))'"),
    ("pg_lsn", "'16/B374D848'"),
    ("jsonpath", "'$.a'"),
    ("pair", "'(1,\"a b\")'"),
    ("price", "12.3", "-1"),
    ("numbers", "'{1,2}'"),
    ("boolean[]", "'{t,f,NULL}'", "'{}'"),
    ("smallint[]", "'{1,-2,NULL}'"),
    ("int[]", "'{1,2,NULL}'", "'{}'", "'{NULL}'", "'[5:6]={1,2}'"),
    ("bigint[]", "'{1,9223372036854775807}'"),
    ("oid[]", "'{1,4294967295}'"),
    ("real[]", "'{1.5,3.3}'"),
    ("double precision[]", "'{1.5,1e100}'"),
    ("numeric[]", "'{1.20,-3,NULL}'"),
    ("numeric(10,2)[]", "'{1.20,3}'"),
    ("char(3)[]", "'{a,bc}'"),
    ("varchar(5)[]", "'{a,bc}'"),
    ("text[]", "'{a,NULL,\"x \\\" y\",\"\"}'", "'{}'"),
    ("bytea[]", r"""'{"\\x01","\\x0203"}'"""),
    ("bit(2)[]", "'{11,01}'"),
    ("date[]", "'{2024-05-01,infinity}'"),
    ("time[]", "'{04:05:06.5}'"),
    ("timetz[]", "'{04:05:06.5+02}'"),
    ("timestamp[]", "'{2024-05-01 10:00:00.123456}'"),
    ("timestamptz[]", "'{2024-05-01 10:00:00.123456+00}'"),
    ("interval[]", "'{1 day}'"),
    ("uuid[]", "'{A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11}'"),
    ("jsonb[]", "ARRAY['{\"a\":1}']::jsonb[]"),
    ("money[]", "'{1.00}'"),
    ("name[]", "'{a}'"),
    ("xml[]", "ARRAY['<a/>']::xml[]"),
    ("mood[]", "'{sad,\"very happy\"}'"),
    ("inet[]", "'{1.2.3.4}'"),
    ("int4range[]", "ARRAY['[1,5]']::int4range[]"),
    ("citext[]", "'{a}'"),
    ("ltree[]", "'{a.b}'"),
    ("point[]", "ARRAY['(1,2)']::point[]"),
    ("pair[]", "ARRAY[ROW(1,'a')]::pair[]"),
]


def name(type_name: str) -> str:
    """The column of a type: "numeric(10,2)[]" in c_numeric_10_2_array."""
    words = type_name.replace("[]", " array").replace('"', "")
    return "c_" + "_".join("".join(c if c.isalnum() else " " for c in words).split())


def definitions(suffix: str = "") -> str:
    return ", ".join(f"{name(type_name)} {type_name} {suffix}" for type_name, *_ in COLUMNS)


def rows() -> list[str]:
    """What goes into VALUES (…), without a key."""
    count = max(len(literals) for _, *literals in COLUMNS)
    return [", ".join(literals[number] if number < len(literals) else "NULL" for _, *literals in COLUMNS)
            for number in range(count)]
