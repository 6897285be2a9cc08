import io.debezium.converters.CloudEventsConverter;
import java.util.Collections;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.connect.data.SchemaAndValue;
import org.apache.kafka.connect.json.JsonConverter;

/**
 * Proves that our structured CloudEvents are what Debezium makes: its own CloudEventsConverter writes the structs that were
 * read from a topic with schemas.
 */
final class CloudEventsConverterReader implements Consumers.Reader {
    private final JsonConverter values = ConnectReader.converter(
            Map.of("schemas.enable", "true", "replace.null.with.default", "false"), false);
    private final CloudEventsConverter converter = new CloudEventsConverter();

    CloudEventsConverterReader(Request request) {
        converter.configure(request.settings("converter"), false);
    }

    @Override
    public Object read(ConsumerRecord<byte[], byte[]> record) {
        SchemaAndValue value = FlattenReader.data(values, record.topic(), record.value());
        byte[] event = converter.fromConnectData(record.topic(), record.headers(), value.schema(), value.value());
        return Collections.singletonMap("value", Consumers.text(event));
    }
}
