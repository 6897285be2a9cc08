import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.formats.json.debezium.DebeziumJsonFormatFactory;
import org.apache.flink.formats.json.maxwell.MaxwellJsonFormatFactory;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.metrics.groups.UnregisteredMetricsGroup;
import org.apache.flink.table.connector.format.DecodingFormat;
import org.apache.flink.table.connector.source.DynamicTableSource;
import org.apache.flink.table.connector.source.ScanTableSource;
import org.apache.flink.table.data.ArrayData;
import org.apache.flink.table.data.DecimalData;
import org.apache.flink.table.data.MapData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.factories.DeserializationFormatFactory;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.logical.ArrayType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.MapType;
import org.apache.flink.table.types.logical.RowType;
import org.apache.flink.table.types.logical.utils.LogicalTypeParser;
import org.apache.flink.table.types.utils.TypeConversions;
import org.apache.flink.util.Collector;
import org.apache.flink.util.SimpleUserCodeClassLoader;
import org.apache.flink.util.UserCodeClassLoader;
import org.apache.kafka.clients.consumer.ConsumerRecord;

/**
 * Proves that Flink reads our topics: its formats debezium-json and maxwell-json, made by their factories as for CREATE TABLE
 * … WITH ('format' = …), turn records into rows of a changelog (+I, -U, +U, -D) with the columns that the test declares.
 */
final class FlinkReader implements Consumers.Reader {
    private final DeserializationSchema<RowData> format;
    private final RowType row;

    FlinkReader(Request request) throws Exception {
        ClassLoader loader = FlinkReader.class.getClassLoader();
        row = (RowType) LogicalTypeParser.parse(request.text("row"), loader);
        DeserializationFormatFactory factory = switch (request.text("format")) {
            case "debezium-json" -> new DebeziumJsonFormatFactory();
            case "maxwell-json" -> new MaxwellJsonFormatFactory();
            default -> throw new IllegalArgumentException("no format \"" + request.text("format") + "\"");
        };
        DecodingFormat<DeserializationSchema<RowData>> decoding =
                factory.createDecodingFormat(null, Configuration.fromMap(request.settings("options")));
        // The row is the declared columns and behind them what the format tells of a record's origin.
        List<String> metadata = request.texts("metadata");
        decoding.applyReadableMetadata(metadata);
        List<RowType.RowField> fields = new ArrayList<>(row.getFields());
        DataType physical = TypeConversions.fromLogicalToDataType(
                new RowType(fields.subList(0, fields.size() - metadata.size())));
        format = decoding.createRuntimeDecoder(new Planner(), physical);
        format.open(new Opening(loader));
    }

    @Override
    public Object read(ConsumerRecord<byte[], byte[]> record) throws Exception {
        Rows rows = new Rows();
        format.deserialize(record.value(), rows);
        List<Object> answer = new ArrayList<>();
        for (RowData change : rows.changes) {
            answer.add(Map.of("kind", change.getRowKind().shortString(), "row", fields(row, change)));
        }
        return answer;
    }

    private static Map<String, Object> fields(RowType type, RowData data) {
        Map<String, Object> fields = new LinkedHashMap<>();
        for (int i = 0; i < type.getFieldCount(); ++i) {
            LogicalType fieldType = type.getTypeAt(i);
            fields.put(type.getFieldNames().get(i),
                    plain(fieldType, RowData.createFieldGetter(fieldType, i).getFieldOrNull(data)));
        }
        return fields;
    }

    /** What JSON cannot say itself as text: bytes in hex, decimals in digits, timestamps as ISO 8601. */
    private static Object plain(LogicalType type, Object value) {
        if (value instanceof RowData nested) {
            return fields((RowType) type, nested);
        } else if (value instanceof ArrayData array) {
            return items(((ArrayType) type).getElementType(), array);
        } else if (value instanceof MapData map) {
            List<Object> keys = items(((MapType) type).getKeyType(), map.keyArray());
            List<Object> values = items(((MapType) type).getValueType(), map.valueArray());
            Map<Object, Object> entries = new LinkedHashMap<>();
            for (int i = 0; i < keys.size(); ++i) {
                entries.put(keys.get(i), values.get(i));
            }
            return entries;
        } else if (value instanceof DecimalData decimal) {
            BigDecimal number = decimal.toBigDecimal();
            return number.toPlainString();
        } else if (value instanceof byte[] bytes) {
            return HexFormat.of().formatHex(bytes);
        } else if (value instanceof StringData || value instanceof TimestampData || value instanceof Float
                || value instanceof Double) {
            return value.toString();
        }
        return value;
    }

    private static List<Object> items(LogicalType type, ArrayData array) {
        ArrayData.ElementGetter getter = ArrayData.createElementGetter(type);
        List<Object> items = new ArrayList<>();
        for (int i = 0; i < array.size(); ++i) {
            items.add(plain(type, getter.getElementOrNull(array, i)));
        }
        return items;
    }

    private static final class Rows implements Collector<RowData> {
        final List<RowData> changes = new ArrayList<>();

        @Override
        public void collect(RowData change) {
            changes.add(change);
        }

        @Override
        public void close() {}
    }

    /** What Flink's planner and runtime hand to a format. */
    private record Opening(ClassLoader loader) implements DeserializationSchema.InitializationContext {
        @Override
        public MetricGroup getMetricGroup() {
            return new UnregisteredMetricsGroup();
        }

        @Override
        public UserCodeClassLoader getUserCodeClassLoader() {
            return SimpleUserCodeClassLoader.create(loader);
        }
    }

    private static final class Planner implements ScanTableSource.ScanContext {
        @Override
        @SuppressWarnings("unchecked")
        public <T> TypeInformation<T> createTypeInformation(DataType type) {
            return (TypeInformation<T>) TypeInformation.of(RowData.class);
        }

        @Override
        public <T> TypeInformation<T> createTypeInformation(LogicalType type) {
            return createTypeInformation(TypeConversions.fromLogicalToDataType(type));
        }

        @Override
        public DynamicTableSource.DataStructureConverter createDataStructureConverter(DataType type) {
            throw new UnsupportedOperationException("formats read bytes only");
        }
    }
}
