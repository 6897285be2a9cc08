import java.math.BigDecimal;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Date;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.connect.data.ConnectSchema;
import org.apache.kafka.connect.data.Field;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.SchemaAndValue;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.json.JsonConverter;

/**
 * Proves that a Kafka Connect sink reads our topics: Connect's JsonConverter makes its structs of keys and values; each is
 * validated against its schema, which includes the values' Java classes; schema and values are told.
 */
final class ConnectReader implements Consumers.Reader {
    private final JsonConverter keys;
    private final JsonConverter values;

    ConnectReader(Request request) {
        keys = converter(request.settings("converter"), true);
        values = converter(request.settings("converter"), false);
    }

    static JsonConverter converter(Map<String, String> settings, boolean isKey) {
        JsonConverter made = new JsonConverter();
        made.configure(settings, isKey);
        return made;
    }

    @Override
    public Object read(ConsumerRecord<byte[], byte[]> record) {
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("key", understood(keys.toConnectData(record.topic(), record.headers(), record.key())));
        answer.put("value", understood(values.toConnectData(record.topic(), record.headers(), record.value())));
        return answer;
    }

    private static Object understood(SchemaAndValue data) {
        if (data.schema() == null) {
            return data.value();
        }
        ConnectSchema.validateValue(data.schema(), data.value());
        if (data.value() instanceof Struct struct) {
            struct.validate();
        }
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("schema", describe(data.schema()));
        answer.put("value", plain(data.schema(), data.value()));
        return answer;
    }

    private static Map<String, Object> describe(Schema schema) {
        Map<String, Object> described = new LinkedHashMap<>();
        described.put("type", schema.type().getName());
        described.put("optional", schema.isOptional());
        if (schema.name() != null) {
            described.put("name", schema.name());
        }
        if (schema.parameters() != null) {
            described.put("parameters", schema.parameters());
        }
        if (schema.defaultValue() != null) {
            described.put("default", plain(schema, schema.defaultValue()));
        }
        if (schema.type() == Schema.Type.STRUCT) {
            Map<String, Object> fields = new LinkedHashMap<>();
            for (Field field : schema.fields()) {
                fields.put(field.name(), describe(field.schema()));
            }
            described.put("fields", fields);
        } else if (schema.type() == Schema.Type.ARRAY) {
            described.put("items", describe(schema.valueSchema()));
        }
        return described;
    }

    /** What JSON cannot say itself as text: bytes in hex, decimals in digits, dates in milliseconds since 1970. */
    private static Object plain(Schema schema, Object value) {
        if (value instanceof Struct struct) {
            Map<String, Object> fields = new LinkedHashMap<>();
            for (Field field : schema.fields()) {
                fields.put(field.name(), plain(field.schema(), struct.getWithoutDefault(field.name())));
            }
            return fields;
        } else if (value instanceof List<?> list) {
            List<Object> items = new ArrayList<>();
            for (Object item : list) {
                items.add(plain(schema.valueSchema(), item));
            }
            return items;
        } else if (value instanceof Map<?, ?> map) {
            return map;
        } else if (value instanceof ByteBuffer buffer) {
            return HexFormat.of().formatHex(buffer.array());
        } else if (value instanceof byte[] bytes) {
            return HexFormat.of().formatHex(bytes);
        } else if (value instanceof BigDecimal decimal) {
            return decimal.toPlainString();
        } else if (value instanceof Date date) {
            return date.getTime();
        } else if (value instanceof Float || value instanceof Double) {
            return value.toString();
        }
        return value;
    }
}
