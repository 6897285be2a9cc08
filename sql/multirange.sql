-- From PostgreSQL 14 on. Multirange types.
CREATE SCHEMA multirange;
CREATE TABLE multirange.t (id int PRIMARY KEY, m int4multirange, ms nummultirange[]);
SELECT waybill.enable_capture('multirange.t');
INSERT INTO multirange.t VALUES (1, '{[1,3),[5,7)}', '{"{[1.5,2]}","{}",NULL}'), (2, NULL, '{}');
UPDATE multirange.t SET m = m + '{[3,5)}' WHERE id = 1;
SELECT op, before, after FROM waybill.changes WHERE "table" = 'multirange.t' ORDER BY csn, index;
-- A type that contains itself, which only some versions refuse.
CREATE TYPE multirange.circular AS (a int, b int);
CREATE TYPE multirange.circular_range AS RANGE (subtype = multirange.circular, multirange_type_name = multirange.circulars);
CREATE TABLE multirange.rings (id int PRIMARY KEY, ring multirange.circular);
UPDATE pg_attribute SET (atttypid, attlen, attalign, attbyval, attstorage) = (SELECT oid, typlen, typalign, typbyval, typstorage
    FROM pg_type WHERE oid = 'multirange.circulars'::regtype)
WHERE attrelid = 'multirange.circular'::regclass AND attname = 'b';
SELECT waybill.enable_capture('multirange.rings');
INSERT INTO multirange.rings VALUES (1, ROW(1, NULL));
SELECT after FROM waybill.changes WHERE "table" = 'multirange.rings';

SET client_min_messages = warning;
DROP SCHEMA multirange CASCADE;
