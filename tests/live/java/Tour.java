import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.rocketmq.client.consumer.DefaultLitePullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.LocalTransactionState;
import org.apache.rocketmq.client.producer.TransactionListener;
import org.apache.rocketmq.client.producer.TransactionMQProducer;
import org.apache.rocketmq.client.utils.MessageUtil;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/**
 * A tour of a broker with the Java client alone, one JSON line for each thing seen: Tour NAMESRV NAME
 * NAME begins the names of its topics and groups, which nobody used before.
 */
public final class Tour {
    private static String namesrv;
    private static String name;

    /** Seconds: this client may skip its first heartbeat, and takes queues up a minute later then. */
    private static final int PATIENCE = 90;

    public static void main(String[] arguments) {
        int status = 1;
        try {
            tour(arguments);
            status = 0;
        } catch (Exception error) {
            error.printStackTrace();
        }
        System.exit(status);
    }

    private static void tour(String[] arguments) throws Exception {
        namesrv = arguments[0];
        name = arguments[1];
        DefaultMQProducer producer = new DefaultMQProducer(name + "-producers");
        producer.setNamesrvAddr(namesrv);
        producer.start();
        TransactionMQProducer transactions = transactions();
        for (String body : new String[] {"commit", "rollback", "ask-commit", "ask-rollback"}) {
            print(body, "transaction " + transactions.sendMessageInTransaction(
                message("-tx", body), null).getSendStatus());
        }
        pulled(producer);
        delayed(producer);
        ordered(producer);
        asked(producer);
        List<String> settled = new ArrayList<>();
        CountDownLatch both = new CountDownLatch(2);
        DefaultMQPushConsumer reader = reader("-tx", (messages, context) -> {
            for (MessageExt each : messages) {
                synchronized (settled) {
                    settled.add(text(each));
                }
                both.countDown();
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        boolean came = both.await(PATIENCE, TimeUnit.SECONDS);
        Thread.sleep(1000);
        reader.shutdown();
        settled.sort(null);
        print("transactions", came + " " + settled);
        transactions.shutdown();
        producer.shutdown();
    }

    private static void print(String kind, String seen) {
        System.out.println(new Json().put("kind", kind).put("seen", seen));
    }

    private static Message message(String topic, String body) {
        return new Message(name + topic, body.getBytes(StandardCharsets.UTF_8));
    }

    private static String text(MessageExt message) {
        return new String(message.getBody(), StandardCharsets.UTF_8);
    }

    private static DefaultMQPushConsumer unstarted(String topic) throws Exception {
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(name + topic + "-readers");
        consumer.setNamesrvAddr(namesrv);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.subscribe(name + topic, "*");
        return consumer;
    }

    private static DefaultMQPushConsumer reader(String topic, MessageListenerConcurrently listener)
            throws Exception {
        DefaultMQPushConsumer consumer = unstarted(topic);
        consumer.registerMessageListener(listener);
        consumer.start();
        return consumer;
    }

    private static TransactionMQProducer transactions() throws Exception {
        TransactionMQProducer producer = new TransactionMQProducer(name + "-transactions");
        producer.setNamesrvAddr(namesrv);
        producer.setTransactionListener(new TransactionListener() {
            @Override
            public LocalTransactionState executeLocalTransaction(Message message, Object argument) {
                return state(new String(message.getBody()));
            }

            @Override
            public LocalTransactionState checkLocalTransaction(MessageExt message) {
                return state(text(message).replace("ask-", ""));
            }

            private LocalTransactionState state(String body) {
                switch (body) {
                    case "commit": return LocalTransactionState.COMMIT_MESSAGE;
                    case "rollback": return LocalTransactionState.ROLLBACK_MESSAGE;
                    default: return LocalTransactionState.UNKNOW;
                }
            }
        });
        producer.start();
        return producer;
    }

    private static void pulled(DefaultMQProducer producer) throws Exception {
        for (int number = 0; number < 20; number++) {
            producer.send(message("-pull", "" + number));
        }
        DefaultLitePullConsumer consumer = new DefaultLitePullConsumer(name + "-pull-readers");
        consumer.setNamesrvAddr(namesrv);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.subscribe(name + "-pull", "*");
        consumer.start();
        List<Integer> found = new ArrayList<>();
        long limit = System.currentTimeMillis() + 30_000;
        while (found.size() < 20 && System.currentTimeMillis() < limit) {
            for (MessageExt each : consumer.poll(1000)) {
                found.add(Integer.parseInt(text(each)));
            }
        }
        consumer.commitSync();
        consumer.shutdown();
        found.sort(null);
        print("pulled", found.toString());
    }

    private static void delayed(DefaultMQProducer producer) throws Exception {
        Message level = message("-delay", "level");
        level.setDelayTimeLevel(1);
        Message timer = message("-delay", "timer");
        timer.setDelayTimeMs(1500);
        long start = System.currentTimeMillis();
        producer.send(level);
        producer.send(timer);
        List<String> early = new ArrayList<>();
        List<String> found = new ArrayList<>();
        CountDownLatch missing = new CountDownLatch(2);
        DefaultMQPushConsumer consumer = reader("-delay", (messages, context) -> {
            for (MessageExt each : messages) {
                synchronized (found) {
                    found.add(text(each));
                    if (System.currentTimeMillis() < start + 900) {
                        early.add(text(each));
                    }
                }
                missing.countDown();
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        missing.await(PATIENCE, TimeUnit.SECONDS);
        consumer.shutdown();
        found.sort(null);
        print("delayed", found + " early " + early);
    }

    private static void ordered(DefaultMQProducer producer) throws Exception {
        for (int number = 0; number < 40; number++) {
            producer.send(
                message("-order", number % 4 + ":" + number),
                (queues, message, key) -> queues.get((Integer) key % queues.size()), number % 4);
        }
        List<List<Integer>> found = new ArrayList<>();
        for (int key = 0; key < 4; key++) {
            found.add(new ArrayList<>());
        }
        CountDownLatch missing = new CountDownLatch(40);
        DefaultMQPushConsumer consumer = unstarted("-order");
        consumer.registerMessageListener((MessageListenerOrderly) (messages, context) -> {
            for (MessageExt each : messages) {
                String[] parts = text(each).split(":");
                List<Integer> seen = found.get(Integer.parseInt(parts[0]));
                synchronized (seen) {
                    seen.add(Integer.parseInt(parts[1]));
                }
                missing.countDown();
            }
            return ConsumeOrderlyStatus.SUCCESS;
        });
        consumer.start();
        missing.await(PATIENCE, TimeUnit.SECONDS);
        consumer.shutdown();
        print("ordered", found.toString());
    }

    private static void asked(DefaultMQProducer producer) throws Exception {
        producer.send(message("-ask", "not a request"));
        DefaultMQPushConsumer consumer = reader("-ask", (messages, context) -> {
            for (MessageExt each : messages) {
                try {
                    if (each.getProperty("CORRELATION_ID") != null) {
                        producer.send(MessageUtil.createReplyMessage(each, ("re: " + text(each)).getBytes()));
                    }
                } catch (Exception error) {
                    throw new IllegalStateException(error);
                }
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        Message reply = producer.request(message("-ask", "hello"), PATIENCE * 1000);
        consumer.shutdown();
        print("asked", new String(reply.getBody()));
    }
}
