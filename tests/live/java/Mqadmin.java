import org.apache.rocketmq.tools.command.MQAdminStartup;

/** Runs mqadmin commands in one process: each argument is one, and "$ COMMAND" is printed before it. */
public final class Mqadmin {
    public static void main(String[] arguments) {
        System.setErr(System.out);
        for (String command : arguments) {
            System.out.println("\n$ " + command);
            MQAdminStartup.main0(command.split(" "), null);
        }
        System.exit(0);
    }
}
