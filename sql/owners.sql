-- What works without capture works with it, for every owner; what would end capture is refused, or said.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE SCHEMA owners;
CREATE ROLE regress_waybill_app;
CREATE ROLE regress_waybill_stranger;
GRANT ALL ON SCHEMA owners TO regress_waybill_app, regress_waybill_stranger;
SET search_path = owners;
CREATE VIEW captured AS SELECT op, key, coalesce(after, before) AS row FROM waybill.changes
    WHERE csn = (SELECT max(csn) FROM waybill.changes WHERE "table" LIKE 'owners.%') ORDER BY index;
CREATE VIEW problems AS SELECT "table", key, problem FROM waybill.captured_tables WHERE "table"::text ~ '^(m|k|parent|s)$' ORDER BY "table"::text;

-- A superuser captures an application's tables; the application, which has no rights in our schemas, goes on as before.
SET ROLE regress_waybill_app;
CREATE TABLE m (id int, region int, note text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE m1 PARTITION OF m FOR VALUES IN (1);
RESET ROLE;
SELECT waybill.enable_capture('m');
SET ROLE regress_waybill_app;
CREATE TABLE m2 PARTITION OF m FOR VALUES IN (2);
CREATE TABLE m3 (note text, region int NOT NULL, id int NOT NULL);
ALTER TABLE m ATTACH PARTITION m3 FOR VALUES IN (3);
CREATE TABLE m4 PARTITION OF m FOR VALUES IN (4) PARTITION BY RANGE (id);
CREATE TABLE m4a PARTITION OF m4 FOR VALUES FROM (0) TO (10);
INSERT INTO m SELECT r, r, 'made by its owner' FROM generate_series(1, 4) r;
RESET ROLE;
SELECT * FROM captured;
SET ROLE regress_waybill_app;
TRUNCATE m2;
ALTER TABLE m DETACH PARTITION m3;
ALTER TABLE m ALTER note TYPE varchar(100), ADD extra int DEFAULT 5;
INSERT INTO m VALUES (2, 2, 'again');
UPDATE m SET region = 1 WHERE region = 2;
DROP TABLE m4;
RESET ROLE;
SELECT * FROM captured;
SELECT * FROM problems;
SELECT tgname FROM pg_trigger WHERE tgrelid = 'm3'::regclass;
-- Whoever has every privilege on a table but does not own it can neither capture it nor end its capture.
GRANT ALL ON m TO regress_waybill_stranger;
SELECT waybill.grant_capture('regress_waybill_stranger');
SET ROLE regress_waybill_stranger;
SELECT waybill.enable_capture('m', key => '{note}');
SELECT waybill.disable_capture('m');
SELECT waybill.enable_capture('pg_class');
SELECT waybill.enable_capture('owners.m', condition => '1 / 0 > 0');
SELECT waybill_internal.enable_capture('m', NULL, NULL, NULL);
RESET ROLE;

-- A key follows its columns, whoever renames them; when one goes that is said, and changes are published all the same.
CREATE TABLE k (a int, b int, c int);
ALTER TABLE k OWNER TO regress_waybill_app;
SELECT waybill.enable_capture('k', key => '{b,a}');
SET ROLE regress_waybill_app;
ALTER TABLE k RENAME a TO "A ""a""";
ALTER TABLE k RENAME b TO key;
ALTER TABLE k RENAME c TO other;
INSERT INTO k VALUES (1, 2, 3);
RESET ROLE;
SELECT * FROM problems WHERE "table" = 'k'::regclass;
SELECT * FROM captured;
SET ROLE regress_waybill_app;
ALTER TABLE k DROP key;
RESET ROLE;
INSERT INTO k VALUES (4, 5);
SELECT * FROM problems WHERE "table" = 'k'::regclass;
SELECT * FROM captured;
SELECT waybill.enable_capture('k', key => '{other,other}');

-- Replaced by another table of the same name.
SET ROLE regress_waybill_app;
CREATE TABLE s (id int PRIMARY KEY);
RESET ROLE;
SELECT waybill.enable_capture('s');
SET ROLE regress_waybill_app;
CREATE TABLE s_new (id bigint PRIMARY KEY);
BEGIN;
DROP TABLE s;
ALTER TABLE s_new RENAME TO s;
COMMIT;
RESET ROLE;

-- Tables that inherit.
CREATE TABLE parent (id int PRIMARY KEY);
SELECT waybill.enable_capture('parent');
SELECT problem FROM problems WHERE "table" = 'parent'::regclass;
CREATE TEMPORARY TABLE temporary_child () INHERITS (parent);
CREATE TABLE child () INHERITS (parent);
SELECT problem FROM problems WHERE "table" = 'parent'::regclass;
SELECT waybill.enable_capture('child');
SELECT problem FROM problems WHERE "table" = 'parent'::regclass;

-- Capture that does not find itself any more fails loudly.
CREATE TABLE l (id int PRIMARY KEY);
SELECT waybill.enable_capture('l');
BEGIN;
INSERT INTO l VALUES (1);
ALTER SCHEMA waybill_internal RENAME TO elsewhere;
COMMIT;
BEGIN;
ALTER SCHEMA waybill_internal RENAME TO elsewhere;
INSERT INTO l VALUES (1);
ROLLBACK;
INSERT INTO l VALUES (1);
SELECT * FROM captured;

SET waybill.ddl_warnings = off;
DROP OWNED BY regress_waybill_app, regress_waybill_stranger;
DROP ROLE regress_waybill_app, regress_waybill_stranger;
DROP SCHEMA owners CASCADE;
