import java.util.Map;

/** One flat JSON object, written without any library. */
final class Json {
    private final StringBuilder text = new StringBuilder();

    Json put(String name, String value) {
        name(name);
        if (value == null) {
            text.append("null");
        } else {
            quote(value);
        }
        return this;
    }

    Json put(String name, long value) {
        name(name);
        text.append(value);
        return this;
    }

    Json put(String name, double value) {
        name(name);
        text.append(value);
        return this;
    }

    Json put(String name, Map<String, String> values) {
        name(name);
        Json inner = new Json();
        values.forEach((key, value) -> inner.put(key, value));
        text.append(inner);
        return this;
    }

    @Override
    public String toString() {
        return "{" + text + "}";
    }

    private void name(String name) {
        if (text.length() > 0) {
            text.append(", ");
        }
        quote(name);
        text.append(": ");
    }

    private void quote(String value) {
        text.append('"');
        for (char c : value.toCharArray()) {
            if (c < ' ' || c > '~' || c == '"' || c == '\\') {
                text.append(String.format("\\u%04x", (int) c));
            } else {
                text.append(c);
            }
        }
        text.append('"');
    }
}
