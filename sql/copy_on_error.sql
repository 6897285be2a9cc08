-- From PostgreSQL 17 on.
-- COPY … (ON_ERROR ignore): rows that are left out are left out of the log.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE SCHEMA copy_on_error;
SET search_path = copy_on_error;
\i sql/include/replay.sql
CREATE TABLE t (id int PRIMARY KEY, n int, d date, s int GENERATED ALWAYS AS (n * 2) STORED);
CREATE TABLE p (id int PRIMARY KEY, n int) PARTITION BY RANGE (id);
CREATE TABLE p_low PARTITION OF p FOR VALUES FROM (0) TO (10);
CREATE TABLE p_high PARTITION OF p DEFAULT;
SELECT waybill.enable_capture('t'), waybill.enable_capture('p');
COPY t (id, n, d) FROM stdin (ON_ERROR ignore, LOG_VERBOSITY default);
1	1	2024-01-01
two	2	2024-01-02
3	3	2024-02-30
4	4	2024-01-04
5	99999999999	2024-01-05
6	\N	\N
\.
-- All of it is left out, or undone by what is no error of a value.
COPY t (id, n) FROM stdin (ON_ERROR ignore);
a	b
\.
COPY t (id, n) FROM stdin (ON_ERROR ignore);
7	7
8	eight
1	1
\.
COPY p FROM stdin (ON_ERROR ignore);
1	1
x	1
11	11
12	1.5
2	2
\.
SELECT dense_rank() OVER (ORDER BY csn) AS tx, index, "table", op, after
FROM waybill.changes WHERE "table" LIKE 'copy_on_error.%';
SELECT replay('t'), replay('p');
SET waybill.ddl_warnings = off;
DROP SCHEMA copy_on_error CASCADE;
