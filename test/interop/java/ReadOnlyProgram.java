import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.WatchedEvent;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.Watcher.Event.EventType;
import org.apache.zookeeper.Watcher.Event.KeeperState;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooKeeper;

/** Apache's Java client with canBeReadOnly, while two servers of three go and come back. */
public final class ReadOnlyProgram {
    private static String hosts;

    private ReadOnlyProgram() {
    }

    static final class States implements Watcher {
        private final List<KeeperState> states = new ArrayList<>();
        private final List<String> events = new ArrayList<>();

        @Override
        public synchronized void process(WatchedEvent event) {
            if (event.getType() == EventType.None) {
                states.add(event.getState());
            } else {
                events.add(event.getType() + " " + event.getPath());
            }
        }

        synchronized boolean has(KeeperState state) {
            return states.contains(state);
        }

        synchronized boolean isLast(KeeperState state) {
            return !states.isEmpty() && states.get(states.size() - 1) == state;
        }

        synchronized boolean heard(String event) {
            return events.contains(event);
        }
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    public static void main(String[] args) throws Exception {
        hosts = args[0];
        States states = new States();
        ZooKeeper before = new ZooKeeper(hosts, 20_000, states, true);
        Checks.check("it connects to an ensemble as everybody", () -> {
            Checks.eventually(() -> states.isLast(KeeperState.SyncConnected), "connected");
            before.create("/kept", bytes("old"), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        });
        Checks.restartServer();
        States lonely = new States();
        ZooKeeper[] alone = new ZooKeeper[1];
        Checks.check("a new client reads without a quorum", () -> {
            alone[0] = new ZooKeeper(hosts, 20_000, lonely, true);
            Checks.eventually(() -> lonely.isLast(KeeperState.ConnectedReadOnly), "read-only");
            Checks.equal(alone[0].getState(), ZooKeeper.States.CONNECTEDREADONLY, "state");
            byte[] data = alone[0].getData("/kept", true, null);
            Checks.equal(new String(data, StandardCharsets.UTF_8), "old", "data");
            Checks.that(alone[0].getChildren("/", false).contains("kept"), "children");
        });
        Checks.check("its writes are refused", () -> {
            try {
                alone[0].setData("/kept", bytes("new"), -1);
                Checks.that(false, "a write without a quorum");
            } catch (KeeperException.NotReadOnlyException expected) {
                Checks.equal(alone[0].getState(), ZooKeeper.States.CONNECTEDREADONLY, "state");
            }
        });
        Checks.check("a client that must write finds nobody", () -> {
            States strict = new States();
            ZooKeeper writer = new ZooKeeper(hosts, 20_000, strict, false);
            Thread.sleep(2_000);
            Checks.that(!strict.has(KeeperState.SyncConnected), "connected without a quorum");
            Checks.that(!strict.has(KeeperState.ConnectedReadOnly), "connected read-only");
            writer.close(2_000);
        });
        Checks.restartServer();
        Checks.check("it goes on to a server that writes", () -> {
            Checks.eventually(() -> lonely.isLast(KeeperState.SyncConnected), "connected to a quorum");
            alone[0].setData("/kept", bytes("new"), -1);
            Checks.eventually(() -> lonely.heard("NodeDataChanged /kept"), "the watch set read-only");
            Checks.that(!lonely.has(KeeperState.Expired), "it expired");
        });
        Checks.check("it may now own an ephemeral", () -> {
            alone[0].create("/mine", null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
            Checks.equal(alone[0].exists("/mine", false).getEphemeralOwner(), alone[0].getSessionId(), "owner");
        });
        alone[0].close();
        before.close(2_000);
    }
}
