-- What the writers work on: few hot accounts, items that come, go and change their key, a journal without a key, and a
-- ledger in which each transaction that commits says how many changes it made. The checker needs the ledger: a change
-- that leaves no trace in the tables (a row inserted and deleted) is missed by counting only.
CREATE SCHEMA work;
CREATE TYPE work.state AS ENUM ('new', 'paid', 'sent');
CREATE TABLE work.account (
    id int PRIMARY KEY,
    version bigint NOT NULL,
    balance numeric(14,2) NOT NULL,
    note text,
    touched timestamptz NOT NULL
);
CREATE TABLE work.item (
    id bigint PRIMARY KEY,
    version bigint NOT NULL,
    account int NOT NULL,
    state work.state NOT NULL,
    price float8,
    payload jsonb,
    tags text[]
);
CREATE INDEX ON work.item (account, id);
CREATE TABLE work.journal (
    account int,
    entry text,
    amount numeric,
    at timestamp
);
CREATE INDEX ON work.journal (account);
CREATE TABLE work.ledger (
    id bigserial PRIMARY KEY,
    xid bigint NOT NULL,
    changes int NOT NULL
);
CREATE SEQUENCE work.fresh_item START 100001;

-- Each function below returns the number of row changes it made and left in place.

-- Updates `n` neighbouring accounts, in the order of their ids so that two writers cannot wait for each other.
CREATE FUNCTION work.touch(first int, n int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    total int := 0;
BEGIN
    FOR a IN first .. least(first + n - 1, 40) LOOP
        UPDATE work.account
        SET version = version + 1, balance = balance + (random() * 200 - 100)::numeric(14,2),
            note = CASE WHEN random() < 0.1 THEN repeat(md5(random()::text), 1 + (random() * 20)::int) ELSE note END,
            touched = clock_timestamp()
        WHERE id = a;
        total := total + 1;
    END LOOP;
    RETURN total;
END $$;

-- Inserts or deletes one of few ids, so that the same key comes back again and again.
CREATE FUNCTION work.flip(slot bigint, account int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    n int;
BEGIN
    INSERT INTO work.item VALUES (slot, 1, account, 'new', random(), jsonb_build_object('slot', slot), '{}')
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS n = ROW_COUNT;
    IF n = 0 THEN
        DELETE FROM work.item WHERE id = slot;
        GET DIAGNOSTICS n = ROW_COUNT;
    END IF;
    RETURN n;
END $$;

CREATE FUNCTION work.add_items(account int, n int) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO work.item
    SELECT nextval('work.fresh_item'), 1, account, 'new', i / 7.0, jsonb_build_object('i', i, 'text', md5(i::text)),
        ARRAY['a', NULL, 'ü"' || i]
    FROM generate_series(1, n) i;
    RETURN n;
END $$;

-- Items that another writer has at hand are passed over, so that no two writers wait for each other.
CREATE FUNCTION work.change_items(of_account int, n int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    total int;
BEGIN
    UPDATE work.item SET version = version + 1, state = CASE state WHEN 'new' THEN 'paid' ELSE 'sent' END::work.state,
        payload = payload || jsonb_build_object('at', clock_timestamp())
    WHERE id IN (SELECT id FROM work.item WHERE account = of_account LIMIT n FOR UPDATE SKIP LOCKED);
    GET DIAGNOSTICS total = ROW_COUNT;
    RETURN total;
END $$;

CREATE FUNCTION work.remove_items(of_account int, n int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    total int;
BEGIN
    DELETE FROM work.item
    WHERE id IN (SELECT id FROM work.item WHERE account = of_account LIMIT n FOR UPDATE SKIP LOCKED);
    GET DIAGNOSTICS total = ROW_COUNT;
    RETURN total;
END $$;

CREATE FUNCTION work.rekey_items(of_account int, n int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    total int;
BEGIN
    UPDATE work.item SET version = version + 1, id = nextval('work.fresh_item')
    WHERE id IN (SELECT id FROM work.item WHERE account = of_account LIMIT n FOR UPDATE SKIP LOCKED);
    GET DIAGNOSTICS total = ROW_COUNT;
    RETURN total;
END $$;

CREATE FUNCTION work.note(account int, n int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    removed int := 0;
BEGIN
    INSERT INTO work.journal
    SELECT account, 'entry ' || (i % 3), round(random()::numeric, (random() * 6)::int), clock_timestamp()
    FROM generate_series(1, n) i;
    IF random() < 0.5 THEN
        DELETE FROM work.journal
        WHERE ctid IN (SELECT ctid FROM work.journal j WHERE j.account = note.account LIMIT n + 1 FOR UPDATE SKIP LOCKED);
        GET DIAGNOSTICS removed = ROW_COUNT;
    END IF;
    RETURN n + removed;
END $$;

-- Changes something, undoes it (an exception handler is a subtransaction), and changes something else.
CREATE FUNCTION work.change_mind(account int, depth int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    total int := 0;
BEGIN
    BEGIN
        total := work.add_items(account, 2);
        IF depth > 1 THEN
            total := total + work.change_mind(account, depth - 1);
        END IF;
        total := total + work.note(account, 1);
        IF random() < 0.6 THEN
            RAISE EXCEPTION 'changed my mind';
        END IF;
    EXCEPTION WHEN raise_exception THEN
        total := 0;
    END;
    RETURN total + work.note(account, 1);
END $$;

CREATE FUNCTION work.close(changes int) RETURNS void LANGUAGE sql AS $$
    INSERT INTO work.ledger (xid, changes)
    VALUES (pg_current_xact_id()::text::bigint & 4294967295, changes + 1)
$$;

CREATE FUNCTION work.populate() RETURNS void LANGUAGE sql AS $$
    INSERT INTO work.account SELECT id, 1, 0, 'account ' || id, now() FROM generate_series(1, 40) id;
    SELECT work.close(40)
$$;
