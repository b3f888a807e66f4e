import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.Adler32;
import org.apache.jute.BinaryOutputArchive;
import org.apache.jute.Record;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.MultiOperationRecord;
import org.apache.zookeeper.MultiResponse;
import org.apache.zookeeper.Op;
import org.apache.zookeeper.OpResult;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.ZooDefs.OpCode;
import org.apache.zookeeper.data.Stat;
import org.apache.zookeeper.proto.Create2Response;
import org.apache.zookeeper.proto.CreateRequest;
import org.apache.zookeeper.proto.CreateResponse;
import org.apache.zookeeper.proto.ErrorResponse;
import org.apache.zookeeper.proto.GetChildrenResponse;
import org.apache.zookeeper.proto.GetDataResponse;
import org.apache.zookeeper.proto.MultiHeader;
import org.apache.zookeeper.proto.SetDataResponse;
import org.apache.zookeeper.server.persistence.Util;
import org.apache.zookeeper.txn.CloseSessionTxn;
import org.apache.zookeeper.txn.CreateTTLTxn;
import org.apache.zookeeper.txn.CreateTxn;
import org.apache.zookeeper.txn.CreateTxnV0;
import org.apache.zookeeper.txn.ErrorTxn;
import org.apache.zookeeper.txn.MultiTxn;
import org.apache.zookeeper.txn.TxnDigest;
import org.apache.zookeeper.txn.TxnHeader;

/** What is made of several records: multi requests and responses, and records of the log. */
final class Composed {
    private static final byte[] DATA = {0, 1, 2, -1};

    private Composed() {
    }

    static void write(PrintStream out) throws Exception {
        deleteContainer(out);
        requests(out);
        responses(out);
        log(out);
    }

    /** Not from the jute schema, and not in every release: a class of the server that writes itself. */
    private static void deleteContainer(PrintStream out) throws Exception {
        Class<?> type;
        try {
            type = Class.forName("org.apache.zookeeper.DeleteContainerRequest");
        } catch (ClassNotFoundException older) {
            return;
        }
        Record request = (Record) type.getConstructor(String.class).newInstance("/a/\u65e5\u672c");
        Golden.line(out, "DeleteContainerRequest", "PLAIN", Map.of("path", "/a/\u65e5\u672c"),
            Golden.bytesOf(request));
    }

    private static void requests(PrintStream out) throws Exception {
        request(out, "EMPTY", List.of());
        List<Op> writes = new ArrayList<>();
        for (CreateMode mode : CreateMode.values()) {
            String path = "/multi/" + mode.name().toLowerCase();
            writes.add(mode.isTTL()
                ? Op.create(path, DATA, ZooDefs.Ids.OPEN_ACL_UNSAFE, mode, 60_000)
                : Op.create(path, DATA, ZooDefs.Ids.CREATOR_ALL_ACL, mode));
        }
        writes.add(Op.create("/multi/null", null, null, 0));
        writes.add(Op.delete("/multi/a", -1));
        writes.add(Op.setData("/multi/b", DATA, 7));
        writes.add(Op.check("/multi/c", Integer.MAX_VALUE));
        request(out, "WRITES", writes);
        request(out, "READS", List.of(Op.getData("/multi/a"), Op.getChildren("/multi")));
        create2(out);
    }

    /** No public way makes a create2; clients in other languages send it, and 3.9 keeps it. */
    private static void create2(PrintStream out) throws Exception {
        CreateRequest create = new CreateRequest("/multi/d", DATA, ZooDefs.Ids.READ_ACL_UNSAFE, 1);
        byte[] bytes = concatenated(new MultiHeader(OpCode.create2, false, -1), create,
            new MultiHeader(-1, true, -1));
        MultiOperationRecord read = new MultiOperationRecord();
        read.deserialize(Golden.archiveOf(bytes), "record");
        if (Arrays.equals(bytes, Golden.bytesOf(read))) {
            request(out, "CREATE2", read);
        }
    }

    private static void request(PrintStream out, String variant, Iterable<Op> ops) throws IOException {
        List<Object> described = new ArrayList<>();
        for (Op op : ops) {
            described.add(member(op.getType(), "request", Described.of(op.toRequestRecord())));
        }
        Golden.line(out, "MultiRequest", variant, Map.of("ops", described),
            Golden.bytesOf(new MultiOperationRecord(ops)));
    }

    private static void responses(PrintStream out) throws Exception {
        Stat stat = Golden.fill(Stat.class, MadeUp.Variant.UNICODE);
        MultiResponse response = new MultiResponse();
        List<Object> results = new ArrayList<>();
        Golden.line(out, "MultiResponse", "EMPTY", Map.of("results", results), Golden.bytesOf(response));
        response.add(new OpResult.CreateResult("/multi/a"));
        results.add(member(OpCode.create, "result", Described.of(new CreateResponse("/multi/a"))));
        response.add(new OpResult.CreateResult("/multi/b", stat));
        results.add(member(OpCode.create2, "result", Described.of(new Create2Response("/multi/b", stat))));
        response.add(new OpResult.DeleteResult());
        results.add(member(OpCode.delete, "result", Map.of()));
        response.add(new OpResult.SetDataResult(stat));
        results.add(member(OpCode.setData, "result", Described.of(new SetDataResponse(stat))));
        response.add(new OpResult.CheckResult());
        results.add(member(OpCode.check, "result", Map.of()));
        response.add(new OpResult.GetDataResult(DATA, stat));
        results.add(member(OpCode.getData, "result", Described.of(new GetDataResponse(DATA, stat))));
        List<String> children = List.of("a", "b");
        response.add(new OpResult.GetChildrenResult(children));
        results.add(member(OpCode.getChildren, "result", Described.of(new GetChildrenResponse(children))));
        Golden.line(out, "MultiResponse", "SUCCESS", Map.of("results", results), Golden.bytesOf(response));

        MultiResponse failed = new MultiResponse();
        List<Object> errors = new ArrayList<>();
        for (int err : new int[] {0, -101, -2}) {
            failed.add(new OpResult.ErrorResult(err));
            errors.add(member(OpCode.error, "result", Described.of(new ErrorResponse(err))));
        }
        Golden.line(out, "MultiResponse", "FAILURE", Map.of("results", errors), Golden.bytesOf(failed));
    }

    private static Map<String, Object> member(int type, String key, Object value) {
        Map<String, Object> member = new LinkedHashMap<>();
        member.put("type", type);
        member.put(key, value);
        return member;
    }

    private static void log(PrintStream out) throws Exception {
        TxnDigest digest = Golden.fill(TxnDigest.class, MadeUp.Variant.UNICODE);
        for (MadeUp.Variant variant : MadeUp.Variant.values()) {
            logged(out, variant.name(), OpCode.create, Golden.fill(CreateTxn.class, variant), digest);
            logged(out, variant.name(), OpCode.multi, Golden.fill(MultiTxn.class, variant), digest);
        }
        logged(out, "TTL", OpCode.createTTL, Golden.fill(CreateTTLTxn.class, MadeUp.Variant.PLAIN), digest);
        logged(out, "ERROR", OpCode.error, new ErrorTxn(-110), digest);
        logged(out, "NO_DIGEST", OpCode.create, Golden.fill(CreateTxn.class, MadeUp.Variant.PLAIN), null);
        logged(out, "V0", OpCode.create, Golden.fill(CreateTxnV0.class, MadeUp.Variant.PLAIN), null);
        logged(out, "CLOSE", OpCode.closeSession, new CloseSessionTxn(List.of("/a", "/b")), digest);
        logged(out, "CLOSE_BARE", OpCode.closeSession, null, null);
    }

    private static void logged(PrintStream out, String variant, int type, Record txn, TxnDigest digest)
        throws IOException {
        TxnHeader header = new TxnHeader(0x1_0000_1234_5678L, 7, 0x5_0000_0011L, 1_700_000_000_123L, type);
        byte[] payload = Util.marshallTxnEntry(header, txn, digest);
        Adler32 checksum = new Adler32();
        checksum.update(payload, 0, payload.length);
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        BinaryOutputArchive archive = BinaryOutputArchive.getArchive(bytes);
        archive.writeLong(checksum.getValue(), "txnEntryCRC");
        Util.writeTxnBytes(archive, payload);
        Map<String, Object> fields = new LinkedHashMap<>();
        fields.put("header", Described.of(header));
        fields.put("txn", txn == null ? null : Described.of(txn));
        fields.put("digest", digest == null ? null : Described.of(digest));
        Golden.line(out, "LogRecord", variant, fields, bytes.toByteArray());
    }

    private static byte[] concatenated(Record... records) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        for (Record record : records) {
            bytes.write(Golden.bytesOf(record));
        }
        return bytes.toByteArray();
    }
}
