"""Reading topics: whole, from the beginning to where they ended when asked, or live."""

import dataclasses
import time
import uuid
from collections.abc import Iterator

from confluent_kafka import OFFSET_BEGINNING, TIMESTAMP_NOT_AVAILABLE, Consumer, KafkaError, KafkaException, TopicPartition


@dataclasses.dataclass(slots=True)
class Record:
    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    timestamp_ms: int | None

    def header(self, name: str) -> str | None:
        for given, value in self.headers:
            if given == name:
                return None if value is None else value.decode()
        return None


class TopicReader:
    """All partitions of one or more topics from their beginning. Belongs to no group; reads only what is committed."""

    def __init__(self, bootstrap: str, topics: str | list[str], timeout_s: float = 60, properties: dict | None = None,
                 may_be_absent: bool = False):
        """`properties` are added to the client's configuration or replace what is there."""
        self._topics = [topics] if isinstance(topics, str) else list(topics)
        self._timeout_s = timeout_s
        self._consumer = Consumer({
            "bootstrap.servers": bootstrap,
            "group.id": f"rig-{uuid.uuid4()}",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "enable.partition.eof": False,
            "allow.auto.create.topics": False,
            "queued.min.messages": 200_000,
            "fetch.wait.max.ms": 10,
            "log_level": 0,
        } | (properties or {}))
        self._partitions = []
        for topic in self._topics:
            metadata = self._consumer.list_topics(topic, timeout=timeout_s).topics[topic]
            if may_be_absent and metadata.error is not None and metadata.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                continue
            if metadata.error is not None:
                raise KafkaException(metadata.error)
            self._partitions += [TopicPartition(topic, number, OFFSET_BEGINNING) for number in metadata.partitions]
        self._consumer.assign(self._partitions)
        self._next = {(partition.topic, partition.partition): 0 for partition in self._partitions}

    def poll(self, timeout_s: float = 0.1, limit: int = 10_000) -> list[Record]:
        """What has arrived, at most `limit` records; waits up to `timeout_s` for the first."""
        records = []
        # Asked for many it would wait for all of them, or for the whole timeout.
        messages = self._consumer.consume(1, timeout_s)
        for message in messages + (self._consumer.consume(limit, 0) if messages else []):
            error = message.error()
            if error is not None:
                # The client keeps reconnecting by itself.
                if error.code() in (KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT, KafkaError._RESOLVE):
                    continue
                raise KafkaException(error)
            kind, timestamp_ms = message.timestamp()
            records.append(Record(message.topic(), message.partition(), message.offset(), message.key(), message.value(),
                                  tuple(message.headers() or ()),
                                  None if kind == TIMESTAMP_NOT_AVAILABLE else timestamp_ms))
            self._next[message.topic(), message.partition()] = message.offset() + 1
        return records

    def to_end(self) -> Iterator[Record]:
        """What is left up to the ends that the partitions have now."""
        ends = {}
        for partition in self._partitions:
            low, high = self._consumer.get_watermark_offsets(partition, self._timeout_s)
            if high > low:
                ends[partition.topic, partition.partition] = high
        deadline = time.monotonic() + self._timeout_s
        while any(self._next[place] < end for place, end in ends.items()):
            records = self.poll()
            yield from records
            if records:
                deadline = time.monotonic() + self._timeout_s
            elif time.monotonic() > deadline:
                raise AssertionError(f"no records of {self._topics} for {self._timeout_s:g} s before their end")

    def partition_counts(self) -> dict[str, int]:
        counts = dict.fromkeys(self._topics, 0)
        for partition in self._partitions:
            counts[partition.topic] += 1
        return counts

    def close(self) -> None:
        self._consumer.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def read_topic(bootstrap: str, topics: str | list[str]) -> list[Record]:
    """Everything that is in the topics now, per partition in its order."""
    with TopicReader(bootstrap, topics) as reader:
        return list(reader.to_end())
