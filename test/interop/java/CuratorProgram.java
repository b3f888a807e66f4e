import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.api.transaction.CuratorTransactionResult;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicLong;
import org.apache.curator.framework.recipes.atomic.PromotedToLock;
import org.apache.curator.framework.recipes.barriers.DistributedBarrier;
import org.apache.curator.framework.recipes.barriers.DistributedDoubleBarrier;
import org.apache.curator.framework.recipes.cache.CuratorCache;
import org.apache.curator.framework.recipes.cache.CuratorCacheListener;
import org.apache.curator.framework.recipes.cache.NodeCache;
import org.apache.curator.framework.recipes.cache.PathChildrenCache;
import org.apache.curator.framework.recipes.cache.TreeCache;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.leader.LeaderSelector;
import org.apache.curator.framework.recipes.leader.LeaderSelectorListenerAdapter;
import org.apache.curator.framework.recipes.locks.InterProcessMultiLock;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.locks.InterProcessReadWriteLock;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreMutex;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreV2;
import org.apache.curator.framework.recipes.locks.Lease;
import org.apache.curator.framework.recipes.locks.Revoker;
import org.apache.curator.framework.recipes.nodes.GroupMember;
import org.apache.curator.framework.recipes.nodes.PersistentNode;
import org.apache.curator.framework.recipes.nodes.PersistentTtlNode;
import org.apache.curator.framework.recipes.queue.DistributedDelayQueue;
import org.apache.curator.framework.recipes.queue.DistributedIdQueue;
import org.apache.curator.framework.recipes.queue.DistributedPriorityQueue;
import org.apache.curator.framework.recipes.queue.DistributedQueue;
import org.apache.curator.framework.recipes.queue.QueueBuilder;
import org.apache.curator.framework.recipes.queue.QueueConsumer;
import org.apache.curator.framework.recipes.queue.QueueSerializer;
import org.apache.curator.framework.recipes.queue.SimpleDistributedQueue;
import org.apache.curator.framework.recipes.shared.SharedCount;
import org.apache.curator.framework.recipes.shared.SharedValue;
import org.apache.curator.framework.recipes.watch.PersistentWatcher;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.curator.retry.ExponentialBackoffRetry;
import org.apache.curator.utils.CloseableUtils;
import org.apache.curator.x.discovery.ServiceCache;
import org.apache.curator.x.discovery.ServiceDiscovery;
import org.apache.curator.x.discovery.ServiceDiscoveryBuilder;
import org.apache.curator.x.discovery.ServiceInstance;
import org.apache.curator.x.discovery.ServiceProvider;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.data.Stat;

/** Curator's recipes, each as its documentation shows it, with two clients where it takes two. */
public final class CuratorProgram {
    private static String hosts;
    private static final ExecutorService THREADS = Executors.newCachedThreadPool();

    private CuratorProgram() {
    }

    static CuratorFramework client() {
        CuratorFramework client = CuratorFrameworkFactory.builder()
            .connectString(hosts)
            .sessionTimeoutMs(20_000)
            .connectionTimeoutMs(15_000)
            .retryPolicy(new ExponentialBackoffRetry(100, 20))
            .build();
        client.start();
        return client;
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    static String text(byte[] data) {
        return new String(data, StandardCharsets.UTF_8);
    }

    public static void main(String[] args) throws Exception {
        hosts = args[0];
        CuratorFramework one = client();
        CuratorFramework two = client();
        framework(one);
        locks(one, two);
        elections(one, two);
        barriersAndCounters(one, two);
        caches(one, two);
        queues(one, two);
        discovery(one, two);
        restart(one, two);
        CloseableUtils.closeQuietly(one);
        CloseableUtils.closeQuietly(two);
        System.exit(0);
    }

    private static void framework(CuratorFramework client) {
        Checks.check("framework: parents as containers, protection, background", () -> {
            client.create().creatingParentContainersIfNeeded().forPath("/f/a/b", bytes("x"));
            Checks.equal(text(client.getData().forPath("/f/a/b")), "x", "data");
            String path = client.create().withProtection().withMode(CreateMode.EPHEMERAL_SEQUENTIAL).forPath("/f/a/p-");
            Checks.that(path.contains("_c_"), path);
            CountDownLatch done = new CountDownLatch(1);
            client.create().inBackground((c, event) -> done.countDown()).forPath("/f/bg");
            Checks.that(done.await(20, TimeUnit.SECONDS), "background");
            client.create().idempotent().forPath("/f/idem", bytes("i"));
            client.create().idempotent().forPath("/f/idem", bytes("i"));
            client.delete().guaranteed().deletingChildrenIfNeeded().forPath("/f");
            Checks.equal(client.checkExists().forPath("/f"), null, "exists");
        });
        Checks.check("framework: transactions", () -> {
            client.create().forPath("/tx");
            Collection<CuratorTransactionResult> results = client.transaction().forOperations(
                client.transactionOp().create().withMode(CreateMode.CONTAINER).forPath("/tx/c"),
                client.transactionOp().setData().forPath("/tx", bytes("y")),
                client.transactionOp().check().withVersion(1).forPath("/tx"),
                client.transactionOp().delete().forPath("/tx/c"));
            Checks.equal(results.size(), 4, "results");
        });
        Checks.check("framework: TTL, compression, namespace", () -> {
            client.create().withTtl(100_000).withMode(CreateMode.PERSISTENT_WITH_TTL).forPath("/ttl");
            client.create().compressed().forPath("/zip", bytes("zzzzzzzzzzzzzzz"));
            Checks.equal(text(client.getData().decompressed().forPath("/zip")), "zzzzzzzzzzzzzzz", "data");
            client.usingNamespace("ns").create().forPath("/in");
            Checks.that(client.checkExists().forPath("/ns/in") != null, "exists");
        });
    }

    private static void locks(CuratorFramework one, CuratorFramework two) {
        Checks.check("InterProcessMutex: many threads, one at a time", () -> {
            AtomicInteger inside = new AtomicInteger();
            AtomicInteger done = new AtomicInteger();
            List<Future<?>> workers = new ArrayList<>();
            for (int n = 0; n < 6; n++) {
                InterProcessMutex mutex = new InterProcessMutex(n % 2 == 0 ? one : two, "/mutex");
                workers.add(THREADS.submit(() -> {
                    for (int round = 0; round < 5; round++) {
                        mutex.acquire();
                        Checks.equal(inside.incrementAndGet(), 1, "inside");
                        inside.decrementAndGet();
                        mutex.release();
                        done.incrementAndGet();
                    }
                    return null;
                }));
            }
            for (Future<?> worker : workers) {
                worker.get(60, TimeUnit.SECONDS);
            }
            Checks.equal(done.get(), 30, "rounds");
        });
        Checks.check("InterProcessMutex: reentrant, timeouts, revocation", () -> {
            InterProcessMutex mutex = new InterProcessMutex(one, "/reentrant");
            CountDownLatch revoked = new CountDownLatch(1);
            mutex.makeRevocable(lock -> revoked.countDown());
            mutex.acquire();
            mutex.acquire();
            Checks.that(!THREADS.submit(() -> new InterProcessMutex(two, "/reentrant").acquire(300, TimeUnit.MILLISECONDS)).get(),
                "held by the other");
            Revoker.attemptRevoke(two, mutex.getParticipantNodes().iterator().next());
            Checks.that(revoked.await(20, TimeUnit.SECONDS), "revocation");
            mutex.release();
            mutex.release();
        });
        Checks.check("InterProcessReadWriteLock", () -> {
            InterProcessReadWriteLock first = new InterProcessReadWriteLock(one, "/rw");
            InterProcessReadWriteLock second = new InterProcessReadWriteLock(two, "/rw");
            first.readLock().acquire();
            Checks.that(THREADS.submit(() -> {
                boolean read = second.readLock().acquire(10, TimeUnit.SECONDS);
                boolean write = second.writeLock().acquire(300, TimeUnit.MILLISECONDS);
                second.readLock().release();
                return read && !write;
            }).get(), "two readers, no writer");
            first.readLock().release();
            Checks.that(second.writeLock().acquire(10, TimeUnit.SECONDS), "a writer");
            second.writeLock().release();
        });
        Checks.check("InterProcessSemaphoreMutex and InterProcessMultiLock", () -> {
            InterProcessSemaphoreMutex mutex = new InterProcessSemaphoreMutex(one, "/sm");
            mutex.acquire();
            Checks.that(!new InterProcessSemaphoreMutex(two, "/sm").acquire(300, TimeUnit.MILLISECONDS), "held");
            mutex.release();
            InterProcessMultiLock multi = new InterProcessMultiLock(one, Arrays.asList("/ml1", "/ml2"));
            Checks.that(multi.acquire(10, TimeUnit.SECONDS), "both");
            Checks.that(!new InterProcessMutex(two, "/ml2").acquire(300, TimeUnit.MILLISECONDS), "the second is held");
            multi.release();
        });
        Checks.check("InterProcessSemaphoreV2", () -> {
            InterProcessSemaphoreV2 semaphore = new InterProcessSemaphoreV2(one, "/sem", 3);
            InterProcessSemaphoreV2 other = new InterProcessSemaphoreV2(two, "/sem", 3);
            Collection<Lease> leases = semaphore.acquire(3);
            Checks.equal(other.acquire(300, TimeUnit.MILLISECONDS), null, "a fourth");
            semaphore.returnLease(leases.iterator().next());
            Lease lease = other.acquire(10, TimeUnit.SECONDS);
            Checks.that(lease != null, "one that was given back");
            other.returnLease(lease);
            SharedCount count = new SharedCount(one, "/semcount", 1);
            count.start();
            InterProcessSemaphoreV2 counted = new InterProcessSemaphoreV2(two, "/sem2", count);
            Checks.that(counted.acquire(10, TimeUnit.SECONDS) != null, "by a shared count");
            Checks.equal(counted.acquire(200, TimeUnit.MILLISECONDS), null, "no second");
            count.setCount(2);
            Checks.that(counted.acquire(10, TimeUnit.SECONDS) != null, "a second after the count was raised");
            count.close();
        });
    }

    private static void elections(CuratorFramework one, CuratorFramework two) {
        Checks.check("LeaderLatch", () -> {
            List<LeaderLatch> latches = new ArrayList<>();
            for (int n = 0; n < 4; n++) {
                LeaderLatch latch = new LeaderLatch(n % 2 == 0 ? one : two, "/latch", "n" + n);
                latches.add(latch);
                latch.start();
            }
            while (!latches.isEmpty()) {
                Checks.eventually(() -> latches.stream().filter(LeaderLatch::hasLeadership).count() == 1, "one leader");
                LeaderLatch leader = latches.stream().filter(LeaderLatch::hasLeadership).findFirst().orElseThrow();
                Checks.equal(latches.get(0).getLeader().getId(), leader.getId(), "getLeader");
                Checks.equal(leader.getParticipants().size(), latches.size(), "participants");
                latches.remove(leader);
                leader.close();
            }
        });
        Checks.check("LeaderSelector", () -> {
            List<String> turns = new CopyOnWriteArrayList<>();
            CountDownLatch enough = new CountDownLatch(6);
            List<LeaderSelector> selectors = new ArrayList<>();
            AtomicInteger leading = new AtomicInteger();
            for (CuratorFramework client : Arrays.asList(one, two)) {
                String name = client == one ? "one" : "two";
                LeaderSelector selector = new LeaderSelector(client, "/selector", new LeaderSelectorListenerAdapter() {
                    @Override
                    public void takeLeadership(CuratorFramework leader) throws Exception {
                        if (leading.incrementAndGet() != 1) {
                            turns.add("two leaders");
                        }
                        turns.add(name);
                        Thread.sleep(20);
                        leading.decrementAndGet();
                        enough.countDown();
                    }
                });
                selector.autoRequeue();
                selectors.add(selector);
                selector.start();
            }
            Checks.that(enough.await(60, TimeUnit.SECONDS), "six turns");
            Checks.that(turns.contains("one") && turns.contains("two") && !turns.contains("two leaders"), turns.toString());
            for (LeaderSelector selector : selectors) {
                selector.close();
            }
        });
    }

    private static void barriersAndCounters(CuratorFramework one, CuratorFramework two) {
        Checks.check("DistributedBarrier", () -> {
            DistributedBarrier barrier = new DistributedBarrier(one, "/barrier");
            barrier.setBarrier();
            DistributedBarrier other = new DistributedBarrier(two, "/barrier");
            Checks.that(!other.waitOnBarrier(300, TimeUnit.MILLISECONDS), "it holds");
            Future<Boolean> waiting = THREADS.submit(() -> other.waitOnBarrier(20, TimeUnit.SECONDS));
            barrier.removeBarrier();
            Checks.that(waiting.get(), "it is gone");
        });
        Checks.check("DistributedDoubleBarrier", () -> {
            AtomicInteger entered = new AtomicInteger();
            List<Future<Boolean>> all = new ArrayList<>();
            for (int n = 0; n < 4; n++) {
                DistributedDoubleBarrier barrier = new DistributedDoubleBarrier(n % 2 == 0 ? one : two, "/double", 4);
                all.add(THREADS.submit(() -> {
                    boolean in = barrier.enter(20, TimeUnit.SECONDS);
                    entered.incrementAndGet();
                    return in && barrier.leave(20, TimeUnit.SECONDS) && entered.get() == 4;
                }));
            }
            for (Future<Boolean> each : all) {
                Checks.that(each.get(60, TimeUnit.SECONDS), "entered and left together");
            }
        });
        Checks.check("SharedCount and SharedValue", () -> {
            SharedCount first = new SharedCount(one, "/count", 0);
            SharedCount second = new SharedCount(two, "/count", 0);
            first.start();
            second.start();
            first.setCount(7);
            Checks.eventually(() -> second.getCount() == 7, "7");
            Checks.that(second.trySetCount(second.getVersionedValue(), 8), "from the current version");
            SharedValue value = new SharedValue(one, "/value", bytes("a"));
            value.start();
            value.setValue(bytes("b"));
            Checks.equal(text(value.getValue()), "b", "value");
            CloseableUtils.closeQuietly(first);
            CloseableUtils.closeQuietly(second);
            CloseableUtils.closeQuietly(value);
        });
        Checks.check("DistributedAtomicLong under contention", () -> {
            List<Future<?>> workers = new ArrayList<>();
            for (int n = 0; n < 4; n++) {
                PromotedToLock promoted = PromotedToLock.builder().lockPath("/atomic-lock")
                    .retryPolicy(new ExponentialBackoffRetry(10, 10)).build();
                DistributedAtomicLong number = new DistributedAtomicLong(n % 2 == 0 ? one : two, "/atomic",
                    new ExponentialBackoffRetry(10, 5), promoted);
                workers.add(THREADS.submit(() -> {
                    for (int round = 0; round < 25; round++) {
                        Checks.that(number.increment().succeeded(), "increment");
                    }
                    return null;
                }));
            }
            for (Future<?> worker : workers) {
                worker.get(60, TimeUnit.SECONDS);
            }
            DistributedAtomicLong number = new DistributedAtomicLong(one, "/atomic", new ExponentialBackoffRetry(10, 5));
            Checks.equal(number.get().postValue(), 100L, "sum");
        });
    }

    private static void caches(CuratorFramework one, CuratorFramework two) {
        Checks.check("CuratorCache", () -> {
            List<String> events = new CopyOnWriteArrayList<>();
            CountDownLatch ready = new CountDownLatch(1);
            one.create().creatingParentsIfNeeded().forPath("/cache/a", bytes("1"));
            CuratorCache cache = CuratorCache.build(two, "/cache");
            cache.listenable().addListener(CuratorCacheListener.builder()
                .forCreates(node -> events.add("+" + node.getPath()))
                .forChanges((before, after) -> events.add("=" + after.getPath() + text(after.getData())))
                .forDeletes(node -> events.add("-" + node.getPath()))
                .forInitialized(ready::countDown)
                .build());
            cache.start();
            Checks.that(ready.await(20, TimeUnit.SECONDS), "initialized");
            one.setData().forPath("/cache/a", bytes("2"));
            one.create().forPath("/cache/a/b");
            // the other server may have both behind it when the cache first looks
            Checks.eventually(() -> events.contains("+/cache/a/b"), events.toString());
            one.delete().forPath("/cache/a/b");
            Checks.eventually(() -> events.contains("-/cache/a/b"), events.toString());
            Checks.that(events.containsAll(Arrays.asList("+/cache/a", "=/cache/a2", "+/cache/a/b")), events.toString());
            Checks.equal(text(cache.get("/cache/a").orElseThrow().getData()), "2", "data");
            cache.close();
        });
        Checks.check("NodeCache, PathChildrenCache, TreeCache", () -> {
            one.create().creatingParentsIfNeeded().forPath("/old/a", bytes("1"));
            NodeCache node = new NodeCache(two, "/old/a");
            PathChildrenCache children = new PathChildrenCache(two, "/old", true);
            TreeCache tree = new TreeCache(two, "/old");
            node.start(true);
            children.start(PathChildrenCache.StartMode.BUILD_INITIAL_CACHE);
            tree.start();
            Checks.equal(text(node.getCurrentData().getData()), "1", "data");
            Checks.equal(children.getCurrentData().size(), 1, "children");
            one.setData().forPath("/old/a", bytes("2"));
            one.create().forPath("/old/b");
            Checks.eventually(() -> text(node.getCurrentData().getData()).equals("2"), "node");
            Checks.eventually(() -> children.getCurrentData().size() == 2, "children");
            Checks.eventually(() -> tree.getCurrentChildren("/old") != null && tree.getCurrentChildren("/old").size() == 2, "tree");
            node.close();
            children.close();
            tree.close();
        });
        Checks.check("PersistentWatcher", () -> {
            List<String> seen = new CopyOnWriteArrayList<>();
            one.create().forPath("/pw");
            PersistentWatcher watcher = new PersistentWatcher(two, "/pw", true);
            CountDownLatch ready = new CountDownLatch(1);
            watcher.getResetListenable().addListener(ready::countDown);
            watcher.getListenable().addListener(event -> seen.add(event.getType() + event.getPath()));
            watcher.start();
            Checks.that(ready.await(20, TimeUnit.SECONDS), "set");
            one.create().forPath("/pw/a");
            one.delete().forPath("/pw/a");
            Checks.eventually(() -> seen.contains("NodeDeleted/pw/a"), seen.toString());
            Checks.equal(seen.get(0), "NodeCreated/pw/a", "event");
            watcher.close();
        });
        Checks.check("PersistentNode, PersistentTtlNode, GroupMember", () -> {
            PersistentNode node = new PersistentNode(one, CreateMode.EPHEMERAL, false, "/pn", bytes("x"));
            node.start();
            Checks.that(node.waitForInitialCreate(20, TimeUnit.SECONDS), "created");
            two.delete().forPath("/pn");
            Checks.eventually(() -> exists(two, "/pn"), "it comes back");
            node.close();
            Checks.eventually(() -> !exists(two, "/pn"), "it goes");
            PersistentTtlNode ttl = new PersistentTtlNode(one, "/ptn", 10_000, bytes("x"));
            ttl.start();
            Checks.that(ttl.waitForInitialCreate(20, TimeUnit.SECONDS), "created");
            ttl.close();
            GroupMember first = new GroupMember(one, "/group", "one", bytes("1"));
            GroupMember second = new GroupMember(two, "/group", "two", bytes("2"));
            first.start();
            second.start();
            Checks.eventually(() -> first.getCurrentMembers().size() == 2, "two members");
            second.close();
            Checks.eventually(() -> first.getCurrentMembers().size() == 1, "one member");
            first.close();
        });
    }

    private static boolean exists(CuratorFramework client, String path) {
        try {
            return client.checkExists().forPath(path) != null;
        } catch (Exception problem) {
            throw new IllegalStateException(problem);
        }
    }

    static final class Collector implements QueueConsumer<String> {
        final BlockingQueue<String> items = new LinkedBlockingQueue<>();

        @Override
        public void consumeMessage(String message) {
            items.add(message);
        }

        @Override
        public void stateChanged(CuratorFramework client, ConnectionState state) {
        }

        String next() throws InterruptedException {
            return items.poll(20, TimeUnit.SECONDS);
        }
    }

    private static final QueueSerializer<String> STRINGS = new QueueSerializer<>() {
        @Override
        public byte[] serialize(String item) {
            return bytes(item);
        }

        @Override
        public String deserialize(byte[] data) {
            return text(data);
        }
    };

    private static void queues(CuratorFramework one, CuratorFramework two) {
        Checks.check("DistributedQueue, in order", () -> {
            Collector collector = new Collector();
            DistributedQueue<String> consumer = QueueBuilder.builder(two, collector, STRINGS, "/queue").lockPath("/qlock").buildQueue();
            DistributedQueue<String> producer = QueueBuilder.builder(one, null, STRINGS, "/queue").buildQueue();
            producer.start();
            for (int n = 0; n < 50; n++) {
                producer.put("item" + n);
            }
            producer.flushPuts(20, TimeUnit.SECONDS);
            consumer.start();
            for (int n = 0; n < 50; n++) {
                Checks.equal(collector.next(), "item" + n, "item");
            }
            producer.close();
            consumer.close();
        });
        Checks.check("DistributedPriorityQueue, DistributedIdQueue, DistributedDelayQueue", () -> {
            DistributedPriorityQueue<String> producer = QueueBuilder.builder(one, null, STRINGS, "/pq").buildPriorityQueue(0);
            producer.start();
            producer.put("low", 9);
            producer.put("high", 1);
            producer.put("middle", 5);
            producer.flushPuts(20, TimeUnit.SECONDS);
            Collector collector = new Collector();
            DistributedPriorityQueue<String> consumer = QueueBuilder.builder(two, collector, STRINGS, "/pq").buildPriorityQueue(0);
            consumer.start();
            Checks.equal(Arrays.asList(collector.next(), collector.next(), collector.next()),
                Arrays.asList("high", "middle", "low"), "items");
            producer.close();
            consumer.close();
            Collector ids = new Collector();
            DistributedIdQueue<String> idQueue = QueueBuilder.builder(one, ids, STRINGS, "/idq").buildIdQueue();
            idQueue.start();
            idQueue.put("a", "id-a");
            Checks.equal(ids.next(), "a", "item");
            idQueue.close();
            Collector late = new Collector();
            DistributedDelayQueue<String> delay = QueueBuilder.builder(one, late, STRINGS, "/delay").buildDelayQueue();
            delay.start();
            long start = System.currentTimeMillis();
            delay.put("later", start + 700);
            Checks.equal(late.next(), "later", "item");
            Checks.that(System.currentTimeMillis() - start >= 600, "not before its time");
            delay.close();
        });
        Checks.check("SimpleDistributedQueue", () -> {
            SimpleDistributedQueue queue = new SimpleDistributedQueue(one, "/simple");
            SimpleDistributedQueue other = new SimpleDistributedQueue(two, "/simple");
            Future<byte[]> taken = THREADS.submit(other::take);
            queue.offer(bytes("first"));
            Checks.equal(text(taken.get(20, TimeUnit.SECONDS)), "first", "item");
            queue.offer(bytes("second"));
            Checks.equal(text(other.peek()), "second", "peek");
            Checks.equal(text(other.poll(10, TimeUnit.SECONDS)), "second", "poll");
            Checks.equal(other.poll(), null, "nothing left");
        });
    }

    private static void discovery(CuratorFramework one, CuratorFramework two) {
        Checks.check("discovery: register, find, cache, unregister", () -> {
            ServiceInstance<Void> first = ServiceInstance.<Void>builder().name("web").address("10.0.0.1").port(80).build();
            ServiceInstance<Void> second = ServiceInstance.<Void>builder().name("web").address("10.0.0.2").port(80).build();
            ServiceDiscovery<Void> server = ServiceDiscoveryBuilder.builder(Void.class).basePath("/services").client(one).thisInstance(first).build();
            ServiceDiscovery<Void> seeker = ServiceDiscoveryBuilder.builder(Void.class).basePath("/services").client(two).build();
            server.start();
            seeker.start();
            Checks.equal(seeker.queryForNames(), Collections.singletonList("web"), "names");
            Checks.equal(seeker.queryForInstances("web").iterator().next().getAddress(), "10.0.0.1", "address");
            ServiceCache<Void> cache = seeker.serviceCacheBuilder().name("web").build();
            cache.start();
            ServiceProvider<Void> provider = seeker.serviceProviderBuilder().serviceName("web").build();
            provider.start();
            server.registerService(second);
            Checks.eventually(() -> cache.getInstances().size() == 2, "two instances");
            Checks.that(provider.getInstance() != null, "an instance");
            server.unregisterService(second);
            Checks.eventually(() -> cache.getInstances().size() == 1, "one instance");
            CloseableUtils.closeQuietly(provider);
            CloseableUtils.closeQuietly(cache);
            server.close();
            Checks.eventually(() -> {
                try {
                    return seeker.queryForInstances("web").isEmpty();
                } catch (Exception problem) {
                    throw new IllegalStateException(problem);
                }
            }, "no instance");
            seeker.close();
        });
    }

    private static void restart(CuratorFramework one, CuratorFramework two) {
        Checks.check("the server is killed: locks, latches, caches and counters go on", () -> {
            AtomicReference<ConnectionState> state = new AtomicReference<>();
            List<ConnectionState> states = new CopyOnWriteArrayList<>();
            one.getConnectionStateListenable().addListener((client, next) -> {
                states.add(next);
                state.set(next);
            });
            InterProcessMutex mutex = new InterProcessMutex(one, "/r-lock");
            mutex.acquire();
            LeaderLatch latch = new LeaderLatch(two, "/r-latch", "two");
            latch.start();
            Checks.that(latch.await(20, TimeUnit.SECONDS), "leader");
            SharedCount count = new SharedCount(two, "/r-count", 1);
            count.start();
            one.create().forPath("/r-cache");
            CuratorCache cache = CuratorCache.build(two, "/r-cache");
            cache.start();
            long session = one.getZookeeperClient().getZooKeeper().getSessionId();
            Checks.restartServer();
            Checks.eventually(() -> state.get() == ConnectionState.RECONNECTED, "RECONNECTED, saw " + states);
            Checks.that(!states.contains(ConnectionState.LOST), states.toString());
            Checks.equal(one.getZookeeperClient().getZooKeeper().getSessionId(), session, "session");
            Checks.that(mutex.isAcquiredInThisProcess(), "the mutex");
            Checks.that(!THREADS.submit(() -> new InterProcessMutex(two, "/r-lock").acquire(500, TimeUnit.MILLISECONDS)).get(),
                "the mutex is still held");
            mutex.release();
            Checks.eventually(latch::hasLeadership, "the leader leads again");
            one.create().forPath("/r-cache/a", bytes("x"));
            Checks.eventually(() -> cache.get("/r-cache/a").isPresent(), "the cache");
            Stat stat = one.checkExists().forPath("/r-count");
            one.setData().withVersion(stat.getVersion()).forPath("/r-count", new byte[] {0, 0, 0, 9});
            Checks.eventually(() -> count.getCount() == 9, "the count");
            cache.close();
            latch.close();
            count.close();
        });
    }
}
