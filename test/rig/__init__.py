"""Private PostgreSQL servers, Kafka brokers and shippers, and what reads and judges what came through them.

Used by the end-to-end tests, the benchmarks and the demo. Each thing started here lives in its own temporary directory
on ports nobody else of us uses, and goes when its context ends, when the program ends, and when the program is killed.
"""
