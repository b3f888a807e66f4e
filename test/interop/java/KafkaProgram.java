import java.time.Duration;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;

/** Produces and consumes 10,000 records through a broker whose ZooKeeper is killed half way, while records go on. */
public final class KafkaProgram {
    private static final int RECORDS = 10_000;
    private static String broker;

    private KafkaProgram() {
    }

    private static Properties properties() {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", broker);
        properties.put("key.serializer", "org.apache.kafka.common.serialization.StringSerializer");
        properties.put("value.serializer", "org.apache.kafka.common.serialization.StringSerializer");
        properties.put("key.deserializer", "org.apache.kafka.common.serialization.StringDeserializer");
        properties.put("value.deserializer", "org.apache.kafka.common.serialization.StringDeserializer");
        properties.put("acks", "all");
        properties.put("auto.offset.reset", "earliest");
        properties.put("group.id", "interop");
        properties.put("enable.auto.commit", "false");
        return properties;
    }

    private static void createTopic(Admin admin, String name, int partitions) throws Exception {
        long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
        for (;;) {
            try {
                admin.createTopics(Collections.singletonList(new NewTopic(name, Optional.of(partitions), Optional.of((short) 1))))
                    .all().get(30, TimeUnit.SECONDS);
                return;
            } catch (ExecutionException problem) {
                if (String.valueOf(problem.getCause()).contains("TopicExists")) {
                    return;
                }
                if (System.nanoTime() > until) {
                    throw problem;
                }
                Thread.sleep(500);
            }
        }
    }

    private static Set<String> consume(int expected) {
        Set<String> seen = new HashSet<>();
        try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(properties())) {
            List<TopicPartition> partitions = List.of(new TopicPartition("interop", 0),
                new TopicPartition("interop", 1), new TopicPartition("interop", 2));
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
            while (seen.size() < expected && System.nanoTime() < until) {
                ConsumerRecords<String, String> records = consumer.poll(Duration.ofMillis(500));
                for (ConsumerRecord<String, String> record : records) {
                    seen.add(record.value());
                }
            }
        }
        return seen;
    }

    private static void produce(int from, int to, Runnable middle) throws Exception {
        Thread meanwhile = new Thread(middle);
        AtomicInteger failed = new AtomicInteger();
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(properties())) {
            for (int n = from; n < to; n++) {
                producer.send(new ProducerRecord<>("interop", "key" + n, "record" + n), (meta, problem) -> {
                    if (problem != null) {
                        failed.incrementAndGet();
                    }
                });
                if (n == (from + to) / 2) {
                    producer.flush();
                    meanwhile.start();
                }
                if (meanwhile.isAlive()) {
                    Thread.sleep(1);
                }
            }
            meanwhile.join();
            producer.flush();
        }
        Checks.equal(failed.get(), 0, "records that failed");
    }

    public static void main(String[] args) throws Exception {
        broker = args[1];
        try (Admin admin = Admin.create(properties())) {
            Checks.check("a topic is created", () -> createTopic(admin, "interop", 3));
            Checks.check("10,000 records, ZooKeeper killed in the middle", () -> produce(0, RECORDS, () -> {
                try {
                    Checks.restartServer();
                } catch (Exception problem) {
                    throw new IllegalStateException(problem);
                }
            }));
            Checks.check("nothing is lost", () -> Checks.equal(consume(RECORDS).size(), RECORDS, "records"));
            Checks.check("the broker takes a new topic and deletes an old one", () -> {
                createTopic(admin, "after", 1);
                admin.deleteTopics(Collections.singletonList("after")).all().get(60, TimeUnit.SECONDS);
            });
            Checks.check("a consumer group", () -> {
                try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(properties())) {
                    consumer.subscribe(Collections.singletonList("interop"));
                    int seen = 0;
                    long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
                    while (seen < RECORDS && System.nanoTime() < until) {
                        seen += consumer.poll(Duration.ofMillis(500)).count();
                    }
                    consumer.commitSync();
                    Checks.equal(seen, RECORDS, "records");
                }
            });
        }
        System.exit(0);
    }
}
