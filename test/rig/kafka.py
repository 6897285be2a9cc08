"""A real Apache Kafka: one node in KRaft mode, broker and controller in one process, on ports of its own."""

import pathlib
import signal
import subprocess

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewPartitions, NewTopic

from . import processes
from .processes import ROOT, Child, wait_until


POM = pathlib.Path(__file__).with_name("kafka-pom.xml")
POM_3_9 = pathlib.Path(__file__).with_name("kafka-3.9-pom.xml")
# For tests, which end before the optimising compiler has paid off.
FOR_TESTS = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


def jars(pom: pathlib.Path = POM) -> pathlib.Path:
    """Where the jars of a pom.xml are, Kafka's unless another is named; fetched when they are not there yet."""
    done = subprocess.run([ROOT / "scripts" / "maven-jars.sh", pom], check=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, text=True)
    return pathlib.Path(done.stdout.strip())


class Broker:
    """Formatted when made, started by start() or `with`; the data stay through any number of stops and starts.

    Topics are never created by asking for them: who wants one creates it, as most production clusters have it.
    `properties` are added to server.properties or replace what is there. The default `jvm` is for tests; benchmarks say
    otherwise. `pom` names the Kafka.
    """

    def __init__(self, properties: dict[str, str] | None = None, heap_mb: int = 512,
                 jvm: tuple[str, ...] = FOR_TESTS, pom: pathlib.Path = POM):
        self.directory = processes.make_directory("kafka")
        self.port = processes.reserve_port()
        self.controller_port = processes.reserve_port()
        self.log = self.directory / "kafka.log"
        self._java = ["java", f"-Xms{heap_mb // 2}m", f"-Xmx{heap_mb}m", *jvm,
                      f"-Dlog4j2.configurationFile={pathlib.Path(__file__).with_name('kafka-log4j2.xml')}",
                      "-cp", f"{jars(pom)}/*"]
        self._child: Child | None = None
        self._admin: AdminClient | None = None
        self._watcher: Consumer | None = None
        self._configuration = self.directory / "server.properties"
        settings = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{self.controller_port}",
            "controller.listener.names": "CONTROLLER",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self.controller_port}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL",
            "inter.broker.listener.name": "PLAINTEXT",
            "log.dirs": str(self.directory / "data"),
            "auto.create.topics.enable": "false",
            # One node: with the defaults of 3 and 2 everything that needs an internal topic would wait for ever.
            "offsets.topic.replication.factor": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.num.partitions": "4",
            "group.initial.rebalance.delay.ms": "0",
        } | (properties or {})
        self._configuration.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        self._format()

    def _format(self, *options: str) -> None:
        cluster = self._tool("kafka.tools.StorageTool", "random-uuid").strip().splitlines()[-1]
        self._tool("kafka.tools.StorageTool", "format", "-t", cluster, "-c", self._configuration, *options)

    def _tool(self, main: str, *arguments) -> str:
        done = subprocess.run([*self._java, main, *map(str, arguments)], stdin=subprocess.DEVNULL, cwd=self.directory,
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{main} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.running

    def start(self, timeout_s: float = 60):
        """Starts and returns when the broker answers for itself."""
        self._child = Child([*self._java, "kafka.Kafka", self._configuration], self.log, cwd=self.directory)
        wait_until(self._ready, timeout_s, "Kafka answers", 0.1)
        return self

    def _ready(self) -> bool:
        if not self.running:
            raise RuntimeError(f"Kafka did not start:\n{self._child.tail()}")
        try:
            return bool(self.admin.list_topics(timeout=2).brokers)
        except KafkaException:
            return False

    def stop(self) -> None:
        if self._child is not None:
            self._child.stop(signal.SIGTERM)

    def kill(self) -> None:
        if self._child is not None:
            self._child.kill()

    def close(self) -> None:
        self.kill()
        processes.remove_directory(self.directory)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()

    @property
    def admin(self) -> AdminClient:
        if self._admin is None:
            # Clients talk about a broker that is away on stderr unless told otherwise.
            self._admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0,
                                       "reconnect.backoff.ms": 50, "reconnect.backoff.max.ms": 200})
        return self._admin

    def topics(self) -> dict[str, int]:
        """Each topic with its number of partitions."""
        found = self.admin.list_topics(timeout=10).topics
        return {name: len(topic.partitions) for name, topic in found.items() if not name.startswith("__")}

    def create_topic(self, name: str, partitions: int = 1, configuration: dict[str, str] | None = None) -> None:
        topic = NewTopic(name, partitions, 1, config=configuration or {})
        self.admin.create_topics([topic], operation_timeout=30)[name].result()
        wait_until(lambda: name in self.topics(), 30, f"topic {name} exists")

    def create_topics(self, names: list[str], partitions: int) -> None:
        """Many at once."""
        made = self.admin.create_topics([NewTopic(name, partitions, 1) for name in names], operation_timeout=60)
        for future in made.values():
            future.result()

    def end_offset(self, topic: str, partition: int = 0) -> int:
        """How many records the partition has had."""
        if self._watcher is None:
            self._watcher = Consumer({"bootstrap.servers": self.bootstrap, "group.id": "watcher", "log_level": 0,
                                      "reconnect.backoff.ms": 50, "reconnect.backoff.max.ms": 200})
        return self._watcher.get_watermark_offsets(TopicPartition(topic, partition), timeout=10)[1]

    def records(self, topic: str, partitions: int) -> int:
        """How many records all partitions together have had."""
        try:
            return sum(self.end_offset(topic, number) for number in range(partitions))
        except KafkaException as error:
            if error.args[0].code() == KafkaError.NOT_LEADER_FOR_PARTITION:  # the topic is new
                return 0
            raise

    def add_partitions(self, name: str, total: int) -> None:
        self.admin.create_partitions([NewPartitions(name, total)])[name].result()

    def delete_topic(self, name: str) -> None:
        self.admin.delete_topics([name], operation_timeout=30)[name].result()

    def configure_topic(self, name: str, configuration: dict[str, str]) -> None:
        """Replaces what is set for the topic."""
        resource = ConfigResource(ConfigResource.Type.TOPIC, name, set_config=configuration)
        self.admin.alter_configs([resource])[resource].result()

    def topic_configuration(self, name: str) -> dict[str, str]:
        resource = ConfigResource(ConfigResource.Type.TOPIC, name)
        entries = self.admin.describe_configs([resource])[resource].result()
        return {entry.name: entry.value for entry in entries.values()}
