\set ECHO none
-- Runs each row of the view "commands" as a command of its own.
SELECT * FROM commands
\gexec
\set ECHO all
