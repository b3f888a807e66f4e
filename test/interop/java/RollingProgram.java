import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.api.CuratorWatcher;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.curator.retry.RetryUntilElapsed;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.data.Stat;

/**
 * Curator at work while the servers under it are replaced: a lock that three clients want, watches,
 * ephemerals and writes, without a pause except when it reads `pause`; at `end` it says how it went.
 */
public final class RollingProgram {
    private static final String HOME = "/rolling-curator";
    private static final int CLIENTS = 3;
    private static final int NOTICE_SECONDS = 20;
    private static final List<CuratorFramework> clients = new ArrayList<>();
    private static final List<Long> sessions = new ArrayList<>();
    private static final Queue<String> lost = new ConcurrentLinkedQueue<>();
    private static final Queue<String> lockProblems = new ConcurrentLinkedQueue<>();
    private static final Queue<String> watchProblems = new ConcurrentLinkedQueue<>();
    private static final Queue<String> ephemeralProblems = new ConcurrentLinkedQueue<>();
    private static final Queue<String> otherProblems = new ConcurrentLinkedQueue<>();
    private static final Queue<String> written = new ConcurrentLinkedQueue<>();
    private static final AtomicInteger suspensions = new AtomicInteger();
    private static final AtomicInteger holders = new AtomicInteger();
    private static final AtomicInteger lockRounds = new AtomicInteger();
    private static final AtomicInteger watchRounds = new AtomicInteger();
    private static final AtomicInteger ephemeralRounds = new AtomicInteger();
    private static final ReentrantReadWriteLock gate = new ReentrantReadWriteLock(true);
    private static volatile boolean isRunning = true;

    private RollingProgram() {
    }

    private interface Round {
        void run(int number) throws Exception;
    }

    private static CuratorFramework connect(String hosts) throws Exception {
        CuratorFramework client = CuratorFrameworkFactory.builder()
            .connectString(hosts)
            .sessionTimeoutMs(40_000)
            .connectionTimeoutMs(15_000)
            .retryPolicy(new RetryUntilElapsed(60_000, 50))
            .build();
        client.getConnectionStateListenable().addListener((which, state) -> {
            if (state == ConnectionState.LOST) {
                lost.add("a session was lost");
            } else if (state == ConnectionState.SUSPENDED && isRunning) {
                suspensions.incrementAndGet();
            }
        });
        client.start();
        client.blockUntilConnected(30, TimeUnit.SECONDS);
        return client;
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static String text(byte[] data) {
        return new String(data, StandardCharsets.UTF_8);
    }

    /** Only who holds the lock writes here: a version that somebody else has taken shows a second holder. */
    private static void writeAlone(CuratorFramework client, String mine) throws Exception {
        Stat before = new Stat();
        client.getData().storingStatIn(before).forPath(HOME + "/fenced");
        for (;;) {
            try {
                client.setData().withVersion(before.getVersion()).forPath(HOME + "/fenced", bytes(mine));
                return;
            } catch (KeeperException.BadVersionException problem) {
                // an answer that never came is asked for again by Curator: then it was this one
                Stat after = new Stat();
                byte[] data = client.getData().storingStatIn(after).forPath(HOME + "/fenced");
                if (after.getVersion() != before.getVersion() + 1 || !text(data).equals(mine)) {
                    lockProblems.add("version " + before.getVersion() + " was read, " + text(data) + " was there");
                }
                return;
            }
        }
    }

    private static void lockRound(CuratorFramework client, InterProcessMutex mutex, String mine) throws Exception {
        if (!mutex.acquire(60, TimeUnit.SECONDS)) {
            lockProblems.add(mine + " did not get the lock");
            return;
        }
        try {
            int inside = holders.incrementAndGet();
            if (inside != 1) {
                lockProblems.add(inside + " hold the lock");
            }
            writeAlone(client, mine);
            Thread.sleep(2);
        } finally {
            holders.decrementAndGet();
            mutex.release();
        }
        lockRounds.incrementAndGet();
    }

    private static void watchRound(CuratorFramework setter, CuratorFramework watcher, String value) throws Exception {
        CountDownLatch seen = new CountDownLatch(1);
        CuratorWatcher onEvent = event -> {
            if (event.getType() == Watcher.Event.EventType.NodeDataChanged) {
                seen.countDown();
            }
        };
        watcher.getData().usingWatcher(onEvent).forPath(HOME + "/watched");
        setter.setData().forPath(HOME + "/watched", bytes(value));
        if (!seen.await(NOTICE_SECONDS, TimeUnit.SECONDS)) {
            watchProblems.add("no event for " + value);
        }
        watchRounds.incrementAndGet();
    }

    private static void ephemeralRound(CuratorFramework owner, CuratorFramework watcher, String path) throws Exception {
        CountDownLatch created = new CountDownLatch(1);
        CountDownLatch deleted = new CountDownLatch(1);
        CuratorWatcher onCreate = event -> created.countDown();
        watcher.checkExists().usingWatcher(onCreate).forPath(path);
        try {
            owner.create().withMode(CreateMode.EPHEMERAL).forPath(path);
        } catch (KeeperException.NodeExistsException problem) {
            // asked twice, because the first answer never came
        }
        if (!created.await(NOTICE_SECONDS, TimeUnit.SECONDS)) {
            watchProblems.add("no event for the creation of " + path);
        }
        CuratorWatcher onDelete = event -> deleted.countDown();
        watcher.sync().forPath(path);
        if (watcher.checkExists().usingWatcher(onDelete).forPath(path) == null) {
            ephemeralProblems.add(path + " is gone");
            return;
        }
        try {
            owner.delete().forPath(path);
        } catch (KeeperException.NoNodeException problem) {
            // likewise
        }
        if (!deleted.await(NOTICE_SECONDS, TimeUnit.SECONDS)) {
            watchProblems.add("no event for the end of " + path);
        }
        ephemeralRounds.incrementAndGet();
    }

    private static void writeRound(CuratorFramework client, String path) throws Exception {
        try {
            client.create().forPath(path, bytes(path));
        } catch (KeeperException.NodeExistsException problem) {
            // likewise
        }
        written.add(path);
    }

    private static Thread worker(String name, int pauseMs, Round round) {
        Thread thread = new Thread(() -> {
            for (int number = 0; isRunning; number++) {
                gate.readLock().lock();
                try {
                    round.run(number);
                } catch (Exception problem) {
                    otherProblems.add(name + ": " + problem);
                } finally {
                    gate.readLock().unlock();
                }
                try {
                    Thread.sleep(pauseMs);
                } catch (InterruptedException problem) {
                    return;
                }
            }
        }, name);
        thread.start();
        return thread;
    }

    private static List<Thread> start() {
        List<Thread> workers = new ArrayList<>();
        for (int index = 0; index < CLIENTS; index++) {
            CuratorFramework client = clients.get(index);
            String name = "client " + index;
            InterProcessMutex mutex = new InterProcessMutex(client, HOME + "/lock");
            workers.add(worker("lock " + index, 5, number -> lockRound(client, mutex, name + ", " + number)));
            CuratorFramework other = clients.get((index + 1) % CLIENTS);
            String prefix = HOME + "/writes/" + index + "-";
            workers.add(worker("write " + index, 30, number -> writeRound(client, prefix + number)));
            String ephemerals = HOME + "/ephemerals/" + index + "-";
            workers.add(worker("ephemeral " + index, 20, number -> ephemeralRound(client, other, ephemerals + number)));
        }
        workers.add(worker("watch", 10, number -> watchRound(clients.get(0), clients.get(1), "value " + number)));
        return workers;
    }

    private static void none(String what, Queue<String> problems) {
        Checks.check(what, () -> Checks.that(problems.isEmpty(), problems.size() + " problems, the first: " + problems.peek()));
    }

    private static void report() {
        none("no session was lost", lost);
        none("the lock is never held twice", lockProblems);
        none("no watch is missed", watchProblems);
        none("ephemerals stay", ephemeralProblems);
        none("nothing fails that is tried again", otherProblems);
        Checks.check("sessions are the same, and own their ephemerals", () -> {
            for (int index = 0; index < CLIENTS; index++) {
                CuratorFramework client = clients.get(index);
                Checks.equal(client.getZookeeperClient().getZooKeeper().getSessionId(), sessions.get(index), "session");
                Stat stat = client.checkExists().forPath(HOME + "/alive-" + index);
                Checks.equal(stat == null ? null : stat.getEphemeralOwner(), sessions.get(index), "owner");
            }
        });
        Checks.check("no acknowledged write is lost", () -> {
            for (CuratorFramework client : clients) {
                client.sync().forPath("/");
                Set<String> there = new HashSet<>(client.getChildren().forPath(HOME + "/writes"));
                for (String path : written) {
                    Checks.that(there.contains(path.substring(path.lastIndexOf('/') + 1)), path + " is lost");
                }
            }
        });
        Checks.check("there was work: " + lockRounds + " locks, " + watchRounds + " watches, " + ephemeralRounds
            + " ephemerals, " + written.size() + " writes, " + suspensions + " times disconnected", () ->
            Checks.that(Math.min(Math.min(lockRounds.get(), watchRounds.get()), Math.min(ephemeralRounds.get(), written.size())) > 50,
                "hardly any"));
    }

    public static void main(String[] args) throws Exception {
        for (int index = 0; index < CLIENTS; index++) {
            clients.add(connect(args[0]));
            sessions.add(clients.get(index).getZookeeperClient().getZooKeeper().getSessionId());
        }
        CuratorFramework first = clients.get(0);
        for (String path : List.of("/fenced", "/watched", "/writes", "/ephemerals", "/lock")) {
            first.create().creatingParentsIfNeeded().forPath(HOME + path, bytes("0"));
        }
        for (int index = 0; index < CLIENTS; index++) {
            clients.get(index).create().withMode(CreateMode.EPHEMERAL).forPath(HOME + "/alive-" + index);
        }
        List<Thread> workers = start();
        Checks.say("ready");
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        for (String line = input.readLine(); line != null && !line.equals("end"); line = input.readLine()) {
            if (line.equals("pause")) {
                gate.writeLock().lock();
                Checks.say("paused");
            } else if (line.equals("resume")) {
                gate.writeLock().unlock();
                Checks.say("resumed");
            }
        }
        isRunning = false;
        if (gate.isWriteLockedByCurrentThread()) {
            gate.writeLock().unlock();
        }
        for (Thread worker : workers) {
            worker.join(90_000);
        }
        report();
        System.exit(0);
    }
}
