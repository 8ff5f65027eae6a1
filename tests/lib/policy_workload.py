# What a function may reasonably do, run under python.policy by tests/unit/test_policy.c. Any failure is a
# name missing in the policy. Prints nothing; exits 0.
import asyncio, multiprocessing, os, random, shutil, signal, socket, sqlite3, ssl, subprocess
import sys, tempfile, threading, time

def threads():
    seen = []
    workers = [threading.Thread(target=seen.append, args=(i,)) for i in range(4)]
    [w.start() for w in workers]
    [w.join() for w in workers]
    assert sorted(seen) == [0, 1, 2, 3]

def loop_and_sockets():
    async def serve(reader, writer):
        writer.write((await reader.readline()).upper())
        await writer.drain()
        writer.close()

    async def main():
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"hello\n")
        assert await reader.readline() == b"HELLO\n"
        writer.close()
        child = await asyncio.create_subprocess_exec("/bin/true")
        assert await child.wait() == 0

    asyncio.run(main())
    try:
        socket.getaddrinfo("localhost", 80)
    except socket.gaierror:
        pass
    for family in (socket.AF_NETLINK, socket.AF_PACKET):
        try:
            socket.socket(family, socket.SOCK_RAW)
            raise SystemExit("socket of a forbidden family")
        except OSError:
            pass
    ssl.create_default_context()

def files(top):
    a, b = os.path.join(top, "a"), os.path.join(top, "b")
    with open(a, "w") as f:
        f.write("x" * 100000)
        f.flush()
        os.fsync(f.fileno())
        os.ftruncate(f.fileno(), 10)
    shutil.copy2(a, b)
    os.link(a, a + ".link")
    os.symlink("a", a + ".sym")
    assert os.path.realpath(a + ".sym").endswith("/a")
    os.rename(b, b + "2")
    os.chmod(a, 0o600)
    os.utime(a)
    shutil.disk_usage(top)
    shutil.copytree(top, top + "/copy", symlinks=True, ignore=shutil.ignore_patterns("copy"))
    os.makedirs(top + "/x/y")
    shutil.rmtree(top + "/x")
    assert len(os.listdir(top)) >= 4
    db = sqlite3.connect(top + "/db")
    db.execute("pragma journal_mode=wal")
    db.execute("create table t(v)")
    db.executemany("insert into t values(?)", [(i,) for i in range(100)])
    db.commit()
    assert db.execute("select sum(v) from t").fetchone() == (4950,)
    db.close()

def square(x):
    return x * x

def processes():
    assert subprocess.run(["/bin/echo", "hi"], capture_output=True).stdout == b"hi\n"
    child = subprocess.Popen(["/bin/sleep", "60"], start_new_session=True, cwd="/")
    child.terminate()
    assert child.wait() == -signal.SIGTERM
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(square, range(5)) == [0, 1, 4, 9, 16]

def itself():
    os.cpu_count(), os.uname(), os.getpgrp(), os.umask(0o22), os.sched_getaffinity(0), os.getloadavg()
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.alarm(5)
    signal.alarm(0)
    time.sleep(0.001)
    random.SystemRandom().random()

def libraries():
    try:
        import numpy
        assert numpy.dot(numpy.ones((64, 64)), numpy.ones((64, 64)))[0][0] == 64
    except ImportError:
        pass
    try:
        from PIL import Image
        assert Image.new("RGB", (64, 64)).resize((8, 8)).tobytes("jpeg", "RGB")
    except ImportError:
        pass

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as top:
        threads(), loop_and_sockets(), files(top), processes(), itself(), libraries()
