import java.util.List;
import java.util.Map;

/** What a line from the test asks for. */
record Request(Map<String, Object> fields) {
    String text(String name) {
        return (String) fields.get(name);
    }

    boolean flag(String name) {
        return Boolean.TRUE.equals(fields.get(name));
    }

    List<String> texts(String name) {
        return strings(fields.getOrDefault(name, List.of()));
    }

    /** Settings for a consumer's configure(). */
    Map<String, String> settings(String name) {
        return settings(fields.getOrDefault(name, Map.of()));
    }

    @SuppressWarnings("unchecked")
    private static List<String> strings(Object value) {
        return (List<String>) value;
    }

    @SuppressWarnings("unchecked")
    private static Map<String, String> settings(Object value) {
        return (Map<String, String>) value;
    }
}
