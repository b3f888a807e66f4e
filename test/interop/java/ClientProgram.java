import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.zookeeper.AddWatchMode;
import org.apache.zookeeper.AsyncCallback;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.Op;
import org.apache.zookeeper.OpResult;
import org.apache.zookeeper.WatchedEvent;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.Watcher.Event.EventType;
import org.apache.zookeeper.Watcher.Event.KeeperState;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooDefs.Perms;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.data.ACL;
import org.apache.zookeeper.data.ClientInfo;
import org.apache.zookeeper.data.Id;
import org.apache.zookeeper.data.Stat;

/** Apache's own Java client, op by op. */
public final class ClientProgram {
    private static String hosts;

    private ClientProgram() {
    }

    /** Keeps what it hears, in order. */
    static final class Recorder implements Watcher {
        final BlockingQueue<WatchedEvent> events = new LinkedBlockingQueue<>();
        final List<KeeperState> states = new ArrayList<>();
        private final CountDownLatch connected = new CountDownLatch(1);

        @Override
        public void process(WatchedEvent event) {
            if (event.getType() == EventType.None) {
                synchronized (states) {
                    states.add(event.getState());
                }
                if (event.getState() == KeeperState.SyncConnected) {
                    connected.countDown();
                }
                return;
            }
            events.add(event);
        }

        boolean has(KeeperState state) {
            synchronized (states) {
                return states.contains(state);
            }
        }

        KeeperState last() {
            synchronized (states) {
                return states.isEmpty() ? null : states.get(states.size() - 1);
            }
        }

        String next() throws InterruptedException {
            WatchedEvent event = events.poll(20, TimeUnit.SECONDS);
            return event == null ? "nothing" : event.getType() + " " + event.getPath();
        }
    }

    static ZooKeeper connect(Recorder recorder, int timeoutMs) throws Exception {
        ZooKeeper zk = new ZooKeeper(hosts, timeoutMs, recorder);
        Checks.that(recorder.connected.await(20, TimeUnit.SECONDS), "no connection");
        return zk;
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    interface Call {
        void run() throws Exception;
    }

    static void fails(Code code, Call call) throws Exception {
        try {
            call.run();
        } catch (KeeperException problem) {
            Checks.equal(problem.code(), code, "code");
            return;
        }
        throw new AssertionError("expected " + code + ", saw success");
    }

    public static void main(String[] args) throws Exception {
        hosts = args[0];
        Recorder recorder = new Recorder();
        ZooKeeper zk = connect(recorder, 20_000);
        ops(zk);
        watches(zk, recorder);
        more(zk);
        sessions();
        restart();
        zk.close();
        System.exit(0);
    }

    private static void ops(ZooKeeper zk) {
        Checks.check("create, getData, setData, exists, delete", () -> {
            Checks.equal(zk.create("/ops", bytes("1"), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT), "/ops", "path");
            Stat stat = new Stat();
            Checks.equal(new String(zk.getData("/ops", false, stat), StandardCharsets.UTF_8), "1", "data");
            Checks.equal(zk.setData("/ops", bytes("22"), stat.getVersion()).getVersion(), 1, "version");
            Checks.equal(zk.exists("/ops", false).getDataLength(), 2, "dataLength");
            Checks.equal(zk.exists("/none", false), null, "exists");
            zk.delete("/ops", 1);
            Checks.equal(zk.exists("/ops", false), null, "exists");
        });
        Checks.check("errors become exceptions", () -> {
            zk.create("/err", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
            zk.create("/err/e", null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
            fails(Code.NODEEXISTS, () -> zk.create("/err", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT));
            fails(Code.NONODE, () -> zk.getData("/err/no", false, null));
            fails(Code.NOTEMPTY, () -> zk.delete("/err", -1));
            fails(Code.BADVERSION, () -> zk.setData("/err", null, 7));
            fails(Code.NOCHILDRENFOREPHEMERALS,
                () -> zk.create("/err/e/x", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT));
            fails(Code.INVALIDACL, () -> zk.create("/err/x", null, Ids.CREATOR_ALL_ACL, CreateMode.PERSISTENT));
            fails(Code.NOWATCHER, () -> zk.removeAllWatches("/err", Watcher.WatcherType.Any, false));
        });
        Checks.check("create modes", () -> {
            zk.create("/modes", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
            Stat stat = new Stat();
            Checks.equal(zk.create("/modes/s-", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_SEQUENTIAL, stat),
                "/modes/s-0000000000", "path");
            Checks.that(stat.getCzxid() > 0, "czxid");
            zk.create("/modes/e", null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL, stat);
            Checks.equal(stat.getEphemeralOwner(), zk.getSessionId(), "ephemeralOwner");
            zk.create("/modes/c", null, Ids.OPEN_ACL_UNSAFE, CreateMode.CONTAINER);
            zk.create("/modes/t", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_WITH_TTL, stat, 100_000);
            Checks.equal(zk.create("/modes/t-", null, Ids.OPEN_ACL_UNSAFE,
                CreateMode.PERSISTENT_SEQUENTIAL_WITH_TTL, stat, 100_000), "/modes/t-0000000004", "path");
            List<String> children = zk.getChildren("/modes", false, stat);
            children.sort(null);
            Checks.equal(children, Arrays.asList("c", "e", "s-0000000000", "t", "t-0000000004"), "children");
            Checks.equal(stat.getNumChildren(), 5, "numChildren");
            Checks.equal(zk.getAllChildrenNumber("/modes"), 5, "getAllChildrenNumber");
            Checks.equal(zk.getEphemerals("/modes"), Arrays.asList("/modes/e"), "getEphemerals");
        });
        Checks.check("multi: all or nothing", () -> {
            List<OpResult> results = zk.multi(Arrays.asList(
                Op.create("/multi", bytes("x"), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT),
                Op.create("/multi/c", null, Ids.OPEN_ACL_UNSAFE, CreateMode.CONTAINER),
                Op.setData("/multi", bytes("yy"), 0),
                Op.check("/multi", 1),
                Op.create("/multi/a", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT),
                Op.delete("/multi/a", 0)));
            Checks.equal(((OpResult.CreateResult) results.get(0)).getPath(), "/multi", "path");
            Checks.equal(((OpResult.SetDataResult) results.get(2)).getStat().getVersion(), 1, "version");
            try {
                zk.multi(Arrays.asList(
                    Op.create("/multi/b", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT),
                    Op.check("/multi", 0),
                    Op.delete("/multi/c", -1)));
                throw new AssertionError("the multi did not fail");
            } catch (KeeperException problem) {
                Checks.equal(problem.code(), Code.BADVERSION, "code");
                int[] codes = problem.getResults().stream().mapToInt(r -> ((OpResult.ErrorResult) r).getErr()).toArray();
                Checks.equal(Arrays.toString(codes), "[0, -103, -2]", "results");
            }
            Checks.equal(zk.exists("/multi/b", false), null, "exists");
        });
        Checks.check("multi of reads", () -> {
            List<OpResult> results = zk.multi(Arrays.asList(Op.getData("/multi"), Op.getChildren("/multi"), Op.getData("/no")));
            Checks.equal(new String(((OpResult.GetDataResult) results.get(0)).getData(), StandardCharsets.UTF_8), "yy", "data");
            Checks.equal(((OpResult.GetChildrenResult) results.get(1)).getChildren(), Arrays.asList("c"), "children");
            Checks.equal(((OpResult.ErrorResult) results.get(2)).getErr(), Code.NONODE.intValue(), "err");
        });
    }

    private static void watches(ZooKeeper zk, Recorder recorder) {
        Checks.check("one-shot watches", () -> {
            Recorder own = new Recorder();
            zk.exists("/w", own);
            zk.create("/w", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
            Checks.equal(own.next(), "NodeCreated /w", "event");
            zk.getData("/w", own, null);
            zk.setData("/w", bytes("x"), -1);
            Checks.equal(own.next(), "NodeDataChanged /w", "event");
            zk.getChildren("/w", own);
            zk.create("/w/a", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
            Checks.equal(own.next(), "NodeChildrenChanged /w", "event");
            zk.getChildren("/w/a", own);
            zk.delete("/w/a", -1);
            Checks.equal(own.next(), "NodeDeleted /w/a", "event");
            Checks.that(own.events.isEmpty(), "no more events");
        });
        Checks.check("the watch event carries a zxid", () -> {
            Recorder own = new Recorder();
            zk.getData("/w", own, null);
            Stat stat = zk.setData("/w", bytes("zxid"), -1);
            WatchedEvent event = own.events.poll(20, TimeUnit.SECONDS);
            Checks.equal(event == null ? null : event.getZxid(), stat.getMzxid(), "zxid");
        });
        Checks.check("persistent and recursive watches", () -> {
            Recorder persistent = new Recorder();
            Recorder recursive = new Recorder();
            zk.addWatch("/w", persistent, AddWatchMode.PERSISTENT);
            zk.addWatch("/w", recursive, AddWatchMode.PERSISTENT_RECURSIVE);
            for (int round = 0; round < 2; round++) {
                zk.create("/w/b", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
                zk.setData("/w/b", bytes("x"), -1);
                zk.delete("/w/b", -1);
                Checks.equal(recursive.next(), "NodeCreated /w/b", "recursive");
                Checks.equal(recursive.next(), "NodeDataChanged /w/b", "recursive");
                Checks.equal(recursive.next(), "NodeDeleted /w/b", "recursive");
                Checks.equal(persistent.next(), "NodeChildrenChanged /w", "persistent");
                Checks.equal(persistent.next(), "NodeChildrenChanged /w", "persistent");
            }
            zk.removeWatches("/w", recursive, Watcher.WatcherType.PersistentRecursive, false);
            zk.setData("/w", bytes("y"), -1);
            Checks.equal(persistent.next(), "NodeDataChanged /w", "persistent");
            Checks.equal(recursive.next(), "PersistentWatchRemoved /w", "recursive");
            Checks.that(recursive.events.isEmpty(), "nothing for a watch that was removed");
            zk.removeAllWatches("/w", Watcher.WatcherType.Any, false);
        });
        Checks.check("the default watcher", () -> {
            zk.getData("/w", true, null);
            zk.setData("/w", bytes("z"), -1);
            Checks.equal(recorder.next(), "NodeDataChanged /w", "event");
        });
    }

    private static void more(ZooKeeper zk) {
        Checks.check("ACLs and identities", () -> {
            ZooKeeper bob = connect(new Recorder(), 20_000);
            bob.addAuthInfo("digest", bytes("bob:secret"));
            bob.create("/acl", bytes("mine"), Ids.CREATOR_ALL_ACL, CreateMode.PERSISTENT);
            fails(Code.NOAUTH, () -> zk.getData("/acl", false, null));
            List<ACL> acl = bob.getACL("/acl", new Stat());
            Checks.equal(acl.get(0).getId().getScheme(), "digest", "scheme");
            bob.setACL("/acl", Arrays.asList(acl.get(0), new ACL(Perms.READ, new Id("world", "anyone"))), 0);
            Checks.equal(new String(zk.getData("/acl", false, null), StandardCharsets.UTF_8), "mine", "data");
            Checks.equal(zk.getACL("/acl", new Stat()).get(0).getId().getId(), "bob:x", "a digest is hidden");
            List<ClientInfo> infos = bob.whoAmI();
            Checks.that(infos.stream().anyMatch(info -> info.getUser().equals("bob")), "bob among " + infos);
            bob.close();
        });
        Checks.check("auth that is refused", () -> {
            Recorder own = new Recorder();
            ZooKeeper other = connect(own, 20_000);
            other.addAuthInfo("nonsense", bytes("x"));
            Checks.eventually(() -> own.has(KeeperState.AuthFailed), "AuthFailed");
            fails(Code.AUTHFAILED, () -> other.getData("/", false, null));
            other.close();
        });
        Checks.check("a thousand requests without waiting, answered in order", () -> {
            zk.create("/async", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
            CountDownLatch done = new CountDownLatch(1_000);
            AtomicInteger last = new AtomicInteger(-1);
            AtomicInteger wrong = new AtomicInteger();
            AsyncCallback.StringCallback callback = (rc, path, context, name) -> {
                if (rc != 0 || last.getAndSet((Integer) context) != (Integer) context - 1) {
                    wrong.incrementAndGet();
                }
                done.countDown();
            };
            for (int n = 0; n < 1_000; n++) {
                zk.create("/async/n", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_SEQUENTIAL, callback, n);
            }
            Checks.that(done.await(60, TimeUnit.SECONDS), "answers");
            Checks.equal(wrong.get(), 0, "wrong answers");
            Checks.equal(zk.getChildren("/async", false).size(), 1_000, "children");
        });
        Checks.check("data of a million bytes", () -> {
            byte[] data = new byte[1_000_000];
            Arrays.fill(data, (byte) 5);
            zk.create("/big", data, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
            Checks.that(Arrays.equals(zk.getData("/big", false, null), data), "data");
            zk.delete("/big", -1);
        });
        Checks.check("sync", () -> {
            CountDownLatch done = new CountDownLatch(1);
            zk.sync("/", (rc, path, context) -> done.countDown(), null);
            Checks.that(done.await(20, TimeUnit.SECONDS), "an answer");
        });
        Checks.check("getConfig", () -> Checks.that(zk.getConfig(false, new Stat()) != null, "config"));
        Checks.check("a chroot", () -> {
            Recorder own = new Recorder();
            zk.create("/root", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
            ZooKeeper inner = new ZooKeeper(hosts + "/root", 20_000, own);
            inner.getChildren("/", own);
            inner.create("/a", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
            Checks.equal(own.next(), "NodeChildrenChanged /", "event");
            Checks.that(zk.exists("/root/a", false) != null, "exists");
            inner.close();
        });
    }

    private static void sessions() {
        Checks.check("close removes ephemerals", () -> {
            ZooKeeper owner = connect(new Recorder(), 20_000);
            ZooKeeper other = connect(new Recorder(), 20_000);
            owner.create("/gone", null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
            owner.close();
            Checks.equal(other.exists("/gone", false), null, "exists");
            other.close();
        });
        Checks.check("a session taken over by id and password", () -> {
            Recorder first = new Recorder();
            ZooKeeper owner = connect(first, 20_000);
            owner.create("/taken", null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
            Recorder second = new Recorder();
            ZooKeeper taker = new ZooKeeper(hosts, 20_000, second, owner.getSessionId(), owner.getSessionPasswd());
            Checks.that(second.connected.await(20, TimeUnit.SECONDS), "connected");
            Checks.equal(taker.getSessionId(), owner.getSessionId(), "id");
            Checks.equal(taker.exists("/taken", false).getEphemeralOwner(), taker.getSessionId(), "owner");
            taker.close();
            Checks.eventually(() -> first.has(KeeperState.Expired), "the other one hears Expired");
            owner.close();
        });
        Checks.check("a session with a wrong password is expired", () -> {
            ZooKeeper owner = connect(new Recorder(), 20_000);
            Recorder own = new Recorder();
            ZooKeeper thief = new ZooKeeper(hosts, 20_000, own, owner.getSessionId(), new byte[16]);
            Checks.eventually(() -> own.has(KeeperState.Expired), "Expired");
            thief.close();
            owner.close();
        });
    }

    private static void restart() {
        Checks.check("a server that is killed: session, ephemerals and watches come back", () -> {
            Recorder own = new Recorder();
            ZooKeeper zk = connect(own, 30_000);
            zk.create("/again", bytes("0"), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
            zk.create("/again/e", null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
            Recorder shot = new Recorder();
            Recorder stays = new Recorder();
            zk.getData("/again", shot, null);
            zk.getChildren("/again", shot);
            zk.addWatch("/again", stays, AddWatchMode.PERSISTENT_RECURSIVE);
            long session = zk.getSessionId();
            Checks.restartServer();
            Checks.eventually(() -> own.has(KeeperState.Disconnected), "Disconnected");
            Checks.eventually(() -> own.last() == KeeperState.SyncConnected, "SyncConnected");
            Checks.equal(zk.getSessionId(), session, "session");
            Checks.equal(zk.exists("/again/e", false).getEphemeralOwner(), session, "owner");
            Checks.that(shot.events.isEmpty() && stays.events.isEmpty(), "no event for the restart itself");
            zk.setData("/again", bytes("1"), 0);
            zk.create("/again/n", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
            Checks.equal(shot.next(), "NodeDataChanged /again", "event");
            Checks.equal(shot.next(), "NodeChildrenChanged /again", "event");
            Checks.equal(stays.next(), "NodeDataChanged /again", "event");
            Checks.equal(stays.next(), "NodeCreated /again/n", "event");
            zk.close();
        });
        Checks.check("writes across a kill: what was acknowledged is there", () -> {
            Recorder own = new Recorder();
            ZooKeeper zk = connect(own, 30_000);
            zk.create("/log", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
            List<String> acknowledged = new ArrayList<>();
            AsyncCallback.StringCallback callback = (rc, path, context, name) -> {
                if (rc == 0) {
                    synchronized (acknowledged) {
                        acknowledged.add(name.substring("/log/".length()));
                    }
                }
            };
            for (int n = 0; n < 2_000; n++) {
                zk.create("/log/n" + n, null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT, callback, null);
            }
            Checks.restartServer();
            Checks.eventually(() -> own.last() == KeeperState.SyncConnected, "SyncConnected");
            List<String> children = zk.getChildren("/log", false);
            synchronized (acknowledged) {
                Checks.that(children.containsAll(acknowledged), "every acknowledged create");
            }
            zk.close();
        });
    }
}
