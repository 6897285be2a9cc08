import io.debezium.transforms.ExtractNewRecordState;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.SchemaAndValue;
import org.apache.kafka.connect.header.ConnectHeaders;
import org.apache.kafka.connect.header.Header;
import org.apache.kafka.connect.json.JsonConverter;
import org.apache.kafka.connect.sink.SinkRecord;
import org.apache.kafka.connect.storage.SimpleHeaderConverter;

/**
 * Proves that our flattened topics are what Debezium makes of the others: its own ExtractNewRecordState is applied to
 * structs read from a topic with schemas, and what is left is written as Connect would write it, byte by byte.
 */
final class FlattenReader implements Consumers.Reader {
    private final JsonConverter keysIn = ConnectReader.converter(WITH_SCHEMAS, true);
    private final JsonConverter valuesIn = ConnectReader.converter(WITH_SCHEMAS, false);
    private final JsonConverter keysOut;
    private final JsonConverter valuesOut;
    private final SimpleHeaderConverter headersOut = new SimpleHeaderConverter();
    private final ExtractNewRecordState<SinkRecord> transform = new ExtractNewRecordState<>();

    /** The nulls that we publish stay nulls, whatever the column's default. */
    private static final Map<String, String> WITH_SCHEMAS =
            Map.of("schemas.enable", "true", "replace.null.with.default", "false");

    FlattenReader(Request request) {
        transform.configure(request.settings("transform"));
        keysOut = ConnectReader.converter(request.settings("converter"), true);
        valuesOut = ConnectReader.converter(request.settings("converter"), false);
    }

    static SchemaAndValue data(JsonConverter converter, String topic, byte[] bytes) {
        return bytes == null ? SchemaAndValue.NULL : converter.toConnectData(topic, bytes);
    }

    @Override
    public Object read(ConsumerRecord<byte[], byte[]> record) {
        String topic = record.topic();
        SchemaAndValue key = data(keysIn, topic, record.key());
        SchemaAndValue value = data(valuesIn, topic, record.value());
        ConnectHeaders headers = new ConnectHeaders();
        // As text and not as what SimpleHeaderConverter would guess from it: they are to come through as they are.
        record.headers().forEach(header ->
                headers.add(header.key(), Consumers.text(header.value()), Schema.OPTIONAL_STRING_SCHEMA));
        SinkRecord flat = transform.apply(new SinkRecord(topic, record.partition(), key.schema(), key.value(), value.schema(),
                value.value(), record.offset(), record.timestamp(), TimestampType.CREATE_TIME, headers));
        if (flat == null) {
            return null;
        }
        List<List<String>> headersLeft = new ArrayList<>();
        for (Header header : flat.headers()) {
            byte[] bytes = headersOut.fromConnectHeader(topic, header.key(), header.schema(), header.value());
            // List.of() takes no null.
            List<String> pair = new ArrayList<>();
            pair.add(header.key());
            pair.add(Consumers.text(bytes));
            headersLeft.add(pair);
        }
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("topic", flat.topic());
        answer.put("key", Consumers.text(keysOut.fromConnectData(topic, flat.keySchema(), flat.key())));
        answer.put("value", Consumers.text(valuesOut.fromConnectData(topic, flat.valueSchema(), flat.value())));
        answer.put("headers", headersLeft);
        return answer;
    }
}
