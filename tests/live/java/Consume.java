import java.util.Base64;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.consumer.rebalance.AllocateMessageQueueAveragely;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.MessageExt;

/**
 * Consumes COUNT messages and prints each as a JSON line; exit code 3 when they do not come in SECONDS:
 * Consume NAMESRV GROUP TOPIC EXPRESSION COUNT SECONDS
 */
public final class Consume {
    public static void main(String[] arguments) throws Exception {
        CountDownLatch missing = new CountDownLatch(Integer.parseInt(arguments[4]));
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(arguments[1], User.hook(), new AllocateMessageQueueAveragely());
        consumer.setNamesrvAddr(arguments[0]);
        consumer.setVipChannelEnabled(false);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.subscribe(arguments[2], arguments[3]);
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            for (MessageExt message : messages) {
                synchronized (System.out) {
                    System.out.println(new Json()
                        .put("topic", message.getTopic())
                        .put("tag", message.getTags())
                        .put("keys", message.getKeys())
                        .put("message_id", message.getMsgId())
                        .put("queue_id", message.getQueueId())
                        .put("queue_offset", message.getQueueOffset())
                        .put("reconsume_times", message.getReconsumeTimes())
                        .put("body", Base64.getEncoder().encodeToString(message.getBody()))
                        .put("properties", message.getProperties()));
                }
                missing.countDown();
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        boolean complete = missing.await(Long.parseLong(arguments[5]), TimeUnit.SECONDS);
        consumer.shutdown();
        System.exit(complete ? 0 : 3);
    }
}
