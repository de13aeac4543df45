"""Three RabbitMQ nodes on loopback that are one cluster, each to be killed and started again.

They find each other by a list of names, one epmd and one cookie, as a house's own would. Always
holds: a node keeps its port and its disk; stopping the rig leaves no process and no file.
"""

import secrets
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

from tests.rig.rabbitmq import Broker, epmd, free_port, furnish
from tests.rig.releases import Release

SIZE = 3


@dataclass(frozen=True, slots=True)
class Cluster:
    """The nodes, all up at first."""

    nodes: Sequence[Broker]

    def leader(self, vhost: str, queue: str) -> Broker:
        """The node that leads a quorum queue, as any living node knows it."""
        resource = f'rabbit_misc:r(<<"{vhost}">>, queue, <<"{queue}">>)'
        found = f"{{ok, Q}} = rabbit_amqqueue:lookup({resource}), {{Name, _}} = amqqueue:get_pid(Q)"
        return self._named(self._asked(f"{found}, element(2, ra_leaderboard:lookup_leader(Name))"))

    def depth(self, vhost: str, queue: str) -> int:
        """Messages in a queue, as its leader counts them."""
        return self.leader(vhost, queue).depth(vhost, queue)

    def start(self, *nodes: Broker) -> None:
        """Start nodes, all at once: one alone might wait for those that were up after it."""
        with ThreadPoolExecutor(len(nodes)) as pool:
            for done in [pool.submit(node.start) for node in nodes]:
                done.result()

    def _asked(self, expression: str) -> str:
        for node in self.nodes:
            # A leader that is just being chosen answers in a moment; a dead node never does.
            with suppress(RuntimeError):
                return node.ask(expression)
        raise RuntimeError(f"no node answers: {expression}")

    def _named(self, name: str) -> Broker:
        (found,) = (node for node in self.nodes if node.node == name.strip("'"))
        return found


@contextmanager
def cluster(release: Release) -> Iterator[Cluster]:
    """Bring three nodes up as one cluster, and take all down at the end."""
    mapper, cookie = free_port(), secrets.token_hex(16)
    with ExitStack() as stack:
        directories = [stack.enter_context(release.directory()) for _ in range(SIZE)]
        nodes = [Broker(at, release, epmd_port=mapper, cookie=cookie) for at in directories]
        names = ",".join(f"'{node.node}'" for node in nodes)
        for node in nodes:
            node.settings = (
                ("cluster_nodes", f"{{[{names}],disc}}"),
                ("cluster_partition_handling", "pause_minority"),
            )
            furnish(node)
        stack.enter_context(epmd(release, mapper))
        made = Cluster(nodes)
        try:
            made.start(*nodes)
            _look_at_all(made)
            yield made
        finally:
            for node in nodes:
                node.kill()


def _look_at_all(made: Cluster) -> None:
    name = "all_running" if made.nodes[0].release.name == "3.10" else "list_running"
    running = int(made.nodes[0].ask(f"length(rabbit_nodes:{name}())"))
    if running != SIZE:
        raise RuntimeError(f"{running} of {SIZE} nodes found each other")
