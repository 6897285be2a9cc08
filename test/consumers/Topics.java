import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** Reads topics whole with Kafka's own client. */
final class Topics implements AutoCloseable {
    private static final Duration PATIENCE = Duration.ofSeconds(30);

    private final KafkaConsumer<byte[], byte[]> consumer;

    Topics(String bootstrap) {
        consumer = new KafkaConsumer<>(
                Map.of("bootstrap.servers", bootstrap, "isolation.level", "read_committed", "allow.auto.create.topics", false,
                        // A fetch at one topic's end would keep the next topic waiting.
                        "fetch.max.wait.ms", 10),
                new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    /** All that is in the topic now, per partition in its order. */
    List<ConsumerRecord<byte[], byte[]>> read(String topic) {
        List<TopicPartition> partitions = consumer.partitionsFor(topic, PATIENCE).stream()
                .map(found -> new TopicPartition(topic, found.partition())).toList();
        consumer.assign(partitions);
        consumer.seekToBeginning(partitions);
        Map<TopicPartition, Long> ends = consumer.endOffsets(partitions, PATIENCE);
        List<ConsumerRecord<byte[], byte[]>> records = new ArrayList<>();
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        while (partitions.stream().anyMatch(partition -> consumer.position(partition, PATIENCE) < ends.get(partition))) {
            consumer.poll(Duration.ofMillis(100)).forEach(records::add);
            if (System.nanoTime() > deadline) {
                throw new IllegalStateException("the end of " + topic + " does not come");
            }
        }
        return records;
    }

    @Override
    public void close() {
        consumer.close();
    }
}
