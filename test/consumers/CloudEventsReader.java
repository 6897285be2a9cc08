import io.cloudevents.CloudEvent;
import io.cloudevents.core.message.MessageReader;
import io.cloudevents.kafka.CloudEventDeserializer;
import io.cloudevents.kafka.KafkaMessageFactory;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeSet;
import org.apache.kafka.clients.consumer.ConsumerRecord;

/**
 * Proves that the CloudEvents SDK reads our events, structured and binary, by both of its ways: the deserializer for a
 * KafkaConsumer and the reader of messages, which have to agree.
 */
final class CloudEventsReader implements Consumers.Reader {
    private final CloudEventDeserializer deserializer = new CloudEventDeserializer();

    @Override
    public Object read(ConsumerRecord<byte[], byte[]> record) {
        CloudEvent event = deserializer.deserialize(record.topic(), record.headers(), record.value());
        MessageReader message = KafkaMessageFactory.createReader(record);
        Map<String, Object> answer = described(event);
        if (!answer.equals(described(message.toEvent()))) {
            throw new IllegalStateException("CloudEventDeserializer and KafkaMessageFactory do not agree");
        }
        answer.put("encoding", message.getEncoding().name().toLowerCase());
        return answer;
    }

    private static Map<String, Object> described(CloudEvent event) {
        Map<String, Object> attributes = new LinkedHashMap<>();
        for (String name : event.getAttributeNames()) {
            attributes.put(name, String.valueOf(event.getAttribute(name)));
        }
        Map<String, Object> extensions = new LinkedHashMap<>();
        for (String name : new TreeSet<>(event.getExtensionNames())) {
            extensions.put(name, String.valueOf(event.getExtension(name)));
        }
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("attributes", attributes);
        answer.put("extensions", extensions);
        answer.put("data", event.getData() == null ? null : Consumers.text(event.getData().toBytes()));
        return answer;
    }
}
