import com.sun.management.OperatingSystemMXBean;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;

/**
 * The Java client's speed, for comparison: SendBench NAMESRV TOPIC BODY_BYTES MODE
 * MODE is sync, threads (16), async (2,000 under way), batch (32 together), oneway, one (consume
 * one by one) or many (consume by batches).
 * Each line of standard input is a count; the answer is one JSON line with the median latency
 * (sync alone), the CPU time of the whole process a message and the rate.
 */
public final class SendBench {
    private static final int THREADS = 16;
    private static final int UNDER_WAY = 2000;
    private static final int TOGETHER = 32;

    private static String namesrv;
    private static String topic;
    private static byte[] body;
    private static DefaultMQProducer producer;

    public static void main(String[] arguments) throws Exception {
        OperatingSystemMXBean process =
            (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
        namesrv = arguments[0];
        topic = arguments[1];
        body = new byte[Integer.parseInt(arguments[2])];
        String mode = arguments.length > 3 ? arguments[3] : "sync";
        Arrays.fill(body, (byte) 'x');
        producer = new DefaultMQProducer("java-bench");
        producer.setNamesrvAddr(namesrv);
        producer.setVipChannelEnabled(false);
        producer.setRetryTimesWhenSendFailed(0);
        producer.start();
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            int count = Integer.parseInt(line.trim());
            long[] took = new long[count];
            long cpu = process.getProcessCpuTime();
            long start = System.nanoTime();
            switch (mode) {
                case "sync": sync(took); break;
                case "threads": threads(count); break;
                case "async": async(count); break;
                case "batch": batch(count); break;
                case "oneway": oneway(count); break;
                case "one": consume(count, 1); break;
                case "many": consume(count, TOGETHER); break;
                default: throw new IllegalArgumentException(mode);
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

    private static void sync(long[] took) throws Exception {
        for (int index = 0; index < took.length; index++) {
            long before = System.nanoTime();
            producer.send(new Message(topic, body));
            took[index] = System.nanoTime() - before;
        }
    }

    private static void threads(int count) throws Exception {
        List<Thread> threads = new ArrayList<>();
        for (int number = 0; number < THREADS; number++) {
            Thread thread = new Thread(() -> {
                try {
                    sync(new long[count / THREADS]);
                } catch (Exception error) {
                    throw new IllegalStateException(error);
                }
            });
            thread.start();
            threads.add(thread);
        }
        for (Thread thread : threads) {
            thread.join();
        }
    }

    private static void async(int count) throws Exception {
        Semaphore room = new Semaphore(UNDER_WAY);
        for (int index = 0; index < count; index++) {
            room.acquire();
            producer.send(new Message(topic, body), new SendCallback() {
                @Override
                public void onSuccess(SendResult result) {
                    room.release();
                }

                @Override
                public void onException(Throwable error) {
                    throw new IllegalStateException(error);
                }
            });
        }
        room.acquire(UNDER_WAY);
    }

    private static void oneway(int count) throws Exception {
        for (int index = 0; index < count; index++) {
            producer.sendOneway(new Message(topic, body));
        }
    }

    private static void batch(int count) throws Exception {
        for (int index = 0; index < count; index += TOGETHER) {
            List<Message> messages = new ArrayList<>(TOGETHER);
            for (int number = 0; number < TOGETHER; number++) {
                messages.add(new Message(topic, body));
            }
            producer.send(messages);
        }
    }

    private static void consume(int count, int together) throws Exception {
        CountDownLatch missing = new CountDownLatch(count);
        DefaultMQPushConsumer consumer =
            new DefaultMQPushConsumer("java-bench-" + System.nanoTime());
        consumer.setNamesrvAddr(namesrv);
        consumer.setVipChannelEnabled(false);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.setConsumeMessageBatchMaxSize(together);
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            for (int index = 0; index < messages.size(); index++) {
                missing.countDown();
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        missing.await();
        consumer.shutdown();
    }
}
