"""Apache RocketMQ on free ports of 127.0.0.1: fetched once, started, stopped whatever happens."""

from __future__ import annotations

import atexit
import json
import os
import random
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType

HERE = Path(__file__).resolve().parent
JAVA_SOURCES = HERE / "java"
REPOSITORY = HERE.parent.parent
DEFAULT_VERSION = "5.5.0"
TOPIC_OF_NEW_TOPICS = "TBW102"
CREATE_TOPIC = 17
ROUTE_OF_TOPIC = 105


class LiveUnavailable(Exception):
    """Java, Maven or the jars are missing; the text is the one line that says how to get them."""


def version_asked() -> str:
    """Return the RocketMQ version to run: WIRESPEED_ROCKETMQ_VERSION, else 5.5.0."""
    return os.environ.get("WIRESPEED_ROCKETMQ_VERSION", DEFAULT_VERSION)


def cache_folder() -> Path:
    """Return a folder to write in: WIRESPEED_CACHE, else the user's cache, else ./.cache."""
    asked = os.environ.get("WIRESPEED_CACHE")
    if asked:
        folder = Path(asked)
        folder.mkdir(parents=True, exist_ok=True)
        return folder
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wirespeed"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        folder = REPOSITORY / ".cache"
        folder.mkdir(exist_ok=True)
        return folder


def tool(name: str, package: str) -> str:
    """Return the path of a program.

    Raises:
        LiveUnavailable: it is not on the PATH.
    """
    found = shutil.which(name)
    if found is None:
        raise LiveUnavailable(
            f"{name} is missing: the live tests need it (apt-get install {package})"
        )
    return found


def fetch(version: str) -> Path:
    """Return the folder of RocketMQ's jars, fetched from Maven Central the first time.

    Raises:
        LiveUnavailable: Maven is missing or could not fetch them within ten minutes.
    """
    return fetch_jars(
        f"rocketmq-{version}", JAVA_SOURCES / "pom.xml", f"-Drocketmq.version={version}"
    )


def fetch_jars(name: str, pom: Path, *options: str) -> Path:
    """Return the folder `name` of the cache with the dependencies of a POM, fetched the first time.

    Raises:
        LiveUnavailable: Maven is missing or could not fetch them within ten minutes.
    """
    tool("java", "default-jdk-headless")
    cache = cache_folder()
    jars = cache / name
    if jars.is_dir():
        return jars
    maven = tool("mvn", "maven")
    partial = Path(tempfile.mkdtemp(dir=cache, prefix=f"{name}-"))
    command = [maven, "-q", "-B", "-f", str(pom), *options]
    command += [f"-Dmaven.repo.local={cache / 'maven'}"]
    command += ["dependency:copy-dependencies", f"-DoutputDirectory={partial}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
        if done.returncode:
            reason = (done.stdout + done.stderr).strip().splitlines()
            raise LiveUnavailable(
                f"Maven could not fetch {name}: {reason[0] if reason else 'no reason'}"
            )
        try:
            partial.rename(jars)
        except OSError:
            if not jars.is_dir():
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return jars


def free_port(*others: int) -> int:
    """Return a port that is free on 127.0.0.1, as are those at the given distances from it.

    It lies below the range that systems give to outgoing connections: a server that is started
    again must find it free again.
    """
    for _ in range(1000):
        port = random.randrange(15_000, 32_000)
        if all(_can_bind(port + distance) for distance in (0, *others)):
            return port
    raise RuntimeError("no free ports on 127.0.0.1")


def _can_bind(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def ask(address: str, code: int, fields: dict[str, str], timeout: float = 3.0) -> tuple[int, bytes]:
    """Send one request of the remoting protocol; return the response's code and body."""
    header = json.dumps(
        {"code": code, "opaque": 1, "flag": 0, "language": "JAVA", "version": 399,
         "extFields": fields}
    ).encode()  # fmt: skip
    host, port = address.split(":")
    with socket.create_connection((host, int(port)), timeout) as connection:
        connection.settimeout(timeout)
        connection.sendall(struct.pack(">ii", 4 + len(header), len(header)) + header)
        with connection.makefile("rb") as stream:
            total, kind = struct.unpack(">ii", stream.read(8))
            rest = stream.read(total - 4)
    size = kind & 0xFFFFFF
    return int(json.loads(rest[:size])["code"]), rest[size:]


class Server:
    """One Java process under a guard that ends with this process.

    Args:
        command: the program and its arguments.
        log: file that takes its output; its folder goes when this process is killed.
    """

    def __init__(self, command: list[str], log: Path) -> None:
        self.log = log
        with log.open("ab") as output:
            self.guard = subprocess.Popen(
                [sys.executable, str(HERE / "guard.py"), str(log.parent), *command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def wait_for(self, text: str, seconds: float) -> None:
        """Wait until the output holds ``text``.

        Raises:
            RuntimeError: it does not within ``seconds``, or the process ended.
        """
        deadline = time.monotonic() + seconds
        while text not in self.output():
            if self.guard.poll() is not None or time.monotonic() > deadline:
                last = "\n".join(self.output().splitlines()[-15:])
                raise RuntimeError(f"{self.log.name} never said {text!r}:\n{last}")
            time.sleep(0.05)

    def output(self) -> str:
        """Return what the process has printed so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def stop(self, *, gently: bool = False) -> None:
        """Kill the process, or let it close its files in up to 30 s, and wait until it is gone."""
        assert self.guard.stdin is not None
        if gently:
            self.guard.communicate(b"stop\n", timeout=60)
        self.guard.stdin.close()
        self.guard.wait(30)


class Cluster:
    """A name server and, unless told otherwise, one broker, on free ports of 127.0.0.1.

    Args:
        version: of Apache RocketMQ; 5.x or 4.9.x.
        with_broker: False for a name server that knows no broker.

    Attributes:
        namesrv: ``"127.0.0.1:PORT"`` of the name server.
        broker: ``"127.0.0.1:PORT"`` of the broker.
        home: a temporary folder with store, configuration and logs; removed by ``stop``.
    """

    def __init__(self, version: str = DEFAULT_VERSION, *, with_broker: bool = True) -> None:
        self.version = version
        self.jars = fetch(version)
        self.home = Path(tempfile.mkdtemp(prefix="wirespeed-live-"))
        self.namesrv = f"127.0.0.1:{free_port()}"
        self.broker = ""
        self._servers: list[Server] = []
        self._broker_server: Server | None = None
        atexit.register(self.stop)
        try:
            self._start_namesrv()
            if with_broker:
                self.broker = f"127.0.0.1:{free_port(-2, 1)}"
                self._write_broker_configuration(free_port())
                self.start_broker()
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> Cluster:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop both servers and remove their files. A second call does nothing."""
        while self._servers:
            self._servers.pop().stop()
        shutil.rmtree(self.home, ignore_errors=True)
        atexit.unregister(self.stop)

    def start_broker(self) -> None:
        """Start the broker and wait until the name server knows it."""
        memory = ["-Xms512m", "-Xmx512m", "-XX:MaxDirectMemorySize=512m"]
        main = "org.apache.rocketmq.broker.BrokerStartup"
        configuration = str(self.home / "broker.conf")
        log = self.home / "broker.log"
        log.unlink(missing_ok=True)
        self._broker_server = Server(
            self._java(memory, main, "-c", configuration, "-n", self.namesrv), log
        )
        self._servers.append(self._broker_server)
        self._broker_server.wait_for("boot success", 60)
        deadline = time.monotonic() + 30
        while ask(self.namesrv, ROUTE_OF_TOPIC, {"topic": TOPIC_OF_NEW_TOPICS})[0] != 0:
            if time.monotonic() > deadline:
                raise RuntimeError("the broker did not register with the name server in 30 s")
            time.sleep(0.1)

    def stop_broker(self) -> None:
        """Stop the broker, as a deployment would; its store stays for the next ``start_broker``."""
        assert self._broker_server is not None
        self._servers.remove(self._broker_server)
        self._broker_server.stop(gently=True)
        self._broker_server = None

    def create_topic(self, topic: str, queues: int = 4) -> None:
        """Create a topic with so many read and write queues."""
        fields = {
            "topic": topic,
            "defaultTopic": TOPIC_OF_NEW_TOPICS,
            "perm": "6",
            "readQueueNums": str(queues),
            "writeQueueNums": str(queues),
            "topicFilterType": "SINGLE_TAG",
            "topicSysFlag": "0",
            "order": "false",
        }
        code, _ = ask(self.broker, CREATE_TOPIC, fields)
        if code != 0:
            raise RuntimeError(f"the broker did not create {topic!r}: code {code}")
        deadline = time.monotonic() + 15
        while ask(self.namesrv, ROUTE_OF_TOPIC, {"topic": topic})[0] != 0:
            if time.monotonic() > deadline:
                raise RuntimeError(f"the name server does not know {topic!r} after 15 s")
            time.sleep(0.05)

    def admin(self, *arguments: str) -> str:
        """Run RocketMQ's own ``mqadmin`` and return what it printed.

        Raises:
            RuntimeError: it failed.
        """
        main = "org.apache.rocketmq.tools.command.MQAdminStartup"
        done = subprocess.run(
            self._java([], main, *arguments), capture_output=True, text=True, timeout=60
        )
        if done.returncode or "Exception" in done.stdout + done.stderr:
            raise RuntimeError(f"mqadmin {' '.join(arguments)}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def java_peer(self, name: str, *arguments: str) -> list[str]:
        """Return the command that runs a class of ``tests/live/java``."""
        classes = compile_peers(self.jars)
        return self._java([], name, *arguments, classpath=f"{self.jars}/*{os.pathsep}{classes}")

    def run_peer(self, name: str, *arguments: str, timeout: float = 120) -> list[dict[str, object]]:
        """Run a class of ``tests/live/java`` and return the JSON objects that it printed.

        Raises:
            RuntimeError: it failed; the text holds the warnings of its client.
        """
        done = subprocess.run(
            self.java_peer(name, *arguments), capture_output=True, text=True, timeout=timeout
        )
        if done.returncode:
            raise RuntimeError(f"{name} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]

    def _start_namesrv(self) -> None:
        logs = JAVA_SOURCES / ("logback4.xml" if self.version.startswith("4.") else "logback.xml")
        for name in ("logback_namesrv.xml", "logback_broker.xml", "logback_tools.xml"):
            (self.home / "conf").mkdir(exist_ok=True)
            shutil.copy(logs, self.home / "conf" / name)
        shutil.copy(logs, self.home / "conf" / "logback.xml")
        host, port = self.namesrv.split(":")
        configuration = self.home / "namesrv.conf"
        configuration.write_text(f"listenPort={port}\nbindAddress={host}\n", encoding="utf-8")
        main = "org.apache.rocketmq.namesrv.NamesrvStartup"
        command = self._java(["-Xms128m", "-Xmx256m"], main, "-c", str(configuration))
        server = Server(command, self.home / "namesrv.log")
        self._servers.append(server)
        server.wait_for("boot success", 60)

    def _write_broker_configuration(self, ha_port: int) -> None:
        store = self.home / "store"
        settings = {
            "brokerClusterName": "DefaultCluster",
            "brokerName": "broker-a",
            "brokerId": "0",
            "brokerIP1": "127.0.0.1",
            "bindAddress": "127.0.0.1",
            "listenPort": self.broker.split(":")[1],
            "haListenPort": str(ha_port),
            "namesrvAddr": self.namesrv,
            "storePathRootDir": str(store),
            "storePathCommitLog": str(store / "commitlog"),
            "mappedFileSizeCommitLog": "104857600",
            "mappedFileSizeTimerLog": "10485760",
            "maxIndexNum": "10000",
            "maxHashSlotNum": "2000",
            "enablePropertyFilter": "true",
            "traceTopicEnable": "true",
            "recallMessageEnable": "true",
            "flushDiskType": "ASYNC_FLUSH",
            "diskMaxUsedSpaceRatio": "95",
            "waitTimeMillsInSendQueue": "2000",
            "transactionTimeOut": "3000",
            "transactionCheckInterval": "5000",
        }
        lines = [f"{name}={value}\n" for name, value in settings.items()]
        (self.home / "broker.conf").write_text("".join(lines), encoding="utf-8")

    def _java(
        self, options: list[str], main: str, *arguments: str, classpath: str = ""
    ) -> list[str]:
        if self.version.startswith("4."):
            # It unmaps the files of its store by reflection, which a JDK since 16 forbids.
            for package in ("java.nio", "sun.nio.ch", "jdk.internal.ref"):
                options = [*options, f"--add-opens=java.base/{package}=ALL-UNNAMED"]
        return [
            tool("java", "default-jdk-headless"),
            *options,
            f"-Drocketmq.home.dir={self.home}",
            f"-Duser.home={self.home}",
            f"-Drmq.logback.configurationFile={self.home / 'conf' / 'logback.xml'}",
            "-Drocketmq.client.logLevel=ERROR",
            "-cp",
            classpath or f"{self.jars}/*",
            main,
            *arguments,
        ]


def compile_peers(jars: Path) -> Path:
    """Compile ``tests/live/java/*.java`` against the jars, when not done yet; return the folder.

    Raises:
        LiveUnavailable: there is no javac.
        RuntimeError: they do not compile.
    """
    sources = sorted(JAVA_SOURCES.glob("*.java"))
    newest = max(int(source.stat().st_mtime_ns) for source in sources)
    classes = jars.parent / f"{jars.name}-classes-{newest}"
    if classes.is_dir():
        return classes
    partial = Path(tempfile.mkdtemp(dir=jars.parent))
    command = [tool("javac", "default-jdk-headless"), "-d", str(partial), "-cp", f"{jars}/*"]
    done = subprocess.run([*command, *map(str, sources)], capture_output=True, text=True)
    if done.returncode:
        shutil.rmtree(partial)
        raise RuntimeError(done.stderr)
    try:
        partial.rename(classes)
    except OSError:
        shutil.rmtree(partial, ignore_errors=True)
    return classes


if __name__ == "__main__":
    fetch(version_asked())
