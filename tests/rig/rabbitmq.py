"""A real RabbitMQ for tests: a private node with its own ports, cookie, directories and epmd.

Of the release that Debian 12 has, or of sid's, which is years ahead (`releases`).
Always holds: it listens on loopback alone, never meets the machine's own node, and stopping it
leaves no process and no file. `kill` is -9 to the whole process group, as a power cut looks.
Control goes through `erl_call`, which answers in some 20 ms where `rabbitmqctl` takes a second.
"""

import contextlib
import itertools
import json
import os
import random
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.rig.releases import SERVER, Release, debian

START_S = 60.0
ASKED = 5


def free_port() -> int:
    """A TCP port of loopback that nobody has at this moment, and that the kernel gives to no
    connection of its own choosing: a node that was killed wants it back."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@dataclass(slots=True)
class Broker:
    """A private node; `url` is stable across `kill` and `restart`."""

    directory: Path
    release: Release
    settings: tuple[tuple[str, str], ...] = ()
    """Of the application `rabbit`, as Erlang terms without a blank; rabbitmq.conf would need the
    schema, which is not found with the code in one directory."""
    port: int = field(default_factory=free_port)
    dist_port: int = field(default_factory=free_port)
    epmd_port: int = field(default_factory=free_port)
    cookie: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _node: subprocess.Popen[bytes] | None = None

    def url(self, vhost: str = "/") -> str:
        """The address of one virtual host, for any AMQP client."""
        path = "%2F" if vhost == "/" else vhost
        return f"amqp://guest:guest@127.0.0.1:{self.port}/{path}"

    @property
    def node(self) -> str:
        """Erlang's name of it."""
        return f"hotline{self.port}@localhost"

    def url_as(self, user: str, password: str, vhost: str) -> str:
        """The same for an account of its own."""
        return f"amqp://{user}:{password}@127.0.0.1:{self.port}/{vhost}"

    def fresh_vhost(self, name: str = "t") -> str:
        """A new virtual host's name: a test that has its own shares no queue with another."""
        vhost = f"{name}{next(self._numbers)}"
        self.ask(f'rabbit_vhost:add(<<"{vhost}">>, <<"test">>)')
        rights = '<<".*">>, <<".*">>, <<".*">>, <<"test">>'
        grant = "rabbit_auth_backend_internal:set_permissions"
        self.ask(f'{grant}(<<"guest">>, <<"{vhost}">>, {rights})')
        return vhost

    def ask(self, expression: str) -> str:
        """Evaluate one Erlang expression on the node; its printed value."""
        call = ["erl_call", "-address", f"127.0.0.1:{self.dist_port}", "-c", self.cookie, "-e"]
        command = self.release.command(*call)
        for _ in range(ASKED):  # on a busy machine it gives up connecting; nothing was done then
            said = subprocess.run(
                command,
                input=f"{expression}.\n".encode(),
                capture_output=True,
                timeout=30,
                check=False,
            )
            if b"failed to connect" not in said.stderr:
                break
            time.sleep(0.2)
        answer = said.stdout.decode(errors="replace")
        if said.returncode != 0 or not answer.startswith("{ok,"):
            raise RuntimeError(f"{expression}: {answer} {said.stderr.decode(errors='replace')}")
        return answer.removeprefix("{ok,").rstrip().removesuffix("}").strip()

    def depth(self, vhost: str, queue: str) -> int:
        """Messages in a queue, those in consumers' hands included."""
        found = f"{{ok, Q}} = rabbit_amqqueue:lookup({_resource(vhost, queue)})"
        return int(self.ask(f"{found}, {{ok, N, _}} = rabbit_amqqueue:stat(Q), N"))

    def delete_queue(self, vhost: str, queue: str) -> None:
        """As an operator does it: its consumers are cancelled, their channels stay open."""
        found = f"{{ok, Q}} = rabbit_amqqueue:lookup({_resource(vhost, queue)})"
        self.ask(f'{found}, rabbit_amqqueue:delete(Q, false, false, <<"test">>), ok')

    def sicken(self, vhost: str, queue: str, *, sick: bool = True) -> None:
        """A queue that takes what it is sent and answers nobody, until it is well again."""
        found = f"{{ok, Q}} = rabbit_amqqueue:lookup({_resource(vhost, queue)})"
        self.ask(f"{found}, sys:{'suspend' if sick else 'resume'}(amqqueue:get_pid(Q)), ok")

    def disconnect_all(self) -> None:
        """As an operator closes every connection."""
        close = 'rabbit_networking:close_connection(P, "test")'
        self.ask(f"[{close} || P <- rabbit_networking:local_connections()], ok")

    def limit_queues(self, vhost: str, length: int) -> None:
        """A policy that lets every queue of a virtual host hold no more than `length`."""
        rule = f'[{{<<"max-length">>, {length}}}]'
        policy = f'<<"{vhost}">>, <<"limit">>, <<".*">>, {rule}, 0, <<"queues">>, <<"test">>'
        self.ask(f"rabbit_policy:set({policy})")

    def import_definitions(self, document: object) -> None:
        """What `rabbitmqctl import_definitions` does."""
        path = self.directory / "definitions.json"
        path.write_text(json.dumps(document))
        self.release.own(path)
        called = self.release.inside(path)
        self.ask(f'{{ok, D}} = file:read_file("{called}"), ok = rabbit_definitions:import_raw(D)')

    def export_definitions(self) -> Path:
        """What `rabbitmqctl export_definitions` writes; the file."""
        path = self.directory / "exported.json"
        everything = "rabbit_json:encode(rabbit_definitions:all_definitions())"
        self.ask(f'ok = file:write_file("{self.release.inside(path)}", {everything})')
        return path

    @contextmanager
    def with_accounts(self, document: dict[str, Any]) -> Iterator[None]:
        """These definitions; their accounts, which every virtual host shares, go at the end."""
        self.import_definitions(document)
        try:
            yield
        finally:
            for user in document["users"]:
                name = f'<<"{user["name"]}">>'
                self.ask(f'rabbit_auth_backend_internal:delete_user({name}, <<"test">>)')

    def start(self) -> None:
        """Start the node and return when it takes AMQP connections."""
        log = (self.directory / "console.log").open("ab")
        with log:
            self._node = subprocess.Popen(
                self.release.command(str("/" / SERVER)),
                env=self._environment(),
                cwd=self.directory,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_S
        while not self._ready():
            if self._node.poll() is not None or time.monotonic() > deadline:
                text = (self.directory / "console.log").read_text(errors="replace")
                raise RuntimeError(f"RabbitMQ did not start:\n{text[-4000:]}")
            time.sleep(0.05)

    def kill(self) -> None:
        """-9, without a word; what was not on disk is gone."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """The orderly way down."""
        self._end(signal.SIGTERM)

    def restart(self) -> None:
        """Kill and start again: the same port, the same disk."""
        self.kill()
        self.start()

    def freeze(self) -> None:
        """SIGSTOP: the connections stay, and nothing answers."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT: a frozen node goes on."""
        self._signal(signal.SIGCONT)

    def alarm(self, resource: str, *, on: bool) -> None:
        """The alarm for `memory` or `disk`, as the node raises and clears it itself."""
        limit = f"{{resource_limit, {resource}, node()}}"
        self.ask(f"rabbit_alarm:set_alarm({{{limit}, []}})" if on
                 else f"rabbit_alarm:clear_alarm({limit})")  # fmt: skip

    def _signal(self, number: signal.Signals) -> None:
        assert self._node is not None, "not started"
        os.killpg(self._node.pid, number)

    def _end(self, how: signal.Signals) -> None:
        if self._node is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._node.pid, how)
        self._node.wait(timeout=30)
        self._node = None

    def _ready(self) -> bool:
        """An AMQP greeting answered: the port alone opens before the node serves."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as probe:
                probe.sendall(b"AMQP\x00\x00\x09\x01")
                return len(probe.recv(8)) > 0
        except OSError:
            return False

    def _environment(self) -> dict[str, str]:
        home = str(self.release.inside(self.directory))
        said = " ".join(f"-rabbit {name} {value}" for name, value in self.settings)
        loopback = "-kernel inet_dist_use_interface {127,0,0,1}"
        return {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": home,
            "ERL_EPMD_PORT": str(self.epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_ALLOW_INPUT": "1",  # exec: our child is the node, not a shell
            "RABBITMQ_NODENAME": self.node,
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self.dist_port),
            "RABBITMQ_MNESIA_BASE": f"{home}/mnesia",
            "RABBITMQ_LOG_BASE": f"{home}/log",
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_CONFIG_FILE": f"{home}/none",
            "RABBITMQ_CONF_ENV_FILE": f"{home}/rabbitmq-env.conf",
            "RABBITMQ_SERVER_CODE_PATH": f"{home}/beams",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{home}/enabled_plugins",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"{loopback} +sbt u +sbwt none -noinput {said}",
        }


def _resource(vhost: str, queue: str) -> str:
    return f'rabbit_misc:r(<<"{vhost}">>, queue, <<"{queue}">>)'


def _one_directory_of_code(release: Release, beams: Path) -> None:
    """Links to every module of the server and of Erlang, in one directory that is searched first.

    Erlang tries each of some ninety directories for each of a thousand modules; found at the first
    try, the node is up in a third of the time. Left where they are: the modules Erlang keeps
    sticky, and the prelaunch, which finds its schema beside itself.
    """
    beams.mkdir()
    for home in release.code():
        if home.name.startswith(("kernel-", "stdlib-", "compiler-", "rabbitmq_prelaunch-")):
            continue
        for module in (home / "ebin").glob("*.beam"):
            link = beams / module.name
            if not link.is_symlink():
                link.symlink_to(release.inside(module))


def furnish(broker: Broker) -> None:
    """The files a node finds in its directory."""
    _one_directory_of_code(broker.release, broker.directory / "beams")
    written = {
        ".erlang.cookie": broker.cookie,
        "rabbitmq-env.conf": "",
        "enabled_plugins": "[].\n",
    }
    for name, text in written.items():
        path = broker.directory / name
        path.write_text(text)
        path.chmod(0o400)
        broker.release.own(path)


@contextmanager
def epmd(release: Release, port: int) -> Iterator[None]:
    """Erlang's port mapper, for the nodes that name this port."""
    command = release.command("epmd", "-port", str(port), "-address", "127.0.0.1")
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=10)


@contextmanager
def rabbitmq(release: Release | None = None) -> Iterator[Broker]:
    """Bring a node up with its own epmd, and take both down at the end; Debian's where none is
    named."""
    release = release or debian()
    with release.directory() as directory:
        broker = Broker(directory, release)
        furnish(broker)
        with epmd(release, broker.epmd_port):
            try:
                broker.start()
                yield broker
            finally:
                broker.kill()
