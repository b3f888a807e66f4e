import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeSet;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.retry.ExponentialBackoffRetry;
import org.apache.curator.x.discovery.ServiceCache;
import org.apache.curator.x.discovery.ServiceDiscovery;
import org.apache.curator.x.discovery.ServiceDiscoveryBuilder;
import org.apache.curator.x.discovery.ServiceInstance;
import org.apache.curator.x.discovery.ServiceInstanceBuilder;
import org.apache.curator.x.discovery.ServiceProvider;
import org.apache.curator.x.discovery.UriSpec;
import org.apache.curator.x.discovery.details.JsonInstanceSerializer;

/** Curator's service discovery, told what to do line by line: each command is answered with one line. */
public final class DiscoveryProgram {
    private static final Map<String, ServiceInstance<Void>> PLAIN = new HashMap<>();
    private static ServiceDiscovery<Void> plain;
    @SuppressWarnings("rawtypes")
    private static ServiceDiscovery<Map> rich;
    private static ServiceCache<Void> cache;
    private static ServiceProvider<Void> provider;

    private DiscoveryProgram() {
    }

    public static void main(String[] args) throws Exception {
        CuratorFramework client = CuratorFrameworkFactory.builder()
            .connectString(args[0])
            .sessionTimeoutMs(6_000)
            .connectionTimeoutMs(15_000)
            .retryPolicy(new ExponentialBackoffRetry(100, 20))
            .build();
        client.start();
        // unless told otherwise, Curator does not write whether an instance is enabled (CURATOR-275)
        plain = ServiceDiscoveryBuilder.builder(Void.class).basePath("/services").client(client)
            .serializer(new JsonInstanceSerializer<>(Void.class, false)).build();
        plain.start();
        rich = ServiceDiscoveryBuilder.builder(Map.class).basePath("/services").client(client).build();
        rich.start();
        cache = plain.serviceCacheBuilder().name("plain").build();
        cache.start();
        provider = plain.serviceProviderBuilder().serviceName("plain").build();
        provider.start();
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
        switch (words[0]) {
            case "register-plain":
                return registerPlain(words[1], Integer.parseInt(words[2]));
            case "register-rich":
                return registerRich(words[1], Integer.parseInt(words[2]), Integer.parseInt(words[3]));
            case "disable":
                plain.updateService(plainOf(words[1], PLAIN.get(words[1]).getPort(), false));
                return "done";
            case "unregister":
                plain.unregisterService(PLAIN.get(words[1]));
                return "done";
            case "names":
                return new TreeSet<>(plain.queryForNames()).toString();
            case "plain":
                return describe(plain.queryForInstances("plain"));
            case "cache":
                return describe(cache.getInstances());
            case "rich":
                return describe(rich.queryForInstances("rich"));
            case "uri":
                return plain.queryForInstance("plain", words[1]).buildUriSpec();
            case "provide":
                ServiceInstance<Void> instance = provider.getInstance();
                return instance == null ? "none" : instance.getId();
            default:
                throw new IllegalArgumentException(words[0]);
        }
    }

    private static String registerPlain(String id, int port) throws Exception {
        PLAIN.put(id, plainOf(id, port, true));
        plain.registerService(PLAIN.get(id));
        return "done";
    }

    private static ServiceInstance<Void> plainOf(String id, int port, boolean isEnabled) throws Exception {
        return ServiceInstance.<Void>builder()
            .name("plain").id(id).address("10.0.0.1").port(port).sslPort(port + 1).enabled(isEnabled)
            .uriSpec(new UriSpec("{scheme}://{address}:{port}/{name}"))
            .build();
    }

    @SuppressWarnings("rawtypes")
    private static String registerRich(String id, int port, int weight) throws Exception {
        Map<String, Object> metadata = new HashMap<>();
        metadata.put("zone", "b");
        Map<String, Object> payload = new HashMap<>();
        payload.put("weight", weight);
        payload.put("metadata", metadata);
        ServiceInstanceBuilder<Map> builder = ServiceInstance.<Map>builder();
        rich.registerService(builder.name("rich").id(id).address("10.0.0.2").port(port).payload(payload).build());
        return "done";
    }

    private static <T> String describe(Collection<ServiceInstance<T>> instances) {
        TreeSet<String> lines = new TreeSet<>();
        for (ServiceInstance<T> one : instances) {
            String payload = "-";
            if (one.getPayload() instanceof Map) {
                Map<?, ?> map = (Map<?, ?>) one.getPayload();
                payload = map.get("weight") + "/" + map.get("metadata");
            }
            lines.add(one.getName() + "/" + one.getId() + "@" + one.getAddress() + ":" + one.getPort() + ":"
                + one.getSslPort() + " " + one.getServiceType() + " " + (one.isEnabled() ? "on" : "off") + " " + payload);
        }
        return lines.toString();
    }
}
