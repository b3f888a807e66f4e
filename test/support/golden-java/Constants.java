import java.lang.reflect.Field;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.ZooDefs;

/** The tables of numbers: operations, errors, modes, events. */
final class Constants {
    private Constants() {
    }

    static Map<String, Object> all() throws Exception {
        Map<String, Object> all = new LinkedHashMap<>();
        all.put("opCodes", intsOf(ZooDefs.OpCode.class));
        all.put("perms", intsOf(ZooDefs.Perms.class));
        all.put("addWatchModes", intsOf(ZooDefs.AddWatchModes.class));
        all.put("errors", errors());
        all.put("createModes", createModes());
        Map<String, Object> events = new LinkedHashMap<>();
        for (Watcher.Event.EventType type : Watcher.Event.EventType.values()) {
            events.put(type.name(), type.getIntValue());
        }
        all.put("eventTypes", events);
        Map<String, Object> states = new LinkedHashMap<>();
        for (Watcher.Event.KeeperState state : Watcher.Event.KeeperState.values()) {
            states.put(state.name(), state.getIntValue());
        }
        all.put("keeperStates", states);
        Map<String, Object> watchers = new LinkedHashMap<>();
        for (Watcher.WatcherType type : Watcher.WatcherType.values()) {
            watchers.put(type.name(), type.getIntValue());
        }
        all.put("watcherTypes", watchers);
        return all;
    }

    private static Map<String, Object> intsOf(Class<?> holder) throws IllegalAccessException {
        Map<String, Object> values = new LinkedHashMap<>();
        for (Field field : holder.getFields()) {
            if (field.getType() == int.class) {
                values.put(field.getName(), field.getInt(null));
            }
        }
        return values;
    }

    private static List<Object> errors() {
        List<Object> errors = new ArrayList<>();
        for (KeeperException.Code code : KeeperException.Code.values()) {
            Map<String, Object> error = new LinkedHashMap<>();
            error.put("code", code.intValue());
            error.put("name", code.name());
            error.put("message", messageOf(code));
            errors.add(error);
        }
        return errors;
    }

    /** Null for a code that Apache cannot make an exception of. */
    private static String messageOf(KeeperException.Code code) {
        try {
            return KeeperException.create(code).getMessage();
        } catch (IllegalArgumentException none) {
            return null;
        }
    }

    private static Map<String, Object> createModes() {
        Map<String, Object> modes = new LinkedHashMap<>();
        for (CreateMode mode : CreateMode.values()) {
            Map<String, Object> one = new LinkedHashMap<>();
            one.put("flags", mode.toFlag());
            one.put("ephemeral", mode.isEphemeral());
            one.put("sequential", mode.isSequential());
            one.put("container", mode.isContainer());
            one.put("ttl", mode.isTTL());
            modes.put(mode.name(), one);
        }
        return modes;
    }
}
