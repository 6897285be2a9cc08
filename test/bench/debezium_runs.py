"""Debezium's connector as the benchmarks run it: one, with the memory and the collector that Kafka's own start script gives it."""

import harness  # noqa: F401: finds the rig
from rig import debezium, kafka, postgres

# Properties of the connector by the name of the variant.
CONFIGURATIONS = {
    "Debezium, defaults": {},
    "Debezium, for throughput": {
        "poll.interval.ms": "10",
        "max.batch.size": "20480",
        "max.queue.size": "81920",
        "producer.override.linger.ms": "5",
        "producer.override.batch.size": str(1 << 20),
        "producer.override.buffer.memory": str(128 << 20),
        "producer.override.compression.type": "lz4",
    },
    "Debezium, for latency": {
        "poll.interval.ms": "1",
        "producer.override.linger.ms": "0",
        "producer.override.compression.type": "lz4",
    },
}

# Those of Kafka's connect-standalone.sh.
JVM = ("-Xms256M", "-Xmx2G", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20",
       "-XX:InitiatingHeapOccupancyPercent=35", "-XX:+ExplicitGCInvokesConcurrent", "-Djava.awt.headless=true")


def connector(server: postgres.Server, database: str, broker: kafka.Broker, *, slot: str, properties: dict[str, str],
              jvm: tuple[str, ...] = ()) -> debezium.Worker:
    """The slot's name is the topics' prefix."""
    return debezium.Worker(server, database, broker, {slot: properties}, jvm=(*JVM, *jvm))
