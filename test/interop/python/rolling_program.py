"""kazoo at work while the servers under it are replaced: a lock that three clients want, watches,
ephemerals and writes, without a pause except when it reads `pause`; at `end` it says how it went."""

import logging
import os
import sys
import threading
import time

from kazoo.client import KazooClient, KazooState
from kazoo.exceptions import BadVersionError, NodeExistsError, NoNodeError
from kazoo.retry import KazooRetry

logging.basicConfig(level=logging.CRITICAL)
HOSTS = sys.argv[1]
HOME = "/rolling-kazoo"
CLIENTS = 3
NOTICE_SECONDS = 20

problems = {"connection": [], "session": [], "lock": [], "watch": [], "ephemeral": [], "other": []}
rounds = {"lock": 0, "watch": 0, "ephemeral": 0, "write": 0}
written = []
holders = []
running = True
gate = threading.Condition()
is_paused = False
working = 0


def say(line):
    print(line, flush=True)


def retry(function, *args, **kwargs):
    """What the connection's end left open is asked again, until the servers answer."""
    again = KazooRetry(max_tries=-1, delay=0.05, max_delay=0.5, deadline=60)
    return again(function, *args, **kwargs)


def connect():
    client = KazooClient(hosts=HOSTS, timeout=40.0)

    def listener(state):
        if state == KazooState.LOST and running:
            problems["session"].append("a session was lost")
        elif state == KazooState.SUSPENDED and running:
            problems["connection"].append("a connection was lost")

    client.start(timeout=30)
    client.add_listener(listener)
    return client


def write_alone(zk, mine):
    """Only who holds the lock writes here."""
    data, before = retry(zk.get, HOME + "/fenced")
    try:
        retry(zk.set, HOME + "/fenced", mine, version=before.version)
    except BadVersionError:
        # asked twice, because the first answer never came: then it was this one
        data, after = retry(zk.get, HOME + "/fenced")
        if after.version != before.version + 1 or data != mine:
            problems["lock"].append("version %s was read, %s was there" % (before.version, data))


def lock_round(zk, lock, mine):
    if not lock.acquire(timeout=60):
        problems["lock"].append("%s did not get the lock" % mine)
        return
    try:
        holders.append(mine)
        if len(holders) != 1:
            problems["lock"].append("%s hold the lock" % holders)
        write_alone(zk, mine)
        time.sleep(0.002)
    finally:
        holders.remove(mine)
        lock.release()
    rounds["lock"] += 1


def watch_round(setter, watcher, value):
    seen = threading.Event()
    retry(watcher.get, HOME + "/watched", watch=lambda event: seen.set())
    retry(setter.set, HOME + "/watched", value)
    if not seen.wait(NOTICE_SECONDS):
        problems["watch"].append("no event for %s" % value)
    rounds["watch"] += 1


def ephemeral_round(owner, watcher, path):
    created = threading.Event()
    deleted = threading.Event()
    retry(watcher.exists, path, watch=lambda event: created.set())
    try:
        retry(owner.create, path, ephemeral=True)
    except NodeExistsError:
        pass
    if not created.wait(NOTICE_SECONDS):
        problems["watch"].append("no event for the creation of %s" % path)
    retry(watcher.sync, path)
    if retry(watcher.exists, path, watch=lambda event: deleted.set()) is None:
        problems["ephemeral"].append("%s is gone" % path)
        return
    try:
        retry(owner.delete, path)
    except NoNodeError:
        pass
    if not deleted.wait(NOTICE_SECONDS):
        problems["watch"].append("no event for the end of %s" % path)
    rounds["ephemeral"] += 1


def write_round(zk, path):
    try:
        retry(zk.create, path, path.encode())
    except NodeExistsError:
        pass
    written.append(path)
    rounds["write"] += 1


def worker(name, pause, function):
    def run():
        global working
        number = 0
        while True:
            with gate:
                while is_paused and running:
                    gate.wait()
                if not running:
                    return
                working += 1
            try:
                function(number)
            except BaseException as error:  # noqa: B902, told at the end
                problems["other"].append("%s: %r" % (name, error))
            finally:
                with gate:
                    working -= 1
                    gate.notify_all()
            number += 1
            time.sleep(pause)

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    return thread


def start(clients):
    workers = []

    def add(index):
        zk, other = clients[index], clients[(index + 1) % CLIENTS]
        lock = zk.Lock(HOME + "/lock", "client %d" % index)
        workers.append(worker("lock %d" % index, 0.005, lambda n: lock_round(zk, lock, b"client %d, %d" % (index, n))))
        workers.append(worker("write %d" % index, 0.03, lambda n: write_round(zk, "%s/writes/%d-%d" % (HOME, index, n))))
        workers.append(
            worker("ephemeral %d" % index, 0.02, lambda n: ephemeral_round(zk, other, "%s/ephemerals/%d-%d" % (HOME, index, n)))
        )

    for index in range(CLIENTS):
        add(index)
    workers.append(worker("watch", 0.01, lambda n: watch_round(clients[0], clients[1], b"value %d" % n)))
    return workers


def check(name, is_true, why):
    say("ok " + name if is_true else "FAIL %s: %s" % (name, why))


def none(name, kind):
    found = problems[kind]
    check(name, not found, "%d problems, the first: %s" % (len(found), found[:1]))


def report(clients, sessions):
    none("no session was lost", "session")
    none("the lock is never held twice", "lock")
    none("no watch is missed", "watch")
    none("ephemerals stay", "ephemeral")
    none("nothing fails that is tried again", "other")
    now = [zk.client_id[0] for zk in clients]
    check("sessions are the same", now == sessions, "%s and %s" % (sessions, now))
    stats = [retry(zk.exists, "%s/alive-%d" % (HOME, index)) for index, zk in enumerate(clients)]
    owners = [stat and stat.ephemeralOwner for stat in stats]
    check("they own their ephemerals", owners == sessions, "%s and %s" % (sessions, owners))
    for zk in clients:
        retry(zk.sync, "/")
        there = set(retry(zk.get_children, HOME + "/writes"))
        lost = [path for path in written if path.rsplit("/", 1)[1] not in there]
        check("no acknowledged write is lost", not lost, "%d, the first: %s" % (len(lost), lost[:1]))
    done = ", ".join("%d %ss" % (count, kind) for kind, count in rounds.items())
    done += ", %d times disconnected" % len(problems["connection"])
    check("there was work: " + done, min(rounds.values()) > 50, "hardly any")


def main():
    global is_paused, running
    clients = [connect() for _ in range(CLIENTS)]
    sessions = [zk.client_id[0] for zk in clients]
    for path in ("/fenced", "/watched", "/writes", "/ephemerals", "/lock"):
        clients[0].create(HOME + path, b"0", makepath=True)
    for index, zk in enumerate(clients):
        zk.create("%s/alive-%d" % (HOME, index), ephemeral=True)
    workers = start(clients)
    say("ready")
    for line in sys.stdin:
        word = line.strip()
        if word == "end":
            break
        with gate:
            is_paused = word == "pause"
            gate.notify_all()
            while is_paused and working > 0:
                gate.wait()
        say("paused" if is_paused else "resumed")
    with gate:
        running = False
        gate.notify_all()
    for thread in workers:
        thread.join(90)
    report(clients, sessions)
    sys.stdout.flush()
    os._exit(0)


main()
