import java.nio.charset.StandardCharsets;
import java.util.Random;
import org.apache.jute.Index;
import org.apache.jute.InputArchive;
import org.apache.jute.Record;

/**
 * A source of values that any record can be "read" from: instead of bytes it makes them up, the same
 * ones in each run. So every record is filled without a list of its fields that could be incomplete.
 */
final class MadeUp implements InputArchive {
    enum Variant { NULLS, ZEROES, LEAST, GREATEST, PLAIN, UNICODE, MIXED_A, MIXED_B, MIXED_C }

    private static final String[] PLAIN = {"/", "/app/config-0000000017", "world", "anyone",
        "digest", "user:4ZkE+bOVX9qrpD5VPtLlNvmXgDQ=", "ip", "10.0.0.0/8", "", "node-1"};
    private static final String[] UNICODE = {"/za\u017c\u00f3\u0142\u0107/g\u0119\u015bl\u0105",
        "/\u65e5\u672c\u8a9e/\u30ce\u30fc\u30c9", "\u0440\u0443\u0441\u0441\u043a\u0438\u0439",
        "\u05e9\u05dc\u05d5\u05dd", "a\u0000b\u007f\u0080\u07ff\u0800\uffff", "\ufeffmarked"};

    private final Variant variant;
    private final Random random;

    MadeUp(String record, Variant variant) {
        this.variant = variant;
        this.random = new Random((record + variant.name()).hashCode());
    }

    /** The variant of the next value: itself, unless it is a mixture. */
    private Variant next() {
        return variant.compareTo(Variant.MIXED_A) < 0 ? variant : Variant.values()[random.nextInt(6)];
    }

    @Override
    public int readInt(String tag) {
        return switch (next()) {
            case NULLS -> -1;
            case ZEROES -> 0;
            case LEAST -> Integer.MIN_VALUE;
            case GREATEST -> Integer.MAX_VALUE;
            case PLAIN -> random.nextInt(1000);
            default -> random.nextInt();
        };
    }

    @Override
    public long readLong(String tag) {
        return switch (next()) {
            case NULLS -> -1;
            case ZEROES -> 0;
            case LEAST -> Long.MIN_VALUE;
            case GREATEST -> Long.MAX_VALUE;
            case PLAIN -> 0x2_0000_0000L + random.nextInt(100_000);
            default -> random.nextLong();
        };
    }

    @Override
    public boolean readBool(String tag) {
        return switch (next()) {
            case NULLS, ZEROES -> false;
            case LEAST, GREATEST -> true;
            default -> random.nextBoolean();
        };
    }

    @Override
    public String readString(String tag) {
        return switch (next()) {
            case NULLS -> null;
            case ZEROES -> "";
            case LEAST -> "/";
            case GREATEST -> "/long-name".repeat(9);
            case PLAIN -> PLAIN[random.nextInt(PLAIN.length)];
            default -> UNICODE[random.nextInt(UNICODE.length)];
        };
    }

    @Override
    public byte[] readBuffer(String tag) {
        byte[] bytes = switch (next()) {
            case NULLS -> null;
            case ZEROES -> new byte[0];
            case LEAST -> new byte[1];
            case GREATEST -> new byte[300];
            case PLAIN -> "some data".getBytes(StandardCharsets.UTF_8);
            default -> new byte[16];
        };
        if (bytes != null && bytes.length >= 16) {
            random.nextBytes(bytes);
        }
        return bytes;
    }

    @Override
    public Index startVector(String tag) {
        int size = switch (next()) {
            case NULLS -> -1;
            case ZEROES -> 0;
            case LEAST -> 1;
            case GREATEST -> 5;
            default -> 1 + random.nextInt(3);
        };
        return size < 0 ? null : new Countdown(size);
    }

    @Override
    public void readRecord(Record record, String tag) throws java.io.IOException {
        record.deserialize(this, tag);
    }

    @Override
    public void startRecord(String tag) {
    }

    @Override
    public void endRecord(String tag) {
    }

    @Override
    public void endVector(String tag) {
    }

    @Override
    public byte readByte(String tag) {
        throw new UnsupportedOperationException("no record has a byte");
    }

    @Override
    public float readFloat(String tag) {
        throw new UnsupportedOperationException("no record has a float");
    }

    @Override
    public double readDouble(String tag) {
        throw new UnsupportedOperationException("no record has a double");
    }

    @Override
    public Index startMap(String tag) {
        throw new UnsupportedOperationException("no record has a map");
    }

    @Override
    public void endMap(String tag) {
    }

    private static final class Countdown implements Index {
        private int left;

        Countdown(int left) {
            this.left = left;
        }

        @Override
        public boolean done() {
            return left == 0;
        }

        @Override
        public void incr() {
            left--;
        }
    }
}
