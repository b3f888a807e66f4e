import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.TreeSet;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.WatchedEvent;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.Watcher.Event.KeeperState;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooDefs.Perms;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.client.ZKClientConfig;
import org.apache.zookeeper.data.ACL;
import org.apache.zookeeper.data.ClientInfo;
import org.apache.zookeeper.data.Id;

/** Apache's Java client, by SASL (DIGEST-MD5) and by TLS with certificates. */
public final class SecurityProgram {
    private static String plain;
    private static String secure;
    private static String folder;

    private SecurityProgram() {
    }

    /** A client, and what it has heard of its connection. */
    static final class Session implements Watcher, AutoCloseable {
        final CountDownLatch connected = new CountDownLatch(1);
        final CountDownLatch loggedIn = new CountDownLatch(1);
        final CountDownLatch refused = new CountDownLatch(1);
        final ZooKeeper zk;

        Session(String hosts, ZKClientConfig config) throws Exception {
            zk = new ZooKeeper(hosts, 20_000, this, config);
        }

        @Override
        public void process(WatchedEvent event) {
            if (event.getState() == KeeperState.SyncConnected) {
                connected.countDown();
            } else if (event.getState() == KeeperState.SaslAuthenticated) {
                loggedIn.countDown();
            } else if (event.getState() == KeeperState.AuthFailed) {
                refused.countDown();
            }
        }

        @Override
        public void close() throws InterruptedException {
            zk.close();
        }
    }

    static void await(CountDownLatch latch, String what) throws InterruptedException {
        Checks.that(latch.await(20, TimeUnit.SECONDS), "in vain: " + what);
    }

    static ZKClientConfig config(String section) {
        ZKClientConfig config = new ZKClientConfig();
        config.setProperty("zookeeper.fips-mode", "false");
        config.setProperty(ZKClientConfig.ENABLE_CLIENT_SASL_KEY, String.valueOf(section != null));
        if (section != null) {
            config.setProperty(ZKClientConfig.LOGIN_CONTEXT_NAME_KEY, section);
        }
        return config;
    }

    static Session user(String section) throws Exception {
        Session session = new Session(plain, config(section));
        await(session.connected, "connected");
        if (section != null) {
            await(session.loggedIn, "logged in");
        }
        return session;
    }

    static Session certificate(String name) throws Exception {
        ZKClientConfig config = config(null);
        config.setProperty("zookeeper.client.secure", "true");
        config.setProperty("zookeeper.clientCnxnSocket", "org.apache.zookeeper.ClientCnxnSocketNetty");
        config.setProperty("zookeeper.ssl.trustStore.location", folder + "/ca.p12");
        config.setProperty("zookeeper.ssl.trustStore.password", "secret");
        if (name != null) {
            config.setProperty("zookeeper.ssl.keyStore.location", folder + "/" + name + ".pem");
        }
        return new Session(secure, config);
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    static List<ACL> only(String scheme, String id) {
        return Arrays.asList(new ACL(Perms.ALL, new Id(scheme, id)));
    }

    static void refused(Session session, String path) throws Exception {
        try {
            session.zk.getData(path, false, null);
        } catch (KeeperException.NoAuthException expected) {
            return;
        }
        throw new AssertionError(path + " was read");
    }

    static void reads(Session session, String path, String expected) throws Exception {
        byte[] data = session.zk.getData(path, false, null);
        Checks.equal(new String(data, StandardCharsets.UTF_8), expected, path);
    }

    static String identities(Session session) throws Exception {
        // Apache's are in no order
        TreeSet<String> all = new TreeSet<>();
        for (ClientInfo info : session.zk.whoAmI()) {
            all.add(info.getAuthScheme() + ":" + info.getUser());
        }
        return String.join(" ", all);
    }

    static void sasl() throws Exception {
        Checks.check("bob logs in and creates what is his alone", () -> {
            try (Session bob = user("Bob")) {
                bob.zk.create("/java-bob", bytes("b"), only("sasl", "bob"), CreateMode.PERSISTENT);
                reads(bob, "/java-bob", "b");
                Checks.equal(identities(bob), "ip:127.0.0.1 sasl:bob", "whoAmI");
                bob.zk.create("/java-own", bytes("o"), Ids.CREATOR_ALL_ACL, CreateMode.PERSISTENT);
                Checks.equal(bob.zk.getACL("/java-own", null).toString(), only("sasl", "bob").toString(), "auth");
                reads(bob, "/java-own", "o");
            }
        });
        Checks.check("nobody and others may not read it, the super user may", () -> {
            try (Session nobody = user(null)) {
                refused(nobody, "/java-bob");
            }
            try (Session eve = user("Eve")) {
                refused(eve, "/java-bob");
                refused(eve, "/java-own");
            }
            try (Session admin = user("Admin")) {
                reads(admin, "/java-bob", "b");
                Checks.equal(identities(admin), "ip:127.0.0.1 sasl:admin super:", "whoAmI");
            }
        });
        Checks.check("a wrong password and an unknown user are refused", () -> {
            for (String section : new String[] {"Wrong", "Unknown"}) {
                try (Session wrong = new Session(plain, config(section))) {
                    await(wrong.refused, "refused");
                }
            }
        });
        Checks.check("names beyond ASCII and passwords with quotes", () -> {
            try (Session odd = user("Odd")) {
                Checks.equal(identities(odd), "ip:127.0.0.1 sasl:m\u00fcller", "whoAmI");
            }
        });
        Checks.check("ids of sasl must be principals", () -> {
            try (Session bob = user("Bob")) {
                bob.zk.create("/java-principal", null, only("sasl", "zk/h@R"), CreateMode.PERSISTENT);
                try {
                    bob.zk.create("/java-no", null, only("sasl", "a@b@c"), CreateMode.PERSISTENT);
                } catch (KeeperException.InvalidACLException expected) {
                    return;
                }
                throw new AssertionError("a@b@c was taken");
            }
        });
    }

    static void tls() throws Exception {
        Checks.check("a certificate is an identity", () -> {
            try (Session alice = certificate("alice")) {
                await(alice.connected, "connected");
                String name = "CN=alice,OU=clients,O=Zabra tests,C=DE";
                alice.zk.create("/java-alice", bytes("a"), only("x509", name), CreateMode.PERSISTENT);
                reads(alice, "/java-alice", "a");
                Checks.equal(identities(alice), "ip:127.0.0.1 x509:" + name, "whoAmI");
                alice.zk.create("/java-alices", null, Ids.CREATOR_ALL_ACL, CreateMode.PERSISTENT);
                Checks.equal(alice.zk.getACL("/java-alices", null).toString(), only("x509", name).toString(), "auth");
            }
        });
        Checks.check("others may not, whatever their names look like; the super user may", () -> {
            try (Session odd = certificate("odd")) {
                await(odd.connected, "connected");
                refused(odd, "/java-alice");
                odd.zk.create("/java-odd", bytes("o"), Ids.CREATOR_ALL_ACL, CreateMode.PERSISTENT);
                reads(odd, "/java-odd", "o");
            }
            try (Session nobody = user(null)) {
                refused(nobody, "/java-alice");
                refused(nobody, "/java-odd");
            }
            try (Session server = certificate("server")) {
                await(server.connected, "connected");
                reads(server, "/java-alice", "a");
            }
        });
        Checks.check("without a certificate, or with one of a stranger, nobody comes in", () -> {
            try (Session nobody = certificate(null); Session mallory = certificate("mallory")) {
                Checks.that(!nobody.connected.await(3, TimeUnit.SECONDS), "nobody came in");
                Checks.equal(mallory.connected.getCount(), 1L, "mallory came in");
            }
        });
        Checks.check("ids of x509 must be names", () -> {
            try (Session alice = certificate("alice")) {
                await(alice.connected, "connected");
                try {
                    alice.zk.create("/java-no", null, only("x509", "alice"), CreateMode.PERSISTENT);
                } catch (KeeperException.InvalidACLException expected) {
                    return;
                }
                throw new AssertionError("it was taken");
            }
        });
        Checks.check("much data goes through", () -> {
            try (Session alice = certificate("alice")) {
                await(alice.connected, "connected");
                byte[] large = new byte[900_000];
                Arrays.fill(large, (byte) 7);
                alice.zk.create("/java-large", large, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
                Checks.that(Arrays.equals(alice.zk.getData("/java-large", false, null), large), "another");
                for (int i = 0; i < 500; i++) {
                    alice.zk.setData("/java-alice", bytes("a" + i), -1);
                }
                reads(alice, "/java-alice", "a499");
                alice.zk.setData("/java-alice", bytes("a"), -1);
            }
        });
    }

    public static void main(String[] args) throws Exception {
        plain = args[0];
        secure = args[1];
        folder = args[2];
        sasl();
        tls();
        System.exit(0);
    }
}
