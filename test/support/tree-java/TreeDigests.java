// In this package because a DataNode shows its ACL id and its persisted stat to nobody else.
package org.apache.zookeeper.server;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.jute.BinaryInputArchive;
import org.apache.jute.BinaryOutputArchive;
import org.apache.jute.Record;
import org.apache.zookeeper.ZooDefs.OpCode;
import org.apache.zookeeper.data.ACL;
import org.apache.zookeeper.data.Id;
import org.apache.zookeeper.data.Stat;
import org.apache.zookeeper.txn.CheckVersionTxn;
import org.apache.zookeeper.txn.CloseSessionTxn;
import org.apache.zookeeper.txn.CreateContainerTxn;
import org.apache.zookeeper.txn.CreateSessionTxn;
import org.apache.zookeeper.txn.CreateTTLTxn;
import org.apache.zookeeper.txn.CreateTxn;
import org.apache.zookeeper.txn.CreateTxnV0;
import org.apache.zookeeper.txn.DeleteTxn;
import org.apache.zookeeper.txn.ErrorTxn;
import org.apache.zookeeper.txn.MultiTxn;
import org.apache.zookeeper.txn.SetACLTxn;
import org.apache.zookeeper.txn.SetDataTxn;
import org.apache.zookeeper.txn.Txn;
import org.apache.zookeeper.txn.TxnDigest;
import org.apache.zookeeper.txn.TxnHeader;

/** Applies transactions to Apache's tree and prints what became of it. See README.md beside this. */
public final class TreeDigests {
    private static final long SESSION_1 = 0x1000a0b0c0d00001L;
    private static final long SESSION_2 = 0x1000a0b0c0d00002L;
    private static final long[] SESSIONS = {SESSION_1, SESSION_2, 0x7000000000000003L, 4L};
    private static final List<ACL> OPEN = acl(31, "world", "anyone");
    private static final List<ACL> READ = acl(1, "world", "anyone");
    private static final List<List<ACL>> ACLS = Arrays.asList(
        OPEN, READ, acl(31, "digest", "u:x"), acl(5, "ip", "10.0.0.0/8"), null,
        Arrays.asList(new ACL(31, new Id("digest", "a:b")), new ACL(1, new Id("world", "anyone"))));

    private final PrintStream out;
    private DataTree tree;
    private long zxid;
    private long time;
    private final List<Runnable> history = new ArrayList<>();

    private TreeDigests(PrintStream out) {
        this.out = out;
    }

    public static void main(String[] args) throws Exception {
        try (PrintStream out = new PrintStream(args[0], StandardCharsets.UTF_8)) {
            new TreeDigests(out).run();
        }
    }

    private void run() throws Exception {
        scripted();
        random("random transactions", 1, false, 1000, false);
        random("random transactions with extended types", 2, true, 1000, false);
        random("random transactions, some of them replayed", 3, true, 1000, true);
        random("more random transactions", 4, false, 1000, false);
    }

    private void scripted() throws Exception {
        begin("creates, data and deletes", false, false, true);
        create("/a", "one", OPEN, 0, 1);
        create("/a/b", "", READ, 0, 1);
        create("/a/c", null, null, 0, 2);
        create2("/a/c/d", "four", OPEN, 0, 1);
        setData("/a", "two", 1);
        setData("/a", null, 2);
        setData("/", "of the root", 1);
        setData("/none", "x", 1);
        delete("/a/b");
        delete("/a/none");
        delete("/none/b");
        create("/none/b", "x", OPEN, 0, 1);
        create("/\u00e9t\u00e9", "non-ASCII \u6f22\u5b57", OPEN, 0, 2);
        create("/\u00e9t\u00e9/\u6f22", "x", OPEN, 0, 1);
        createV0("/a/old", "v0", OPEN, 0);
        error(-101);
        setData("/zookeeper/config", "server.1=h:1:2", 5);
        apply(header(0, OpCode.reconfig), new SetDataTxn("/zookeeper/config", bytes("version=1"), 6));
        create("/zookeeper/x", "not in the digest", OPEN, 0, 3);
        setData("/zookeeper", "in the digest", 1);
        dump();
        reload();
        delete("/a/c/d");
        dump();

        begin("ephemerals and sessions", false, false, true);
        createSession(SESSION_1);
        createSession(SESSION_2);
        create("/e", "", OPEN, 0, 1);
        create("/e/1", "x", OPEN, SESSION_1, 1);
        create("/e/2", "y", OPEN, SESSION_1, 2);
        create2("/e/3", "z", OPEN, SESSION_2, 3);
        create("/e/4", "z", OPEN, SESSION_2, 4);
        delete("/e/4");
        dump();
        closeSession(SESSION_1, "/e/1");
        dump();
        reload();
        closeSessionV0(SESSION_2);
        closeSession(SESSION_2);
        closeSession(99L, "/e/none", "/none/1");
        dump();

        begin("containers and times to live", true, false, true);
        createContainer("/c", OPEN, 1);
        create("/c/1", "x", OPEN, 0, 1);
        createTtl("/t", 1, OPEN, 2);
        createTtl("/t/u", 0xffffffffffL, READ, 1);
        delete("/c/1");
        dump();
        reload();
        apply(header(0, OpCode.deleteContainer), new DeleteTxn("/c"));
        delete("/t/u");
        dump();

        begin("a time to live without extended types is a session", false, false, true);
        createTtl("/t", 5000, OPEN, 1);
        createContainer("/c", OPEN, 2);
        dump();
        closeSessionV0(0xff00000000001388L);
        dump();

        begin("times to live as 3.5.3 had them", true, true, true);
        create("/t", "", OPEN, 0x8000000000001388L, 1);
        create("/e", "", OPEN, SESSION_1, 2);
        createContainer("/c", OPEN, 3);
        dump();
        delete("/t");
        dump();

        begin("access lists", false, false, true);
        create("/1", "", OPEN, 0, 1);
        create("/2", "", acl(31, "digest", "a:a"), 0, 2);
        create("/3", "", acl(31, "digest", "a:a"), 0, 3);
        setAcl("/1", READ, 1);
        setAcl("/1", READ, 2);
        setAcl("/2", acl(31, "digest", "b:b"), 1);
        setAcl("/3", acl(31, "digest", "b:b"), 1);
        setAcl("/3", null, 2);
        setAcl("/none", OPEN, 1);
        setAcl("/", READ, 1);
        create("/4", "", acl(31, "digest", "a:a"), 0, 4);
        dump();
        reload();
        create("/5", "", acl(31, "digest", "c:c"), 0, 5);
        dump();

        begin("multi", true, false, true);
        multi(0, createTxn("/m", "x", OPEN, false, 1), OpCode.create,
            createTxn("/m/1", "y", OPEN, false, 1), OpCode.create2,
            new SetDataTxn("/m/1", bytes("longer than before"), 1), OpCode.setData,
            new CheckVersionTxn("/m/1", 1), OpCode.check,
            new SetDataTxn("/m/1", bytes("s"), 2), OpCode.setData,
            new CreateContainerTxn("/m/c", bytes(""), READ, 2), OpCode.createContainer,
            new CreateTTLTxn("/m/t", bytes("t"), READ, 3, 77), OpCode.createTTL,
            new DeleteTxn("/m/c"), OpCode.delete);
        multi(SESSION_1, createTxn("/m/e", "", OPEN, true, 4), OpCode.create);
        multi(0, createTxn("/m/f", "", OPEN, false, 5), OpCode.create,
            new ErrorTxn(-110), OpCode.error,
            new DeleteTxn("/m"), OpCode.delete,
            new ErrorTxn(-2), OpCode.error);
        multi(0);
        dump();
        closeSession(SESSION_1, "/m/e");
        dump();

        begin("quotas", false, false, true);
        create("/q", "12345", OPEN, 0, 1);
        create("/q/a", "123", OPEN, 0, 1);
        create("/zookeeper/quota/q", "", OPEN, 0, 1);
        create("/zookeeper/quota/q/zookeeper_limits", "count=10,bytes=1000", OPEN, 0, 1);
        create("/zookeeper/quota/q/zookeeper_stats", "count=-1,bytes=-1", OPEN, 0, 2);
        dump();
        create("/q/b", "1234567", OPEN, 0, 2);
        create("/q/b/c", null, OPEN, 0, 1);
        setData("/q/a", "1", 1);
        delete("/q/b/c");
        create("/zookeeper/quota/q/b", "", OPEN, 0, 3);
        String limits = "count=5,bytes=-1=;byteHardLimit=7";
        create("/zookeeper/quota/q/b/zookeeper_limits", limits, OPEN, 0, 1);
        create("/zookeeper/quota/q/b/zookeeper_stats", "", OPEN, 0, 2);
        create("/q/b/d", "12", OPEN, 0, 2);
        create("/q/e", "12", OPEN, SESSION_1, 3);
        dump();
        setData("/zookeeper/quota/q/zookeeper_stats", "count=1,bytes=2=;zz=4;countHardLimit=3", 1);
        create("/q/f", "12", OPEN, 0, 4);
        dump();
        reload();
        create("/later", "", OPEN, 0, 3);
        create("/zookeeper/quota/gone", "", OPEN, 0, 2);
        create("/zookeeper/quota/gone/zookeeper_limits", "count=1", OPEN, 0, 1);
        create("/zookeeper/quota/gone/zookeeper_stats", "count=9", OPEN, 0, 2);
        create("/gone", "not yet there when the quota came", OPEN, 0, 4);
        create("/gone/x", "y", OPEN, 0, 1);
        closeSession(SESSION_1, "/q/e");
        dump();
        delete("/zookeeper/quota/q/b/zookeeper_limits");
        delete("/q/b/d");
        delete("/zookeeper/quota/q/zookeeper_stats");
        create("/q/g", "zz", OPEN, 0, 5);
        dump();

        begin("replayed onto a tree that is ahead", false, false, false);
        create("/p", "", OPEN, 0, 1);
        create("/p/1", "old", OPEN, 0, 1);
        create("/p/1", "new", READ, 0, 7);
        create("/p/1", "new", OPEN, 0, 3);
        createV0("/p/1", "new", OPEN, 0);
        create("/p/2", "x", OPEN, 0, 2);
        long now = zxid;
        zxid = now - 3;
        delete("/p/2");
        zxid = now;
        delete("/p/2");
        delete("/p/2");
        create("/p/3", "x", OPEN, SESSION_1, 20);
        closeSession(SESSION_2, "/p/3");
        closeSession(SESSION_1, "/p/3");
        dump();
    }

    private void random(String name, long seed, boolean extended, int count, boolean replays)
            throws Exception {
        begin(name, extended, false, !replays);
        Random random = new Random(seed);
        history.clear();
        for (int i = 1; i <= count; i++) {
            if (replays && !history.isEmpty() && random.nextInt(5) == 0) {
                int back = 1 + random.nextInt(Math.min(30, history.size()));
                history.get(history.size() - back).run();
            } else {
                randomTxn(random, extended);
            }
            if (i == count / 2 && !replays) {
                reload();
            }
        }
        dump();
    }

    private void randomTxn(Random random, boolean extended) throws Exception {
        int dice = random.nextInt(100);
        if (dice < 40) {
            randomCreate(random, extended);
        } else if (dice < 55) {
            DeleteTxn txn = randomDelete(random);
            if (txn != null) {
                keep(header(0, OpCode.delete), txn);
            }
        } else if (dice < 70) {
            keep(header(0, OpCode.setData), randomSetData(random));
        } else if (dice < 77) {
            String path = existing(random);
            int version = tree.getNode(path).stat.getAversion() + 1;
            keep(header(0, OpCode.setACL), new SetACLTxn(path, randomAcl(random), version));
        } else if (dice < 84) {
            randomMulti(random, random.nextInt(3) == 0);
        } else if (dice < 87) {
            error(-100 - random.nextInt(20));
        } else if (dice < 90) {
            createSession(SESSIONS[random.nextInt(SESSIONS.length)]);
        } else if (dice < 94) {
            randomClose(random);
        } else {
            randomQuota(random);
        }
    }

    private void randomCreate(Random random, boolean extended) throws Exception {
        String parent = randomParent(random);
        String path = freshChild(random, parent);
        if (path == null) {
            return;
        }
        int cversion = tree.getNode(parent).stat.getCversion() + 1;
        byte[] data = randomData(random);
        List<ACL> acl = randomAcl(random);
        long session = SESSIONS[random.nextInt(SESSIONS.length)];
        switch (random.nextInt(10)) {
        case 0: case 1:
            keep(header(session, OpCode.create), new CreateTxn(path, data, acl, true, cversion));
            break;
        case 2: case 3:
            boolean isEphemeral = random.nextBoolean();
            CreateTxn txn = new CreateTxn(path, data, acl, isEphemeral, cversion);
            keep(header(session, OpCode.create2), txn);
            break;
        case 4:
            keep(header(0, OpCode.createContainer), new CreateContainerTxn(path, data, acl, cversion));
            break;
        case 5:
            if (extended) {
                long ttl = 1 + random.nextInt(100000);
                keep(header(0, OpCode.createTTL), new CreateTTLTxn(path, data, acl, cversion, ttl));
                break;
            }
        // fall through
        default:
            keep(header(session, OpCode.create), new CreateTxn(path, data, acl, false, cversion));
        }
    }

    private DeleteTxn randomDelete(Random random) {
        for (int attempt = 0; attempt < 20; attempt++) {
            String path = existing(random);
            if (!path.startsWith("/zookeeper") && !path.equals("/")
                    && tree.getNode(path).getChildren().isEmpty()) {
                return new DeleteTxn(path);
            }
        }
        return null;
    }

    private SetDataTxn randomSetData(Random random) {
        String path = existing(random);
        if (path.endsWith("zookeeper_stats")) {
            path = "/";
        }
        return new SetDataTxn(path, randomData(random), tree.getNode(path).stat.getVersion() + 1);
    }

    private void randomMulti(Random random, boolean fails) throws Exception {
        List<Object> parts = new ArrayList<>();
        int count = 1 + random.nextInt(4);
        int cversion = tree.getNode("/").stat.getCversion();
        String created = freshChild(random, "");
        if (created != null) {
            byte[] data = randomData(random);
            parts.add(new CreateTxn(created, data, randomAcl(random), false, cversion + 1));
            parts.add(random.nextBoolean() ? OpCode.create : OpCode.create2);
            parts.add(new SetDataTxn(created, randomData(random), 1));
            parts.add(OpCode.setData);
        }
        for (int i = 0; i < count; i++) {
            parts.add(randomSetData(random));
            parts.add(OpCode.setData);
            DeleteTxn delete = randomDelete(random);
            if (i == 0 && delete != null && !delete.getPath().equals(created)) {
                parts.add(new CheckVersionTxn(delete.getPath(), 0));
                parts.add(OpCode.check);
                parts.add(delete);
                parts.add(OpCode.delete);
            }
        }
        if (fails) {
            int at = 2 * random.nextInt(parts.size() / 2 + 1);
            parts.add(at, new ErrorTxn(-103));
            parts.add(at + 1, OpCode.error);
        }
        multi(SESSIONS[random.nextInt(SESSIONS.length)], parts.toArray());
    }

    private void randomClose(Random random) throws Exception {
        long session = SESSIONS[random.nextInt(SESSIONS.length)];
        List<String> paths = new ArrayList<>(new TreeSet<>(tree.getEphemerals(session)));
        Collections.shuffle(paths, random);
        if (paths.size() > 2 && random.nextInt(3) == 0) {
            paths.remove(0);
        }
        if (random.nextInt(4) == 0) {
            keep(header(session, OpCode.closeSession), null);
        } else {
            keep(header(session, OpCode.closeSession), new CloseSessionTxn(paths));
        }
    }

    private void randomQuota(Random random) throws Exception {
        String path = existing(random);
        if (path.equals("/") || path.startsWith("/zookeeper")) {
            return;
        }
        String at = "/zookeeper/quota";
        for (String name : path.substring(1).split("/")) {
            String parent = at;
            at = at + "/" + name;
            if (tree.getNode(at) == null) {
                create(at, "", OPEN, 0, tree.getNode(parent).stat.getCversion() + 1);
            }
        }
        String limits = at + "/zookeeper_limits";
        String stats = at + "/zookeeper_stats";
        int cversion = tree.getNode(at).stat.getCversion();
        if (tree.getNode(limits) == null) {
            create(limits, "count=100,bytes=-1", OPEN, 0, cversion + 1);
            create(stats, "count=-1,bytes=-1", OPEN, 0, cversion + 2);
        } else {
            delete(limits);
            delete(stats);
        }
    }

    private String existing(Random random) {
        List<String> paths = paths();
        return paths.get(random.nextInt(paths.size()));
    }

    /** "" for the root; never an ephemeral. */
    private String randomParent(Random random) {
        for (int attempt = 0; attempt < 20; attempt++) {
            String path = existing(random);
            boolean fits = !path.startsWith("/zookeeper") && !path.equals("/")
                && path.length() < 40 && tree.getNode(path).stat.getEphemeralOwner() == 0;
            if (fits) {
                return path;
            }
        }
        return "";
    }

    private String freshChild(Random random, String parent) {
        String[] names = {"a", "b", "c", "node", "\u00fc", "a-longer-name-than-the-others"};
        String path = parent + "/" + names[random.nextInt(names.length)] + random.nextInt(4);
        return tree.getNode(path) == null ? path : null;
    }

    private static byte[] randomData(Random random) {
        int dice = random.nextInt(12);
        if (dice == 0) {
            return null;
        }
        byte[] data = new byte[dice == 1 ? random.nextInt(300) : random.nextInt(30)];
        random.nextBytes(data);
        return data;
    }

    private static List<ACL> randomAcl(Random random) {
        return random.nextBoolean() ? OPEN : ACLS.get(random.nextInt(ACLS.size()));
    }

    /** Applies it, and remembers it as one that may come again where Apache's replay is sound. */
    private void keep(TxnHeader header, Record txn) throws Exception {
        apply(header, txn);
        history.add(() -> {
            try {
                if (isSoundToReplay(header, txn)) {
                    apply(header, txn);
                }
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
        });
    }

    /**
     * Apache loses the children of a znode that is deleted and created again in a replay, and does not
     * raise the parent's cversion for a create2 that finds its znode. Not to be imitated.
     */
    private boolean isSoundToReplay(TxnHeader header, Record txn) {
        switch (header.getType()) {
        case OpCode.delete:
            return hasNoChildren(((DeleteTxn) txn).getPath());
        case OpCode.closeSession:
            for (String path : tree.getEphemerals(header.getClientId())) {
                if (!hasNoChildren(path)) {
                    return false;
                }
            }
            if (txn != null) {
                for (String path : ((CloseSessionTxn) txn).getPaths2Delete()) {
                    if (!hasNoChildren(path)) {
                        return false;
                    }
                }
            }
            return true;
        case OpCode.create2:
            return tree.getNode(((CreateTxn) txn).getPath()) == null;
        case OpCode.createContainer:
            return tree.getNode(((CreateContainerTxn) txn).getPath()) == null;
        case OpCode.createTTL:
            return tree.getNode(((CreateTTLTxn) txn).getPath()) == null;
        default:
            return true;
        }
    }

    private boolean hasNoChildren(String path) {
        DataNode node = tree.getNode(path);
        return node == null || node.getChildren().isEmpty();
    }

    private void create(String path, String data, List<ACL> acl, long owner, int cversion)
            throws Exception {
        apply(header(owner, OpCode.create), createTxn(path, data, acl, owner != 0, cversion));
    }

    private void create2(String path, String data, List<ACL> acl, long owner, int cversion)
            throws Exception {
        apply(header(owner, OpCode.create2), createTxn(path, data, acl, owner != 0, cversion));
    }

    private void createV0(String path, String data, List<ACL> acl, long owner) throws Exception {
        TxnHeader header = header(owner, OpCode.create);
        Record written = new CreateTxnV0(path, bytes(data), acl, owner != 0);
        applyAs(header, createTxn(path, data, acl, owner != 0, -1), written, false);
    }

    private void createContainer(String path, List<ACL> acl, int cversion) throws Exception {
        TxnHeader header = header(0, OpCode.createContainer);
        apply(header, new CreateContainerTxn(path, bytes("c"), acl, cversion));
    }

    private void createTtl(String path, long ttl, List<ACL> acl, int cversion) throws Exception {
        TxnHeader header = header(0, OpCode.createTTL);
        apply(header, new CreateTTLTxn(path, bytes("t"), acl, cversion, ttl));
    }

    private void delete(String path) throws Exception {
        apply(header(0, OpCode.delete), new DeleteTxn(path));
    }

    private void setData(String path, String data, int version) throws Exception {
        apply(header(0, OpCode.setData), new SetDataTxn(path, bytes(data), version));
    }

    private void setAcl(String path, List<ACL> acl, int version) throws Exception {
        apply(header(0, OpCode.setACL), new SetACLTxn(path, acl, version));
    }

    private void error(int code) throws Exception {
        apply(header(0, OpCode.error), new ErrorTxn(code));
    }

    private void createSession(long session) throws Exception {
        apply(header(session, OpCode.createSession), new CreateSessionTxn(30000));
    }

    private void closeSession(long session, String... paths) throws Exception {
        apply(header(session, OpCode.closeSession), new CloseSessionTxn(Arrays.asList(paths)));
    }

    private void closeSessionV0(long session) throws Exception {
        apply(header(session, OpCode.closeSession), null);
    }

    /** Records and their types in turn. */
    private void multi(long session, Object... parts) throws Exception {
        List<Txn> txns = new ArrayList<>();
        for (int i = 0; i < parts.length; i += 2) {
            txns.add(new Txn((Integer) parts[i + 1], serialize((Record) parts[i])));
        }
        apply(header(session, OpCode.multi), new MultiTxn(txns));
    }

    private static CreateTxn createTxn(
            String path, String data, List<ACL> acl, boolean ephemeral, int cversion) {
        return new CreateTxn(path, bytes(data), acl, ephemeral, cversion);
    }

    private TxnHeader header(long session, int type) {
        time += 7;
        return new TxnHeader(session, (int) (zxid & 0xff), ++zxid, time, type);
    }

    private void begin(String name, boolean extended, boolean emulate353, boolean hasAclIds) {
        System.setProperty("zookeeper.extendedTypesEnabled", String.valueOf(extended));
        System.setProperty("zookeeper.emulate353TTLNodes", String.valueOf(emulate353));
        tree = new DataTree();
        zxid = 0x0000000500000000L;
        time = 1700000000000L;
        out.println("{\"scenario\":\"" + name + "\",\"extendedTypes\":" + extended
            + ",\"emulate353Ttl\":" + emulate353 + ",\"hasAclIds\":" + hasAclIds + "}");
        dump();
    }

    private void apply(TxnHeader header, Record txn) throws Exception {
        // a session closed the old way has nothing between header and digest, and had no digest either
        applyAs(header, txn, txn, txn != null);
    }

    private void applyAs(TxnHeader header, Record txn, Record written, boolean hasDigest)
            throws IOException {
        // before it is applied: a multi that fails rewrites the types of its parts
        ByteArrayOutputStream payload = new ByteArrayOutputStream();
        payload.write(serialize(header));
        if (written != null) {
            payload.write(serialize(written));
        }
        DataTree.ProcessTxnResult result = tree.processTxn(header, txn);
        if (hasDigest) {
            payload.write(serialize(new TxnDigest(2, tree.getTreeDigest())));
        }
        StringBuilder line = new StringBuilder("{\"txn\":\"" + hex(payload.toByteArray()) + "\"");
        line.append(",\"error\":").append(result.err);
        if (result.multiResult != null) {
            List<String> errors = new ArrayList<>();
            List<String> stats = new ArrayList<>();
            for (DataTree.ProcessTxnResult part : result.multiResult) {
                errors.add(String.valueOf(part.err));
                stats.add(part.stat == null ? "null" : "\"" + hex(serialize(part.stat)) + "\"");
            }
            line.append(",\"results\":[").append(String.join(",", errors)).append("]");
            line.append(",\"stats\":[").append(String.join(",", stats)).append("]");
        }
        line.append(",\"digest\":\"").append(Long.toHexString(tree.getTreeDigest())).append("\"}");
        out.println(line);
    }

    /** Through a snapshot and back. */
    private void reload() throws IOException {
        ByteArrayOutputStream snapshot = new ByteArrayOutputStream();
        tree.serialize(BinaryOutputArchive.getArchive(snapshot), "tree");
        DataTree loaded = new DataTree();
        loaded.deserialize(
            BinaryInputArchive.getArchive(new ByteArrayInputStream(snapshot.toByteArray())), "tree");
        loaded.lastProcessedZxid = tree.lastProcessedZxid;
        tree = loaded;
        out.println("{\"reload\":true}");
        dump();
    }

    private List<String> paths() {
        List<String> paths = new ArrayList<>();
        collect("", paths);
        paths.set(0, "/");
        Collections.sort(paths);
        return paths;
    }

    private void collect(String path, List<String> paths) {
        paths.add(path);
        for (String child : tree.getNode(path).getChildren()) {
            collect(path + "/" + child, paths);
        }
    }

    private void dump() {
        List<String> nodes = new ArrayList<>();
        for (String path : paths()) {
            DataNode node = tree.getNode(path);
            Stat stat = new Stat();
            node.copyStat(stat);
            StringBuilder acl = new StringBuilder();
            for (ACL entry : tree.getACL(node)) {
                acl.append(entry.getPerms()).append(' ').append(entry.getId().getScheme());
                acl.append(' ').append(entry.getId().getId()).append(';');
            }
            nodes.add("[\"" + path + "\"," + (node.data == null ? "null" : "\"" + hex(node.data) + "\"")
                + "," + node.acl + ",\"" + acl + "\",\"" + hex(serialize(stat)) + "\",\""
                + hex(serialize(node.stat)) + "\"]");
        }
        Map<String, TreeSet<String>> ephemerals = new TreeMap<>();
        for (Long session : tree.getSessions()) {
            ephemerals.put(Long.toHexString(session), new TreeSet<>(tree.getEphemerals(session)));
        }
        List<String> owners = new ArrayList<>();
        ephemerals.forEach((session, paths) -> owners.add("\"" + session + "\":" + strings(paths)));
        out.println("{\"nodes\":[" + String.join(",", nodes) + "],\"ephemerals\":{"
            + String.join(",", owners) + "},\"containers\":"
            + strings(new TreeSet<>(tree.getContainers())) + ",\"ttls\":" + strings(new TreeSet<>(tree.getTtls())) + ",\"nodeCount\":"
            + tree.getNodeCount() + ",\"approximateDataSize\":" + tree.cachedApproximateDataSize()
            + ",\"ephemeralCount\":" + tree.getEphemeralsCount() + ",\"aclCount\":" + tree.aclCacheSize()
            + ",\"lastZxid\":\"" + Long.toHexString(tree.lastProcessedZxid) + "\",\"digest\":\""
            + Long.toHexString(tree.getTreeDigest()) + "\"}");
    }

    private static String strings(Iterable<String> values) {
        List<String> quoted = new ArrayList<>();
        for (String value : values) {
            quoted.add("\"" + value + "\"");
        }
        return "[" + String.join(",", quoted) + "]";
    }

    private static byte[] serialize(Record record) {
        try {
            ByteArrayOutputStream bytes = new ByteArrayOutputStream();
            record.serialize(BinaryOutputArchive.getArchive(bytes), "record");
            return bytes.toByteArray();
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    private static List<ACL> acl(int perms, String scheme, String id) {
        return Collections.singletonList(new ACL(perms, new Id(scheme, id)));
    }

    private static byte[] bytes(String text) {
        return text == null ? null : text.getBytes(StandardCharsets.UTF_8);
    }

    private static String hex(byte[] bytes) {
        StringBuilder text = new StringBuilder();
        for (byte b : bytes) {
            text.append(Character.forDigit((b >> 4) & 15, 16)).append(Character.forDigit(b & 15, 16));
        }
        return text.toString();
    }
}
