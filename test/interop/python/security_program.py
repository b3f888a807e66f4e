"""kazoo by SASL (DIGEST-MD5 of pure-sasl) and by TLS with certificates. Arguments: the two ports' hosts, the
folder of certificates. Reports each check as a line."""
import sys

from kazoo.client import KazooClient
from kazoo.exceptions import NoAuthError
from kazoo.security import ACL, Id, Permissions

plain, secure, folder = sys.argv[1:4]


def check(name):
    def run(body):
        try:
            body()
            print(f"ok {name}", flush=True)
        except BaseException as problem:
            print(f"FAIL {name}: {type(problem).__name__} {problem}".replace("\n", " "), flush=True)

    return run


class Session:
    def __init__(self, user=None, password=None, certificate=None):
        options = {}
        if user is not None:
            options["sasl_options"] = {"mechanism": "DIGEST-MD5", "username": user, "password": password}
        if certificate is not None:
            file = f"{folder}/{certificate}.pem"
            options.update(use_ssl=True, ca=f"{folder}/ca.pem", certfile=file, keyfile=file)
        self.zk = KazooClient(secure if certificate else plain, timeout=20, **options)

    def __enter__(self):
        self.zk.start(timeout=15)
        return self.zk

    def __exit__(self, *_):
        self.zk.stop()
        self.zk.close()


def only(scheme, name):
    return [ACL(Permissions.ALL, Id(scheme, name))]


def refused(zk, path):
    try:
        zk.get(path)
    except NoAuthError:
        return
    raise AssertionError(f"{path} was read")


@check("bob logs in and creates what is his alone")
def _():
    with Session("bob", "secret") as zk:
        zk.create("/kazoo-bob", b"b", acl=only("sasl", "bob"))
        assert zk.get("/kazoo-bob")[0] == b"b"


@check("nobody and others may not read it, the super user may")
def _():
    with Session() as zk:
        refused(zk, "/kazoo-bob")
    with Session("eve", "apple") as zk:
        refused(zk, "/kazoo-bob")
    with Session("admin", "root") as zk:
        assert zk.get("/kazoo-bob")[0] == b"b"


@check("a wrong password is refused")
def _():
    session = Session("bob", "wrong")
    try:
        session.zk.start(timeout=4)
        session.zk.get("/")
    except NoAuthError:
        raise
    except Exception:
        return
    finally:
        session.zk.stop()
        session.zk.close()
    raise AssertionError("it came in")


@check("a certificate is an identity")
def _():
    name = "CN=alice,OU=clients,O=Zabra tests,C=DE"
    with Session(certificate="alice") as zk:
        zk.create("/kazoo-alice", b"a", acl=only("x509", name))
        assert zk.get("/kazoo-alice")[0] == b"a"
    with Session(certificate="odd") as zk:
        refused(zk, "/kazoo-alice")
    with Session() as zk:
        refused(zk, "/kazoo-alice")
