import java.nio.charset.StandardCharsets;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.Message;

/** Sends COUNT messages with tag, keys and properties, and prints one JSON line for each: Send NAMESRV TOPIC TAG COUNT */
public final class Send {
    public static void main(String[] arguments) throws Exception {
        String topic = arguments[1];
        String tag = arguments[2];
        int count = Integer.parseInt(arguments[3]);
        DefaultMQProducer producer = new DefaultMQProducer("java-send", User.hook());
        producer.setNamesrvAddr(arguments[0]);
        producer.setVipChannelEnabled(false);
        producer.start();
        try {
            for (int index = 0; index < count; index++) {
                byte[] body = ("java \u00e9\u4e2d " + index).getBytes(StandardCharsets.UTF_8);
                Message message = new Message(topic, tag, "key-" + index + " shared", body);
                message.putUserProperty("index", Integer.toString(index));
                message.putUserProperty("colour", "r\u00f6d \u7ea2");
                SendResult result = producer.send(message, 10_000);
                System.out.println(new Json()
                    .put("index", index)
                    .put("status", result.getSendStatus().name())
                    .put("message_id", result.getMsgId())
                    .put("queue_id", result.getMessageQueue().getQueueId())
                    .put("queue_offset", result.getQueueOffset()));
            }
        } finally {
            producer.shutdown();
        }
        System.exit(0);
    }
}
