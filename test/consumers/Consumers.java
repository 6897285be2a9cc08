import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;

/**
 * Real consumers' libraries over real topics, for test/rig/consumers.py.
 *
 * <p>Reads requests from standard input, one JSON object a line, for instance {"consumer": "connect", "topic": "t"}. Answers
 * each with one JSON line per record of the topic, from its beginning to its present end, that says what the consumer
 * understood or, as "error", which exception it threw; then with the line {"records": N}. One process serves them all: a
 * Java machine takes longer to start than a topic to read.
 */
final class Consumers {
    /** One consumer: set up by a request, it is given the records of a topic in their order. */
    interface Reader {
        /** What was understood, made of maps, lists and what JSON knows; null: nothing is passed on. */
        Object read(ConsumerRecord<byte[], byte[]> record) throws Exception;
    }

    private static Reader reader(Request request) throws Exception {
        return switch (request.text("consumer")) {
            case "connect" -> new ConnectReader(request);
            case "flatten" -> new FlattenReader(request);
            case "debezium-cloudevents" -> new CloudEventsConverterReader(request);
            case "flink" -> new FlinkReader(request);
            case "cloudevents" -> new CloudEventsReader();
            default -> throw new IllegalArgumentException("no consumer \"" + request.text("consumer") + "\"");
        };
    }

    /** The class names and messages from the exception to its first cause. */
    private static String story(Throwable thrown) {
        StringBuilder story = new StringBuilder();
        for (Throwable next = thrown; next != null; next = next.getCause()) {
            story.append(story.isEmpty() ? "" : "; ").append(next);
        }
        return story.toString();
    }

    static String text(byte[] bytes) {
        return bytes == null ? null : new String(bytes, StandardCharsets.UTF_8);
    }

    public static void main(String[] arguments) throws Exception {
        ObjectMapper json = new ObjectMapper();
        PrintStream answers = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        System.setOut(System.err); // nobody else writes between our lines
        try (Topics topics = new Topics(arguments[0])) {
            BufferedReader requests = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
            for (String line = requests.readLine(); line != null; line = requests.readLine()) {
                Map<String, Object> end = new LinkedHashMap<>();
                try {
                    Request request = new Request(json.readValue(line, new TypeReference<>() {}));
                    Reader reader = reader(request);
                    int count = 0;
                    for (ConsumerRecord<byte[], byte[]> record : topics.read(request.text("topic"))) {
                        Object answer;
                        try {
                            answer = reader.read(record);
                        } catch (Exception thrown) {
                            answer = Map.of("error", story(thrown));
                        }
                        answers.println(json.writeValueAsString(answer));
                        ++count;
                    }
                    end.put("records", count);
                } catch (Exception thrown) {
                    end.put("failed", story(thrown));
                }
                answers.println(json.writeValueAsString(end));
                answers.flush();
            }
        }
    }
}
