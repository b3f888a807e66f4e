"""kazoo with read_only=True, while two servers of three go and come back."""

import logging
import sys
import time
import traceback

from kazoo.client import KazooClient, KeeperState
from kazoo.exceptions import NotReadOnlyCallError

logging.basicConfig(level=logging.CRITICAL)
HOSTS = sys.argv[1]


def eventually(predicate, seconds=30):
    until = time.time() + seconds
    while time.time() < until:
        if predicate():
            return True
        time.sleep(0.02)
    return False


def restart():
    print("restart", flush=True)
    assert sys.stdin.readline().strip() == "restarted"


def a_new_client_reads_without_a_quorum(zk):
    zk.start(timeout=30)
    assert eventually(lambda: zk.client_state == KeeperState.CONNECTED_RO), zk.client_state
    assert zk.get("/kept")[0] == b"old"
    assert "kept" in zk.get_children("/")


def its_writes_are_refused(zk):
    try:
        zk.set("/kept", b"new")
        assert False, "a write without a quorum"
    except NotReadOnlyCallError:
        pass


def a_client_that_must_write_finds_nobody(zk):
    strict = KazooClient(hosts=HOSTS, timeout=10.0)
    strict.start_async()
    assert not eventually(lambda: strict.connected, 2), "connected without a quorum"
    strict.stop()
    strict.close()


def it_goes_on_to_a_server_that_writes(zk):
    assert eventually(lambda: zk.client_state == KeeperState.CONNECTED), zk.client_state
    zk.retry(zk.set, "/kept", b"new")
    assert zk.retry(zk.get, "/kept")[0] == b"new"


def it_may_now_own_an_ephemeral(zk):
    zk.create("/mine", b"", ephemeral=True)
    assert zk.exists("/mine").ephemeralOwner == zk.client_id[0]


def check(function, zk):
    name = function.__name__.replace("_", " ")
    try:
        function(zk)
        print("ok " + name, flush=True)
    except BaseException as error:  # noqa: B902, each check stands for itself
        where = traceback.extract_tb(error.__traceback__)[-1]
        print("FAIL %s: line %s, %r" % (name, where.lineno, error), flush=True)


def main():
    before = KazooClient(hosts=HOSTS, timeout=20.0)
    before.start(timeout=30)
    before.create("/kept", b"old")
    before.stop()
    before.close()
    restart()
    zk = KazooClient(hosts=HOSTS, timeout=20.0, read_only=True)
    check(a_new_client_reads_without_a_quorum, zk)
    check(its_writes_are_refused, zk)
    check(a_client_that_must_write_finds_nobody, zk)
    restart()
    check(it_goes_on_to_a_server_that_writes, zk)
    check(it_may_now_own_an_ephemeral, zk)
    zk.stop()
    zk.close()
    sys.exit(0)


main()
