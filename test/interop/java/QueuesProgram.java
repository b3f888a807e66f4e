import java.io.BufferedReader;
import java.io.Closeable;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.nodes.PersistentNode;
import org.apache.curator.framework.recipes.nodes.PersistentTtlNode;
import org.apache.curator.framework.recipes.queue.DistributedDelayQueue;
import org.apache.curator.framework.recipes.queue.DistributedPriorityQueue;
import org.apache.curator.framework.recipes.queue.DistributedQueue;
import org.apache.curator.framework.recipes.queue.QueueBase;
import org.apache.curator.framework.recipes.queue.QueueBuilder;
import org.apache.curator.framework.recipes.queue.QueueConsumer;
import org.apache.curator.framework.recipes.queue.QueueSerializer;
import org.apache.curator.framework.recipes.queue.SimpleDistributedQueue;
import org.apache.curator.framework.recipes.shared.SharedValue;
import org.apache.curator.framework.recipes.shared.VersionedValue;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.curator.retry.ExponentialBackoffRetry;
import org.apache.zookeeper.CreateMode;

/** Curator's queues, values and nodes, told what to do line by line: each command is answered with one line. */
public final class QueuesProgram {
    private static final long IDLE_MS = 2_000;
    private static final Map<String, Closeable> KEPT = new HashMap<>();
    private static CuratorFramework client;

    private QueuesProgram() {
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
        switch (words[0]) {
            case "put":
                return put(path, words[2], words[3], Integer.parseInt(words[4]));
            case "take":
                return words[2].equals("simple") ? takeSimple(path) : take(path, words[2]);
            case "value":
                return value(path, Integer.parseInt(words[2]));
            case "persist":
                PersistentNode node = new PersistentNode(client, CreateMode.EPHEMERAL, false, path, "java".getBytes());
                node.start();
                KEPT.put(path, node);
                return node.waitForInitialCreate(10, TimeUnit.SECONDS) ? "done" : "late";
            case "ttl":
                PersistentTtlNode ttl = new PersistentTtlNode(client, path, Long.parseLong(words[2]), "java".getBytes());
                ttl.start();
                KEPT.put(path, ttl::close);
                return ttl.waitForInitialCreate(10, TimeUnit.SECONDS) ? "done" : "late";
            case "close":
                KEPT.remove(path).close();
                return "done";
            default:
                throw new IllegalArgumentException(words[0]);
        }
    }

    private static String put(String path, String kind, String prefix, int count) throws Exception {
        if (kind.equals("simple")) {
            SimpleDistributedQueue queue = new SimpleDistributedQueue(client, path);
            for (int i = 0; i < count; i++) {
                queue.offer((prefix + i).getBytes(StandardCharsets.UTF_8));
            }
            return "done";
        }
        QueueBase<String> queue = queueOf(path, kind, null);
        queue.start();
        for (int i = 0; i < count; i++) {
            putOne(queue, prefix + i, i);
        }
        boolean isFlushed = queue.flushPuts(10, TimeUnit.SECONDS);
        queue.close();
        return isFlushed ? "done" : "not flushed";
    }

    private static void putOne(QueueBase<String> queue, String item, int i) throws Exception {
        if (queue instanceof DistributedPriorityQueue) {
            ((DistributedPriorityQueue<String>) queue).put(item, i % 3 - 1);
        } else if (queue instanceof DistributedDelayQueue) {
            ((DistributedDelayQueue<String>) queue).put(item, System.currentTimeMillis() + 5L * (i % 7));
        } else {
            ((DistributedQueue<String>) queue).put(item);
        }
    }

    private static QueueBase<String> queueOf(String path, String kind, QueueConsumer<String> consumer) {
        QueueBuilder<String> builder = QueueBuilder.builder(client, consumer, new Texts(), path);
        switch (kind) {
            case "framed":
                return builder.buildQueue();
            case "locked":
                return builder.lockPath(path + "-locks").buildQueue();
            case "priority":
                return builder.buildPriorityQueue(0);
            case "delay":
                return builder.buildDelayQueue();
            default:
                throw new IllegalArgumentException(kind);
        }
    }

    private static String takeSimple(String path) throws Exception {
        SimpleDistributedQueue queue = new SimpleDistributedQueue(client, path);
        List<String> taken = new ArrayList<>();
        for (;;) {
            byte[] item = queue.poll(IDLE_MS, TimeUnit.MILLISECONDS);
            if (item == null) {
                return said(taken);
            }
            taken.add(new String(item, StandardCharsets.UTF_8));
        }
    }

    /** Until nothing has come for a while. */
    private static String take(String path, String kind) throws Exception {
        List<String> taken = Collections.synchronizedList(new ArrayList<>());
        AtomicLong lastMs = new AtomicLong(System.currentTimeMillis());
        QueueBase<String> queue = queueOf(path, kind, new QueueConsumer<String>() {
            @Override
            public void consumeMessage(String item) {
                taken.add(item);
                lastMs.set(System.currentTimeMillis());
            }

            @Override
            public void stateChanged(CuratorFramework its, ConnectionState state) {
            }
        });
        queue.start();
        while (System.currentTimeMillis() < lastMs.get() + IDLE_MS) {
            Thread.sleep(20);
        }
        queue.close();
        return said(taken);
    }

    private static String said(List<String> taken) {
        return taken.isEmpty() ? "nothing" : String.join(",", taken);
    }

    private static String value(String path, int count) throws Exception {
        SharedValue value = new SharedValue(client, path, "0".getBytes());
        value.start();
        for (int i = 0; i < count;) {
            VersionedValue<byte[]> before = value.getVersionedValue();
            int next = Integer.parseInt(new String(before.getValue())) + 1;
            if (value.trySetValue(before, String.valueOf(next).getBytes())) {
                i++;
            }
        }
        value.close();
        return "done";
    }

    private static final class Texts implements QueueSerializer<String> {
        @Override
        public byte[] serialize(String item) {
            return item.getBytes(StandardCharsets.UTF_8);
        }

        @Override
        public String deserialize(byte[] bytes) {
            return new String(bytes, StandardCharsets.UTF_8);
        }
    }
}
