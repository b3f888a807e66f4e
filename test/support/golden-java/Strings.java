import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import org.apache.jute.BinaryInputArchive;
import org.apache.jute.BinaryOutputArchive;
import org.apache.zookeeper.common.PathUtils;

/** What strings become as bytes, what bytes become as strings, and which strings are paths. */
final class Strings {
    private static final String[] TEXTS = {"", "a", "/plain/ascii", "\u007f\u0080", "\u07ff\u0800",
        "\ud7ff\ue000\ufffd\uffff", "\ufeffmark", "\u65e5\u672c", "\ud83d\ude00", "a\ud83d\ude00b",
        "\ud83d", "\ude00", "\ude00\ud83d", "x\udbff\udfffy"};

    /** Bytes at which the rules of UTF-8 change. */
    private static final int[] EDGES = {0x00, 0x2f, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0,
        0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff};

    private static final String[] PATH_PARTS = {"/", "/", "/", ".", "..", "a", "node", "...", ".a", "a.",
        "\u0000", "\u0001", "\u001f", " ", "~", "\u007f", "\u0080", "\u009f", "\u00a0", "\u0105",
        "\ud7ff", "\ud800", "\udfff", "\ue000", "\uf8ff", "\uf900", "\uffef", "\ufff0", "\uffff",
        "\ud83d\ude00"};

    private Strings() {
    }

    static void write(PrintStream out) throws IOException {
        for (String text : TEXTS) {
            ByteArrayOutputStream bytes = new ByteArrayOutputStream();
            BinaryOutputArchive.getArchive(bytes).writeString(text, "text");
            out.println(Json.of(entry("written", text, bytes.toByteArray())));
        }
        for (int a : EDGES) {
            for (int b : EDGES) {
                read(out, new byte[] {(byte) a, (byte) b});
                if (a >= 0xe0) {
                    read(out, new byte[] {(byte) a, (byte) b, (byte) 0x80, 0x41});
                    read(out, new byte[] {(byte) a, (byte) b, (byte) 0xbf, (byte) 0xbf, (byte) 0xc3});
                }
            }
        }
        Random random = new Random(395);
        for (int i = 0; i < 200; i++) {
            byte[] bytes = new byte[1 + random.nextInt(40)];
            for (int at = 0; at < bytes.length; at++) {
                bytes[at] = (byte) EDGES[random.nextInt(EDGES.length)];
            }
            read(out, bytes);
        }
    }

    private static void read(PrintStream out, byte[] content) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        BinaryOutputArchive.getArchive(bytes).writeBuffer(content, "text");
        BinaryInputArchive archive = Golden.archiveOf(bytes.toByteArray());
        out.println(Json.of(entry("read", archive.readString("text"), bytes.toByteArray())));
    }

    private static Map<String, Object> entry(String kind, String text, byte[] bytes) {
        Map<String, Object> entry = new LinkedHashMap<>();
        entry.put("kind", kind);
        entry.put("text", text);
        entry.put("hex", HexFormat.of().formatHex(bytes));
        return entry;
    }

    static void writePaths(PrintStream out) {
        String[] paths = {"", "/", "a", "a/b", "/a", "/a/", "//", "//a", "/a//b", "/.", "/..", "/a/.", "/a/..",
            "/./a", "/../a", "/a/./b", "/a/../b", "/...", "/.a", "/a.", "/..a", "/a..", "/a/b/c",
            "/zookeeper/quota"};
        for (String path : paths) {
            judged(out, path);
        }
        Random random = new Random(395);
        for (int i = 0; i < 600; i++) {
            StringBuilder path = new StringBuilder("/");
            for (int parts = random.nextInt(7); parts > 0; parts--) {
                path.append(PATH_PARTS[random.nextInt(i % 2 == 0 ? PATH_PARTS.length : 10)]);
            }
            judged(out, path.toString());
        }
    }

    private static void judged(PrintStream out, String path) {
        for (boolean sequential : new boolean[] {false, true}) {
            Map<String, Object> line = new LinkedHashMap<>();
            line.put("path", path);
            line.put("sequential", sequential);
            line.put("reason", reason(path, sequential));
            out.println(Json.of(line));
        }
    }

    private static String reason(String path, boolean sequential) {
        try {
            PathUtils.validatePath(path, sequential);
            return null;
        } catch (IllegalArgumentException refused) {
            String message = refused.getMessage();
            String cause = " caused by ";
            int at = message.lastIndexOf(cause);
            return at < 0 ? message : message.substring(at + cause.length());
        }
    }
}
