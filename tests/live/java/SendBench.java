import com.sun.management.OperatingSystemMXBean;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.management.ManagementFactory;
import java.util.Arrays;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.message.Message;

/**
 * Sync sends from one thread, for comparison: SendBench NAMESRV TOPIC BODY_BYTES
 * Each line of standard input is a count; the answer is one JSON line with the median latency,
 * the CPU time of the whole process a message and the rate.
 */
public final class SendBench {
    public static void main(String[] arguments) throws Exception {
        OperatingSystemMXBean process =
            (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
        String topic = arguments[1];
        byte[] body = new byte[Integer.parseInt(arguments[2])];
        Arrays.fill(body, (byte) 'x');
        DefaultMQProducer producer = new DefaultMQProducer("java-bench");
        producer.setNamesrvAddr(arguments[0]);
        producer.setVipChannelEnabled(false);
        producer.setRetryTimesWhenSendFailed(0);
        producer.start();
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            int count = Integer.parseInt(line.trim());
            long[] took = new long[count];
            long cpu = process.getProcessCpuTime();
            long start = System.nanoTime();
            for (int index = 0; index < count; index++) {
                long before = System.nanoTime();
                producer.send(new Message(topic, body));
                took[index] = System.nanoTime() - before;
            }
            long wall = System.nanoTime() - start;
            long used = process.getProcessCpuTime() - cpu;
            Arrays.sort(took);
            System.out.println(new Json()
                .put("p50_us", took[count / 2] / 1e3)
                .put("cpu_us", used / 1e3 / count)
                .put("rate", count * 1e9 / wall));
        }
        producer.shutdown();
        System.exit(0);
    }
}
