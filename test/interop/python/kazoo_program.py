"""What people do with kazoo: each check prints `ok <name>` or `FAIL <name>: <why>`."""

import logging
import sys
import threading
import time
import traceback

from kazoo.client import KazooClient, KazooState
from kazoo.exceptions import (
    BadVersionError,
    NodeExistsError,
    NoNodeError,
    NotEmptyError,
    NoAuthError,
)
from kazoo.recipe.barrier import Barrier, DoubleBarrier
from kazoo.recipe.cache import TreeCache, TreeEvent
from kazoo.recipe.partitioner import SetPartitioner
from kazoo.security import make_acl, make_digest_acl

logging.basicConfig(level=logging.CRITICAL)
HOSTS = sys.argv[1]
checks = []


def check(function):
    checks.append(function)
    return function


def connect(**kwargs):
    client = KazooClient(hosts=HOSTS, timeout=10.0, **kwargs)
    client.start(timeout=20)
    return client


def eventually(predicate, seconds=20):
    until = time.time() + seconds
    while time.time() < until:
        if predicate():
            return True
        time.sleep(0.02)
    return False


@check
def the_program_of_the_readme(zk):
    zk.create("/app/config/db", b"one", makepath=True)
    data, stat = zk.get("/app/config/db")
    assert data == b"one" and stat.version == 0, (data, stat)
    seen = []
    zk.get("/app/config/db", watch=lambda event: seen.append(event))
    zk.set("/app/config/db", b"two", version=0)
    assert eventually(lambda: seen), "no event"
    assert seen[0].type == "CHANGED" and seen[0].path == "/app/config/db", seen
    try:
        zk.set("/app/config/db", b"three", version=0)
        assert False, "an old version was accepted"
    except BadVersionError:
        pass
    zk.delete("/app/config/db", version=1)
    assert zk.exists("/app/config/db") is None
    zk.delete("/app", recursive=True)
    assert zk.exists("/app") is None


@check
def errors(zk):
    zk.ensure_path("/errors/a")
    for error, call in (
        (NodeExistsError, lambda: zk.create("/errors/a")),
        (NoNodeError, lambda: zk.get("/errors/no")),
        (NoNodeError, lambda: zk.create("/errors/no/a")),
        (NotEmptyError, lambda: zk.delete("/errors")),
    ):
        try:
            call()
            assert False, error
        except error:
            pass


@check
def create_modes(zk):
    zk.ensure_path("/modes")
    assert zk.create("/modes/s-", sequence=True) == "/modes/s-0000000000"
    path, stat = zk.create("/modes/e", ephemeral=True, include_data=True)
    assert stat.ephemeralOwner == zk.client_id[0], stat
    assert sorted(zk.get_children("/modes")) == ["e", "s-0000000000"]
    children, stat = zk.get_children("/modes", include_data=True)
    assert stat.numChildren == 2


@check
def transactions(zk):
    zk.ensure_path("/tx")
    transaction = zk.transaction()
    transaction.check("/tx", version=0)
    transaction.create("/tx/a", b"1")
    transaction.set_data("/tx", b"x", version=0)
    results = transaction.commit()
    assert results[0] is True and results[1] == "/tx/a" and results[2].version == 1, results
    transaction = zk.transaction()
    transaction.create("/tx/b")
    transaction.check("/tx", version=99)
    results = transaction.commit()
    assert isinstance(results[1], BadVersionError), results
    assert zk.exists("/tx/b") is None


@check
def acls(zk):
    zk.ensure_path("/acl")
    zk.create("/acl/a", b"secret", acl=[make_digest_acl("bob", "pw", all=True)])
    try:
        zk.get("/acl/a")
        assert False, "read without permission"
    except NoAuthError:
        pass
    other = connect(auth_data=[("digest", "bob:pw")])
    assert other.get("/acl/a")[0] == b"secret"
    other.set_acls("/acl/a", [make_acl("world", "anyone", read=True)])
    other.stop()
    other.close()
    assert zk.get("/acl/a")[0] == b"secret"


@check
def many_async_requests(zk):
    zk.ensure_path("/async")
    pending = [zk.create_async("/async/n%d" % n, str(n).encode()) for n in range(500)]
    for result in pending:
        result.get(timeout=20)
    reads = [zk.get_async("/async/n%d" % n) for n in range(500)]
    for n, result in enumerate(reads):
        assert result.get(timeout=20)[0] == str(n).encode()
    assert len(zk.get_children("/async")) == 500


@check
def data_and_children_watch(zk):
    zk.ensure_path("/watch")
    datas, children = [], []
    zk.DataWatch("/watch", lambda data, stat: datas.append(data))
    zk.ChildrenWatch("/watch", lambda names: children.append(sorted(names)))
    for n in range(5):
        zk.set("/watch", str(n).encode())
        assert eventually(lambda: datas[-1] == str(n).encode()), datas
    zk.create("/watch/a")
    assert eventually(lambda: children[-1] == ["a"]), children
    zk.delete("/watch/a")
    assert eventually(lambda: children[-1] == []), children


@check
def lock(zk):
    other = connect()
    order, held = [], threading.Event()
    one, two = zk.Lock("/lock", "one"), other.Lock("/lock", "two")
    assert one.acquire(timeout=10)
    assert one.contenders() == ["one"]

    def wait_for_it():
        with two:
            order.append("two")
            held.set()

    thread = threading.Thread(target=wait_for_it)
    thread.start()
    assert eventually(lambda: len(one.contenders()) == 2)
    order.append("one")
    one.release()
    assert held.wait(20)
    thread.join()
    assert order == ["one", "two"], order
    other.stop()
    other.close()


@check
def read_and_write_lock(zk):
    other = connect()
    first, second = zk.ReadLock("/rw", "r1"), other.ReadLock("/rw", "r2")
    writer = zk.WriteLock("/rw", "w")
    assert first.acquire(timeout=10) and second.acquire(timeout=10)
    assert not writer.acquire(blocking=False)
    first.release()
    second.release()
    assert writer.acquire(timeout=10)
    writer.release()
    other.stop()
    other.close()


@check
def semaphore(zk):
    other = connect()
    leases = [zk.Semaphore("/sem", "a", 2), other.Semaphore("/sem", "b", 2)]
    third = other.Semaphore("/sem", "c", 2)
    assert leases[0].acquire(timeout=10) and leases[1].acquire(timeout=10)
    assert not third.acquire(blocking=False)
    leases[0].release()
    assert third.acquire(timeout=10)
    third.release()
    leases[1].release()
    other.stop()
    other.close()


@check
def election(zk):
    other = connect()
    led = []
    first, second = zk.Election("/election", "one"), other.Election("/election", "two")
    release = threading.Event()

    def lead(name):
        led.append(name)
        release.wait(20)

    threads = [threading.Thread(target=first.run, args=(lead, "one"))]
    threads[0].start()
    assert eventually(lambda: led == ["one"]), led
    threads.append(threading.Thread(target=second.run, args=(lead, "two")))
    threads[1].start()
    assert eventually(lambda: first.contenders() == ["one", "two"]), first.contenders()
    assert led == ["one"]
    release.set()
    assert eventually(lambda: led == ["one", "two"]), led
    for thread in threads:
        thread.join()
    other.stop()
    other.close()


@check
def party(zk):
    other = connect()
    one, two = zk.Party("/party", "one"), other.ShallowParty("/shallow", "two")
    one.join()
    two.join()
    assert len(one) == 1 and list(one) == ["one"]
    assert list(zk.ShallowParty("/shallow")) == ["two"]
    other.stop()
    other.close()
    assert eventually(lambda: len(zk.ShallowParty("/shallow")) == 0)
    one.leave()


@check
def queues(zk):
    queue = zk.Queue("/queue")
    for n in range(20):
        queue.put(str(n).encode())
    queue.put(b"urgent", priority=1)
    assert len(queue) == 21
    assert queue.get() == b"urgent"
    assert [queue.get() for _ in range(20)] == [str(n).encode() for n in range(20)]
    assert queue.get() is None
    locking = zk.LockingQueue("/locking")
    locking.put_all([b"a", b"b"])
    assert locking.get(timeout=10) == b"a"
    assert locking.consume()
    assert locking.get(timeout=10) == b"b"
    assert locking.consume()


@check
def counter(zk):
    other = connect()
    threads = []
    for client in (zk, other, zk, other):
        number = client.Counter("/counter")

        def count(number=number):
            for _ in range(25):
                number += 1

        threads.append(threading.Thread(target=count))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert zk.Counter("/counter").value == 100, zk.Counter("/counter").value
    other.stop()
    other.close()


@check
def barriers(zk):
    other = connect()
    barrier = Barrier(zk, "/barrier")
    barrier.create()
    passed = threading.Event()
    threading.Thread(target=lambda: (Barrier(other, "/barrier").wait(20), passed.set())).start()
    assert not passed.wait(0.3)
    barrier.remove()
    assert passed.wait(20)
    entered = []

    def enter(client, name):
        double = DoubleBarrier(client, "/double", 2, name)
        double.enter()
        entered.append(name)
        double.leave()

    threads = [
        threading.Thread(target=enter, args=(zk, "a")),
        threading.Thread(target=enter, args=(other, "b")),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(entered) == ["a", "b"], entered
    other.stop()
    other.close()


@check
def tree_cache(zk):
    zk.ensure_path("/cache/a")
    cache, events = TreeCache(zk, "/cache"), []
    cache.listen(lambda event: events.append(event.event_type))
    cache.start()
    assert eventually(lambda: TreeEvent.INITIALIZED in events), events
    zk.create("/cache/a/b", b"x")
    assert eventually(lambda: cache.get_data("/cache/a/b") is not None)
    zk.set("/cache/a/b", b"y")
    assert eventually(lambda: cache.get_data("/cache/a/b").data == b"y")
    zk.delete("/cache/a", recursive=True)
    assert eventually(lambda: cache.get_children("/cache") == frozenset())
    cache.close()


@check
def set_partitioner(zk):
    other = connect()
    partitioners = [
        SetPartitioner(client, "/partition", range(10), identifier=name, time_boundary=0.3)
        for client, name in ((zk, "one"), (other, "two"))
    ]

    def take_part(one):
        until = time.time() + 40
        while time.time() < until and not done.is_set():
            if one.allocating:
                one.wait_for_acquire(0.2)
            elif one.release:
                one.release_set()
            else:
                time.sleep(0.02)

    done = threading.Event()
    threads = [threading.Thread(target=take_part, args=(one,)) for one in partitioners]
    for thread in threads:
        thread.start()

    def shared_out():
        lists = [list(one) if one.acquired else [] for one in partitioners]
        return all(lists) and sorted(lists[0] + lists[1]) == list(range(10))

    try:
        assert eventually(shared_out, 30), [one.state for one in partitioners]
    finally:
        done.set()
        for thread in threads:
            thread.join()
    sets = [set(one) for one in partitioners]
    assert sets[0] | sets[1] == set(range(10)) and not sets[0] & sets[1], sets
    for one in partitioners:
        one.finish()
    other.stop()
    other.close()


@check
def chroot(zk):
    zk.ensure_path("/chroot")
    inner = KazooClient(hosts=HOSTS + "/chroot", timeout=10.0)
    inner.start(timeout=20)
    inner.create("/a", b"x")
    assert zk.get("/chroot/a")[0] == b"x"
    inner.stop()
    inner.close()


@check
def four_letter_words(zk):
    assert zk.command(b"ruok") == "imok"
    assert "\nMode: " in zk.command(b"srvr")
    assert zk.server_version()[0] == 3, zk.server_version()


@check
def reconfig_is_off(zk):
    data, _ = zk.get("/zookeeper/config")
    assert data == b"" or data is not None


@check
def the_server_is_killed_and_comes_back(zk):
    states = []
    zk.add_listener(states.append)
    zk.ensure_path("/restart")
    zk.create("/restart/e", b"mine", ephemeral=True)
    owner = zk.client_id[0]
    written = []
    for n in range(50):
        zk.create("/restart/n%d" % n)
        written.append("n%d" % n)
    datas = []
    zk.DataWatch("/restart", lambda data, stat: datas.append(data))
    print("restart", flush=True)
    assert sys.stdin.readline().strip() == "restarted"
    assert eventually(lambda: KazooState.SUSPENDED in states), states
    assert eventually(lambda: states and states[-1] == KazooState.CONNECTED, 30), states
    assert KazooState.LOST not in states, "the session was lost"
    assert zk.client_id[0] == owner
    children = zk.retry(zk.get_children, "/restart")
    assert set(written) <= set(children), "acknowledged creates are missing"
    assert zk.get("/restart/e")[1].ephemeralOwner == owner
    zk.retry(zk.set, "/restart", b"after")
    assert eventually(lambda: datas[-1] == b"after"), datas


def main():
    zk = connect()

    for function in checks:
        name = function.__name__.replace("_", " ")
        try:
            function(zk)
            print("ok " + name, flush=True)
        except BaseException as error:  # noqa: B902, each check stands for itself

            where = traceback.extract_tb(error.__traceback__)[-1]
            print("FAIL %s: line %s, %r" % (name, where.lineno, error), flush=True)
    zk.stop()
    zk.close()
    sys.exit(0)


main()
