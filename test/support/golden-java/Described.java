import java.io.IOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.jute.OutputArchive;
import org.apache.jute.Record;

/**
 * A sink that any record can be "written" to: instead of bytes it keeps names and values, as they go
 * into the JSON. Longs become decimal text (JSON's numbers end at 2^53), buffers {"hex": ...}.
 */
final class Described implements OutputArchive {
    private final Map<String, Object> top = new LinkedHashMap<>();
    private final Deque<Object> open = new ArrayDeque<>(List.of(top));

    static Map<String, Object> of(Record record) throws IOException {
        Described described = new Described();
        record.serialize(described, "record");
        return described.top;
    }

    @SuppressWarnings("unchecked")
    private void put(String tag, Object value) {
        if (open.peek() instanceof List<?> list) {
            ((List<Object>) list).add(value);
        } else {
            ((Map<String, Object>) open.peek()).put(tag, value);
        }
    }

    @Override
    public void writeBool(boolean value, String tag) {
        put(tag, value);
    }

    @Override
    public void writeInt(int value, String tag) {
        put(tag, value);
    }

    @Override
    public void writeLong(long value, String tag) {
        put(tag, Long.toString(value));
    }

    @Override
    public void writeString(String value, String tag) {
        put(tag, value);
    }

    @Override
    public void writeBuffer(byte[] value, String tag) {
        put(tag, value == null ? null : Map.of("hex", HexFormat.of().formatHex(value)));
    }

    @Override
    public void writeRecord(Record record, String tag) throws IOException {
        Map<String, Object> fields = new LinkedHashMap<>();
        put(tag, fields);
        open.push(fields);
        record.serialize(this, tag);
        open.pop();
    }

    @Override
    public void startVector(List<?> list, String tag) {
        List<Object> items = list == null ? null : new ArrayList<>();
        put(tag, items);
        if (items != null) {
            open.push(items);
        }
    }

    @Override
    public void endVector(List<?> list, String tag) {
        if (list != null) {
            open.pop();
        }
    }

    @Override
    public void startRecord(Record record, String tag) {
    }

    @Override
    public void endRecord(Record record, String tag) {
    }

    @Override
    public void writeByte(byte value, String tag) {
        throw new UnsupportedOperationException("no record has a byte");
    }

    @Override
    public void writeFloat(float value, String tag) {
        throw new UnsupportedOperationException("no record has a float");
    }

    @Override
    public void writeDouble(double value, String tag) {
        throw new UnsupportedOperationException("no record has a double");
    }

    @Override
    public void startMap(TreeMap<?, ?> map, String tag) {
        throw new UnsupportedOperationException("no record has a map");
    }

    @Override
    public void endMap(TreeMap<?, ?> map, String tag) {
    }

    public long getDataSize() {
        return 0;
    }
}
