"""The model test: transactions drawn from a seed over a schema drawn from it, and what the topics must be afterwards.

schema.py draws the tables, triggers and functions, statements.py single statements, ddl.py changes of the tables,
generator.py whole transactions, run.py sends them to a server and judges the topics.

What is drawn depends on nothing but the seed and, because a failed transaction leaves the tables as they were, on which
transactions committed. In a seed of one session that is decided by the seed too: the server prefers index scans, so that
rows are visited in the order of their ids, and nothing else touches the schema. In every fifth seed several sessions write
to the same tables at once: they throw the same dice again, but what they meet differs from run to run.

What is left out, because it cannot be told apart or is no change (README): a statement that runs within another makes rows
only under keys never used before; a deferrable key is given only to one row ever, because in between two rows may have
it; rows leave a partition by DELETE before it is detached.
"""
