import org.apache.rocketmq.acl.common.AclClientRPCHook;
import org.apache.rocketmq.acl.common.SessionCredentials;
import org.apache.rocketmq.remoting.RPCHook;

/** Signs a client's requests as the user that the system properties peer.user and peer.secret name. */
final class User {
    private User() {
    }

    static RPCHook hook() {
        String name = System.getProperty("peer.user");
        return name == null ? null : new AclClientRPCHook(new SessionCredentials(name, System.getProperty("peer.secret")));
    }
}
