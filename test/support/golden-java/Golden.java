import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import org.apache.jute.BinaryInputArchive;
import org.apache.jute.BinaryOutputArchive;
import org.apache.jute.Record;

/**
 * Captures what Apache ZooKeeper writes: every record in several variants, multi framing, log records
 * and the tables of numbers; with "rules" as third argument also how strings are encoded and which paths
 * are valid, which is the same in all releases. The other arguments: the release, the directory.
 */
public final class Golden {
    private static final String[] PACKAGES = {"data", "proto", "server.quorum", "server.persistence",
        "txn"};

    private Golden() {
    }

    public static void main(String[] arguments) throws Exception {
        String version = arguments[0];
        Path directory = Path.of(arguments[1]);
        try (PrintStream out = file(directory, "records-" + version + ".jsonl")) {
            for (Class<? extends Record> type : recordClasses()) {
                for (MadeUp.Variant variant : MadeUp.Variant.values()) {
                    Record record = fill(type, variant);
                    line(out, type.getSimpleName(), variant.name(), Described.of(record), bytesOf(record));
                }
            }
            Composed.write(out);
        }
        try (PrintStream out = file(directory, "constants-" + version + ".json")) {
            out.println(Json.of(Constants.all()));
        }
        if (arguments.length < 3) {
            return;
        }
        try (PrintStream out = file(directory, "strings-" + version + ".jsonl")) {
            Strings.write(out);
        }
        try (PrintStream out = file(directory, "paths-" + version + ".jsonl")) {
            Strings.writePaths(out);
        }
    }

    private static PrintStream file(Path directory, String name) throws IOException {
        return new PrintStream(Files.newOutputStream(directory.resolve(name)), false, "US-ASCII");
    }

    /** Every record class in the jar that holds Id, that is, everything made from the jute schema. */
    private static List<Class<? extends Record>> recordClasses() throws Exception {
        Class<?> known = org.apache.zookeeper.data.Id.class;
        String jar = Path.of(known.getProtectionDomain().getCodeSource().getLocation().toURI()).toString();
        TreeSet<String> names = new TreeSet<>();
        try (JarFile file = new JarFile(jar)) {
            for (JarEntry entry : (Iterable<JarEntry>) file.stream()::iterator) {
                String name = entry.getName().replace('/', '.');
                for (String part : PACKAGES) {
                    String prefix = "org.apache.zookeeper." + part + ".";
                    if (name.startsWith(prefix) && name.endsWith(".class") && !name.contains("$")) {
                        names.add(name.substring(0, name.length() - ".class".length()));
                    }
                }
            }
        }
        List<Class<? extends Record>> classes = new java.util.ArrayList<>();
        for (String name : names) {
            Class<?> type = Class.forName(name);
            if (Record.class.isAssignableFrom(type)) {
                classes.add(type.asSubclass(Record.class));
            }
        }
        return classes;
    }

    static <R extends Record> R fill(Class<R> type, MadeUp.Variant variant) throws Exception {
        R record = type.getDeclaredConstructor().newInstance();
        record.deserialize(new MadeUp(type.getSimpleName(), variant), "record");
        return record;
    }

    static byte[] bytesOf(Record record) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        record.serialize(BinaryOutputArchive.getArchive(bytes), "record");
        return bytes.toByteArray();
    }

    static BinaryInputArchive archiveOf(byte[] bytes) {
        return BinaryInputArchive.getArchive(new ByteArrayInputStream(bytes));
    }

    static void line(PrintStream out, String record, String variant, Object fields, byte[] bytes) {
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("record", record);
        line.put("variant", variant);
        line.put("fields", fields);
        line.put("hex", HexFormat.of().formatHex(bytes));
        out.println(Json.of(line));
    }
}
