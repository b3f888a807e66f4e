import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.TreeSet;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicLong;
import org.apache.curator.framework.recipes.barriers.DistributedBarrier;
import org.apache.curator.framework.recipes.barriers.DistributedDoubleBarrier;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.leader.LeaderSelector;
import org.apache.curator.framework.recipes.leader.LeaderSelectorListenerAdapter;
import org.apache.curator.framework.recipes.locks.InterProcessLock;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.locks.InterProcessReadWriteLock;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreV2;
import org.apache.curator.framework.recipes.locks.Lease;
import org.apache.curator.framework.recipes.locks.Revoker;
import org.apache.curator.framework.recipes.nodes.GroupMember;
import org.apache.curator.retry.ExponentialBackoffRetry;
import org.apache.curator.retry.RetryNTimes;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;

/** Curator's recipes, told what to do line by line: each command is answered with one line. */
public final class RecipesProgram {
    private static CuratorFramework client;
    private static GroupMember member;

    private RecipesProgram() {
    }

    public static void main(String[] args) throws Exception {
        client = CuratorFrameworkFactory.builder()
            .connectString(args[0])
            .sessionTimeoutMs(10_000)
            .connectionTimeoutMs(15_000)
            .retryPolicy(new ExponentialBackoffRetry(100, 20))
            .build();
        client.start();
        client.blockUntilConnected();
        Checks.say("ready");
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            try {
                Checks.say(answer(line.split(" ")));
            } catch (Throwable problem) {
                Checks.say("FAIL " + String.valueOf(problem).replace('\n', ' '));
            }
        }
        System.exit(0);
    }

    private static String answer(String[] words) throws Exception {
        String path = words[1];
        int count = words.length > 2 ? Integer.parseInt(words[2]) : 0;
        switch (words[0]) {
            case "lock":
                return contend(new InterProcessMutex(client, path), count, path);
            case "write":
                return contend(new InterProcessReadWriteLock(client, path).writeLock(), count, path);
            case "read":
                return read(new InterProcessReadWriteLock(client, path).readLock(), count, path);
            case "semaphore":
                return semaphore(path, count, Integer.parseInt(words[3]));
            case "latch":
                return latch(path, count);
            case "election":
                return election(path, count);
            case "count":
                return count(path, count);
            case "barrier":
                new DistributedBarrier(client, path).waitOnBarrier();
                return "done";
            case "double":
                return doubleBarrier(path, count);
            case "revoke":
                Revoker.attemptRevoke(client, path);
                return "done";
            case "join":
                member = new GroupMember(client, path, "java", "j".getBytes(StandardCharsets.UTF_8));
                member.start();
                return "done";
            case "members":
                return String.join(",", new TreeSet<>(member.getCurrentMembers().keySet()));
            case "leave":
                member.close();
                return "done";
            default:
                return "FAIL no command " + words[0];
        }
    }

    private static String contend(InterProcessLock lock, int rounds, String path) throws Exception {
        for (int i = 0; i < rounds; i++) {
            lock.acquire();
            try {
                alone(path);
            } finally {
                lock.release();
            }
        }
        return "done";
    }

    private static String read(InterProcessLock lock, int rounds, String path) throws Exception {
        for (int i = 0; i < rounds; i++) {
            lock.acquire();
            try {
                if (client.checkExists().forPath(path + "-inside") != null) {
                    throw new IllegalStateException("a writer is inside");
                }
            } finally {
                lock.release();
            }
        }
        return "done";
    }

    /** What only one at a time may do: nobody else is inside, and adding one is not disturbed. */
    private static void alone(String path) throws Exception {
        String inside = path + "-inside";
        try {
            client.create().withMode(CreateMode.EPHEMERAL).forPath(inside);
        } catch (KeeperException.NodeExistsException problem) {
            throw new IllegalStateException("somebody else is inside");
        }
        String sum = path + "-sum";
        int before = Integer.parseInt(new String(client.getData().forPath(sum), StandardCharsets.UTF_8));
        client.setData().forPath(sum, String.valueOf(before + 1).getBytes(StandardCharsets.UTF_8));
        client.delete().forPath(inside);
    }

    private static String semaphore(String path, int rounds, int leases) throws Exception {
        InterProcessSemaphoreV2 semaphore = new InterProcessSemaphoreV2(client, path, leases);
        for (int i = 0; i < rounds; i++) {
            Lease lease = semaphore.acquire();
            String own = client.create().withMode(CreateMode.EPHEMERAL_SEQUENTIAL)
                .forPath(path + "-inside/n");
            int now = client.getChildren().forPath(path + "-inside").size();
            client.delete().forPath(own);
            semaphore.returnLease(lease);
            if (now > leases) {
                throw new IllegalStateException(now + " are inside");
            }
        }
        return "done";
    }

    private static String latch(String path, int rounds) throws Exception {
        for (int i = 0; i < rounds; i++) {
            LeaderLatch latch = new LeaderLatch(client, path, "java");
            latch.start();
            if (!latch.await(60, TimeUnit.SECONDS)) {
                throw new IllegalStateException("it never leads");
            }
            alone(path);
            latch.close();
        }
        return "done";
    }

    private static String election(String path, int rounds) throws Exception {
        CountDownLatch left = new CountDownLatch(rounds);
        AtomicInteger failures = new AtomicInteger();
        LeaderSelector selector = new LeaderSelector(client, path, new LeaderSelectorListenerAdapter() {
            @Override
            public void takeLeadership(CuratorFramework framework) {
                try {
                    if (left.getCount() > 0) {
                        alone(path);
                    }
                } catch (Exception problem) {
                    failures.incrementAndGet();
                } finally {
                    left.countDown();
                }
            }
        });
        selector.setId("java");
        selector.autoRequeue();
        selector.start();
        boolean isDone = left.await(60, TimeUnit.SECONDS);
        selector.close();
        return isDone && failures.get() == 0 ? "done" : "FAIL " + failures + " failures, done: " + isDone;
    }

    private static String count(String path, int rounds) throws Exception {
        DistributedAtomicLong number = new DistributedAtomicLong(client, path, new RetryNTimes(1000, 1));
        for (int i = 0; i < rounds; i++) {
            if (!number.increment().succeeded()) {
                throw new IllegalStateException("not counted");
            }
        }
        return "done";
    }

    private static String doubleBarrier(String path, int size) throws Exception {
        DistributedDoubleBarrier barrier = new DistributedDoubleBarrier(client, path, size);
        barrier.enter();
        client.create().withMode(CreateMode.PERSISTENT_SEQUENTIAL).forPath(path + "-inside/n");
        barrier.leave();
        int inside = client.getChildren().forPath(path + "-inside").size();
        return inside == size ? "done" : "FAIL " + inside + " were inside";
    }
}
