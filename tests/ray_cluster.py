"""A Ray cluster of two machines, played by two nodes on this one: a process of its own, told what to do by its stdin.

Prints the cluster's address. `remove` takes the second node away, with whatever runs on it; the end of stdin ends it.
"""

import os
import subprocess
import sys

# Ray's own switch for "all nodes are on this machine": else who connects looks for this machine's address in a network.
LOOPBACK = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}

STARTS = 3  # Ray gives a node 30 seconds to start, which a machine with much to do may not keep


class TwoNodes:
    """Context manager: `address`, for processes whose environment has LOOPBACK, and `remove()`, which returns when the
    node is gone.
    """

    def __enter__(self) -> "TwoNodes":
        pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        command = [sys.executable, "-m", "tests.ray_cluster"]
        for _ in range(STARTS):
            self.process = subprocess.Popen(command, env=os.environ | LOOPBACK, **pipes)
            if address := self._told():
                self.address = address
                return self
            self.__exit__()
        raise AssertionError("the cluster did not start")

    def __exit__(self, *_exception) -> None:
        self.process.stdin.close()
        self.process.wait(60)
        self.process.stdout.close()

    def _told(self) -> str | None:
        for line in self.process.stdout:
            if line.startswith("cluster: "):
                return line.removeprefix("cluster: ").strip()
        return None

    def remove(self) -> None:
        self.process.stdin.write("remove\n")
        self.process.stdin.flush()
        assert self._told() == "removed"


def main() -> None:
    from ray.cluster_utils import Cluster

    node = dict(num_cpus=1, include_dashboard=False, object_store_memory=100_000_000, node_ip_address="127.0.0.1")
    # A machine is given up after some seconds of silence, instead of a minute.
    impatient = dict(health_check_period_ms=1000, health_check_timeout_ms=2000, health_check_failure_threshold=3)
    cluster = Cluster(initialize_head=True, head_node_args=node | dict(_system_config=impatient))
    second = cluster.add_node(**node)
    cluster.wait_for_nodes()
    print(f"cluster: {cluster.address}", flush=True)
    for line in sys.stdin:
        if line.strip() == "remove":
            cluster.remove_node(second, allow_graceful=False)
            print("cluster: removed", flush=True)
    cluster.shutdown()


if __name__ == "__main__":
    main()
