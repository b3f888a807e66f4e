import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.util.function.BooleanSupplier;

/** Named checks, one line each on standard output; and a way to ask for a restart of the server. */
final class Checks {
    interface Check {
        void run() throws Exception;
    }

    private static final BufferedReader INPUT = new BufferedReader(new InputStreamReader(System.in));

    private Checks() {
    }

    static void check(String name, Check check) {
        try {
            check.run();
            say("ok " + name);
        } catch (Throwable problem) {
            StackTraceElement where = problem.getStackTrace().length > 0 ? problem.getStackTrace()[0] : null;
            for (StackTraceElement element : problem.getStackTrace()) {
                if (element.getClassName().endsWith("Program") || element.getClassName().contains("Program$")) {
                    where = element;
                    break;
                }
            }
            say("FAIL " + name + ": " + String.valueOf(problem).replace('\n', ' ') + " at " + where);
        }
    }

    static synchronized void say(String line) {
        System.out.println(line);
        System.out.flush();
    }

    /** The server is killed and started again; returns when it runs. */
    static void restartServer() throws IOException {
        say("restart");
        String answer = INPUT.readLine();
        if (!"restarted".equals(answer)) {
            throw new IOException("asked for a restart and read " + answer);
        }
    }

    static void that(boolean isTrue, String what) {
        if (!isTrue) {
            throw new AssertionError(what);
        }
    }

    static void equal(Object seen, Object expected, String what) {
        that(java.util.Objects.equals(seen, expected), what + ": expected " + expected + ", saw " + seen);
    }

    static void eventually(BooleanSupplier isTrue, String what) throws InterruptedException {
        long until = System.nanoTime() + 30_000_000_000L;
        while (!isTrue.getAsBoolean()) {
            that(System.nanoTime() < until, "in vain: " + what);
            Thread.sleep(10);
        }
    }
}
