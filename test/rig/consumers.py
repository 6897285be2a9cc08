"""Consumers' own libraries (Kafka Connect, Debezium, Flink, CloudEvents) over topics: test/consumers, kept running."""

import json
import os
import select
import subprocess
import time

from . import kafka, processes
from .processes import ROOT, Child

SOURCES = ROOT / "test" / "consumers"


class Consumers:
    """One Java process that reads any number of topics of one broker, one after the other."""

    def __init__(self, broker: kafka.Broker):
        self.directory = processes.make_directory("consumers")
        libraries = f"{kafka.jars(SOURCES / 'pom.xml')}/*"
        # Here and not in the checkout: two runs side by side don't meet.
        self._run("javac", "-d", self.directory, "-cp", libraries, "-Xlint:unchecked", "-Werror", *SOURCES.glob("*.java"))
        self.log = self.directory / "consumers.log"
        self._child = Child(["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Duser.timezone=UTC",
                             "-cp", f"{self.directory}:{libraries}", "Consumers", broker.bootstrap],
                            self.log, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._unread = b""

    @staticmethod
    def _run(*command) -> None:
        done = subprocess.run([str(part) for part in command], stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{command[0]} failed:\n{done.stdout}{done.stderr}")

    def read(self, consumer: str, topic: str, timeout_s: float = 120, **request) -> list:
        """What the consumer made of each record of the topic. A record that it threw an exception at fails the test."""
        answers = self.attempt(consumer, topic, timeout_s, **request)
        errors = [answer["error"] for answer in answers if isinstance(answer, dict) and "error" in answer]
        assert not errors, f"{consumer} fails on {len(errors)} of {len(answers)} records of {topic}, the first: {errors[0]}"
        return answers

    def attempt(self, consumer: str, topic: str, timeout_s: float = 120, **request) -> list:
        """The same; an exception at a record is its answer, {"error": …}."""
        line = json.dumps({"consumer": consumer, "topic": topic} | request)
        self._child.stdin.write(line.encode() + b"\n")
        self._child.stdin.flush()
        deadline = time.monotonic() + timeout_s
        answers = []
        while True:
            answer = json.loads(self._line(deadline))
            if isinstance(answer, dict) and "failed" in answer:
                raise RuntimeError(f"{line}: {answer['failed']}")
            if isinstance(answer, dict) and "records" in answer:
                assert answer["records"] == len(answers)
                return answers
            answers.append(answer)

    def _line(self, deadline: float) -> bytes:
        while b"\n" not in self._unread:
            readable, _, _ = select.select([self._child.stdout], [], [], max(0, deadline - time.monotonic()))
            if not readable:
                raise processes.Timeout(f"the consumers do not answer:\n{self._child.tail()}")
            more = os.read(self._child.stdout.fileno(), 1 << 20)
            if not more:
                raise RuntimeError(f"the consumers ended:\n{self._child.tail()}")
            self._unread += more
        line, self._unread = self._unread.split(b"\n", 1)
        return line

    def close(self) -> None:
        self._child.kill()
        processes.remove_directory(self.directory)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
