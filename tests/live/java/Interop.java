import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.MessageSelector;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.LocalTransactionState;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.TransactionListener;
import org.apache.rocketmq.client.producer.TransactionMQProducer;
import org.apache.rocketmq.client.utils.MessageUtil;
import org.apache.rocketmq.common.MixAll;
import org.apache.rocketmq.common.compression.CompressionType;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/**
 * What the Java client does beyond plain messages; prints JSON lines:
 * Interop send NAMESRV TOPIC            one message of each kind
 * Interop request NAMESRV TOPIC BODY    a request, and its reply
 * Interop answer NAMESRV GROUP TOPIC N  replies to N requests
 * Interop select NAMESRV GROUP TOPIC SQL N   consumes N messages that a condition selects
 */
public final class Interop {
    public static void main(String[] arguments) throws Exception {
        switch (arguments[0]) {
            case "send": send(arguments[1], arguments[2]); break;
            case "request": request(arguments[1], arguments[2], arguments[3]); break;
            case "answer": answer(arguments); break;
            case "select": select(arguments); break;
            default: throw new IllegalArgumentException(arguments[0]);
        }
        System.exit(0);
    }

    private static byte[] large(String name) {
        return (name + " ").repeat(2000).getBytes(StandardCharsets.UTF_8);
    }

    private static void print(String kind, SendResult result) {
        System.out.println(new Json().put("kind", kind).put("message_id", result.getMsgId()));
    }

    private static void send(String namesrv, String topic) throws Exception {
        for (CompressionType type : CompressionType.values()) {
            // The setter of 5.x is not in 4.x; both read this when a producer is made.
            System.setProperty(MixAll.MESSAGE_COMPRESS_TYPE, type.name());
            String name = type.name().toLowerCase();
            DefaultMQProducer compressing = new DefaultMQProducer("java-" + name);
            compressing.setNamesrvAddr(namesrv);
            compressing.setCompressMsgBodyOverHowmuch(100);
            compressing.start();
            print(name, compressing.send(new Message(topic, large(name))));
            compressing.shutdown();
        }
        DefaultMQProducer producer = new DefaultMQProducer("java-interop");
        producer.setNamesrvAddr(namesrv);
        producer.start();
        List<Message> batch = new ArrayList<>();
        for (int number = 0; number < 3; number++) {
            batch.add(new Message(topic, "TagB", "k" + number, ("batch " + number).getBytes()));
        }
        print("batch", producer.send(batch));
        Message delayed = new Message(topic, "delayed".getBytes());
        delayed.setDelayTimeLevel(1);
        print("delayed", producer.send(delayed));
        print("ordered", producer.send(
            new Message(topic, "ordered".getBytes()), (queues, message, key) -> queues.get(1), "key"));
        producer.shutdown();
        TransactionMQProducer transactions = new TransactionMQProducer("java-transactions");
        transactions.setNamesrvAddr(namesrv);
        transactions.setTransactionListener(new TransactionListener() {
            @Override
            public LocalTransactionState executeLocalTransaction(Message message, Object argument) {
                return LocalTransactionState.COMMIT_MESSAGE;
            }

            @Override
            public LocalTransactionState checkLocalTransaction(MessageExt message) {
                return LocalTransactionState.COMMIT_MESSAGE;
            }
        });
        transactions.start();
        print("transaction", transactions.sendMessageInTransaction(
            new Message(topic, "transaction".getBytes()), null));
        transactions.shutdown();
    }

    private static void request(String namesrv, String topic, String body) throws Exception {
        DefaultMQProducer producer = new DefaultMQProducer("java-asks");
        producer.setNamesrvAddr(namesrv);
        producer.start();
        Message reply = producer.request(new Message(topic, body.getBytes()), 60_000);
        System.out.println(new Json()
            .put("body", new String(reply.getBody(), StandardCharsets.UTF_8))
            .put("properties", reply.getProperties()));
        producer.shutdown();
    }

    private static DefaultMQPushConsumer consumer(String namesrv, String group) {
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(group);
        consumer.setNamesrvAddr(namesrv);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        return consumer;
    }

    private static void answer(String[] arguments) throws Exception {
        CountDownLatch missing = new CountDownLatch(Integer.parseInt(arguments[4]));
        DefaultMQProducer producer = new DefaultMQProducer("java-answers");
        producer.setNamesrvAddr(arguments[1]);
        producer.start();
        DefaultMQPushConsumer consumer = consumer(arguments[1], arguments[2]);
        consumer.subscribe(arguments[3], "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            for (MessageExt message : messages) {
                try {
                    byte[] body = ("java: " + new String(message.getBody())).getBytes();
                    producer.send(MessageUtil.createReplyMessage(message, body), 3000);
                } catch (Exception error) {
                    throw new IllegalStateException(error);
                }
                missing.countDown();
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        System.out.println(new Json().put("ready", 1));
        missing.await(60, TimeUnit.SECONDS);
        consumer.shutdown();
        producer.shutdown();
    }

    private static void select(String[] arguments) throws Exception {
        CountDownLatch missing = new CountDownLatch(Integer.parseInt(arguments[5]));
        DefaultMQPushConsumer consumer = consumer(arguments[1], arguments[2]);
        consumer.subscribe(arguments[3], MessageSelector.bySql(arguments[4]));
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            for (MessageExt message : messages) {
                synchronized (System.out) {
                    System.out.println(new Json()
                        .put("body", Base64.getEncoder().encodeToString(message.getBody())));
                }
                missing.countDown();
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        missing.await(60, TimeUnit.SECONDS);
        Thread.sleep(500);
        consumer.shutdown();
    }
}
