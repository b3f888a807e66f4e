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

/** Apache's Java client by Kerberos, beside ours: it reads what ours wrote, and leaves what ours is to read. */
public final class KerberosProgram {
    private static String hosts;
    private static String realm;

    private KerberosProgram() {
    }

    /** A client, and what it has heard of its connection. */
    static final class Session implements Watcher, AutoCloseable {
        final CountDownLatch connected = new CountDownLatch(1);
        final CountDownLatch loggedIn = new CountDownLatch(1);
        final CountDownLatch refused = new CountDownLatch(1);
        final ZooKeeper zk;

        /** `section` of the login file; null: without a login. */
        Session(String section, String service) throws Exception {
            ZKClientConfig config = new ZKClientConfig();
            config.setProperty(ZKClientConfig.ENABLE_CLIENT_SASL_KEY, String.valueOf(section != null));
            config.setProperty("zookeeper.server.principal", service);
            if (section != null) {
                config.setProperty(ZKClientConfig.LOGIN_CONTEXT_NAME_KEY, section);
            }
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

    static Session user(String section) throws Exception {
        Session session = new Session(section, "zookeeper/localhost");
        await(session.connected, "connected");
        if (section != null) {
            await(session.loggedIn, "logged in");
        }
        return session;
    }

    static String identities(Session session) throws Exception {
        // Apache's are in no order
        TreeSet<String> all = new TreeSet<>();
        for (ClientInfo info : session.zk.whoAmI()) {
            all.add(info.getAuthScheme() + ":" + info.getUser());
        }
        return String.join(" ", all);
    }

    static List<ACL> only(String id) {
        return Arrays.asList(new ACL(Perms.ALL, new Id("sasl", id)));
    }

    static void reads(Session session, String path) throws Exception {
        byte[] data = session.zk.getData(path, false, null);
        Checks.equal(new String(data, StandardCharsets.UTF_8), path, "data of " + path);
    }

    static void refused(Session session, String path) throws Exception {
        try {
            session.zk.getData(path, false, null);
        } catch (KeeperException.NoAuthException expected) {
            return;
        }
        throw new AssertionError(path + " was read");
    }

    public static void main(String[] args) throws Exception {
        hosts = args[0];
        realm = args[1];
        String alice = "alice@" + realm;
        for (String section : new String[] {"AliceByTicket", "AliceByKeytab"}) {
            Checks.check(section + " is who she is for our client, and reads what ours wrote", () -> {
                try (Session session = user(section)) {
                    Checks.equal(identities(session), "ip:127.0.0.1 sasl:" + alice, "whoAmI");
                    reads(session, "/our-alice");
                    reads(session, "/our-own");
                }
            });
        }
        Checks.check("she leaves what is hers", () -> {
            try (Session session = user("AliceByTicket")) {
                byte[] data = "/java-alice".getBytes(StandardCharsets.UTF_8);
                session.zk.create("/java-alice", data, only(alice), CreateMode.PERSISTENT);
                byte[] own = "/java-own".getBytes(StandardCharsets.UTF_8);
                session.zk.create("/java-own", own, Ids.CREATOR_ALL_ACL, CreateMode.PERSISTENT);
                Checks.equal(session.zk.getACL("/java-own", null).toString(), only(alice).toString(), "auth");
            }
        });
        Checks.check("others may not read it, the super user may", () -> {
            try (Session bob = user("BobByKeytab"); Session nobody = user(null)) {
                refused(bob, "/our-alice");
                refused(nobody, "/our-alice");
            }
            try (Session admin = user("AdminByKeytab")) {
                reads(admin, "/our-alice");
                Checks.equal(identities(admin), "ip:127.0.0.1 sasl:admin@" + realm + " super:", "whoAmI");
            }
        });
        Checks.check("a service that the KDC does not know is refused", () -> {
            try (Session wrong = new Session("AliceByTicket", "zk/localhost")) {
                await(wrong.refused, "refused");
            }
        });
        System.exit(0);
    }
}
