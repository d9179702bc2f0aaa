#!/usr/bin/env python3
"""What is left of acknowledged hits and booked calls when things die.

Starts servers of its own (Embudo, PostgreSQL, Redis, haproxy) on free ports, sends hits with known ids, notes an id only
when its 202 was read, kills or stops something under load, starts everything again, waits until all is carried into the
rows, and compares: a row that is missing is lost, a row too many is doubled. Prints a table, writes
target/bench/chaos.json, and ends with 1 if anything was lost or doubled that must not be.

    bench/chaos.py                         everything, 100 kills on each mix (about 10 minutes)
    bench/chaos.py --times 5 --seconds 3   short
    bench/chaos.py --only embedded,nodes   some of the scenarios

EMBUDO_BIN is the program (else target/release/embudo or target/debug/embudo). Needs only Python's own library, and the
servers as Debian has them: postgresql, redis-server, redis-tools, haproxy.
"""

import argparse
import asyncio
import glob
import json
import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from pathlib import Path

from chaos_calls import calls

ROOT = Path(__file__).resolve().parent.parent
BROWSERS = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
]
PAGES = ["/", "/pricing", "/blog/bookshops", "/resources", "/contact?utm_source=news&utm_medium=email"]
CARRIED_WITHIN = 60  # seconds
UP_WITHIN = 30


def free_port(most=65_000):
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        if port < most:
            return port


def uuid7():
    """RFC 9562, section 5.7."""
    value = (int(time.time() * 1000) << 80) | random.getrandbits(80)
    value = (value & ~(0xF << 76)) | (7 << 76)
    return uuid.UUID(int=(value & ~(3 << 62)) | (2 << 62))


# --- servers ----------------------------------------------------------------------------------------


class Process:
    """A server that is started, killed and started again with the same words."""

    def __init__(self, words, log, ready, env=None, cwd=None):
        self.words, self.log, self.ready, self.env, self.cwd = words, log, ready, env, cwd
        self.process = None

    async def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.words, stdout=log, stderr=log, env=self.env, cwd=self.cwd, start_new_session=True
            )
        end = time.monotonic() + UP_WITHIN
        while not await asyncio.to_thread(self.ready):
            if self.process.poll() is not None or time.monotonic() > end:
                tail = Path(self.log).read_text(errors="replace")[-2000:]
                raise RuntimeError(f"{self.words[0]} does not start:\n{tail}")
            await asyncio.sleep(0.02)

    async def stop(self, how=signal.SIGTERM):
        if self.process is None:
            return
        self.process.send_signal(how)
        try:
            await asyncio.to_thread(self.process.wait, 30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            await asyncio.to_thread(self.process.wait)
        self.process = None

    async def kill(self):
        await self.stop(signal.SIGKILL)


def answers(port, path="/health/live"):
    """Whether something answers 200 there."""
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as connection:
            connection.settimeout(2)
            connection.sendall(f"GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode())
            return connection.recv(64).split(b" ")[1:2] == [b"200"]
    except OSError:
        return False


def metric(port, name):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))


def redis_cli(port, *words):
    done = subprocess.run(["redis-cli", "-p", str(port), *words], capture_output=True, text=True, timeout=30)
    return done.stdout.strip()


def redis_server(options, folder, *arguments):
    port = free_port(50_000)
    own = folder / f"redis-{port}"
    own.mkdir()
    words = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(own), "--save", ""]
    words += ["--appendonly", "yes", "--appendfsync", options.fsync, *arguments]
    server = Process(words, own / "log", lambda: redis_cli(port, "ping") == "PONG")
    server.port = port
    return server


def postgres_server(folder):
    bins = sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True) or [os.path.dirname(shutil.which("postgres") or "")]
    bin_, own, port, as_user = bins[0], folder / "postgres", free_port(), []
    own.mkdir()
    if os.geteuid() == 0:  # it refuses to run as root
        shutil.chown(own, "postgres", "postgres")
        as_user = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups"]
    subprocess.run(
        [*as_user, f"{bin_}/initdb", "-D", f"{own}/data", "-U", "embudo", "--auth=trust", "--encoding=UTF8", "--no-sync"],
        check=True, stdout=subprocess.DEVNULL, cwd=own,
    )
    words = [*as_user, f"{bin_}/postgres", "-D", f"{own}/data", "-p", str(port), "-k", str(own)]
    words += ["-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200"]
    ready = lambda: subprocess.run([f"{bin_}/pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]).returncode == 0
    server = Process(words, folder / "postgres.log", ready, cwd=own)
    server.url = f"postgres://embudo@127.0.0.1:{port}/postgres"
    return server


def psql(url, text):
    done = subprocess.run(["psql", "-qAtX", url, "-c", text], capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout.split()


class Deployment:
    """One or more nodes on one mix."""

    def __init__(self, binary, folder, postgres=None, redis=None, storage=None, nodes=1, data=None):
        self.postgres, self.redis, self.nodes = postgres, redis, []
        for number in range(nodes):
            own = folder / f"node-{number}"
            own.mkdir()
            port, at = free_port(), data or own / "data"
            settings = own / "embudo.toml"
            lines = ["[server]", f'listen = "127.0.0.1:{port}"', 'public_url = "http://127.0.0.1:1"']
            lines += ['secret = "the secret of the chaos run, forty characters"', "workers = 2"]
            lines += ["[storage]", f'data = "{at}"', f'redis_prefix = "chaos-{folder.name}"', "stream_claim_ms = 2000"]
            lines += [f'postgres = "{postgres.url}"'] if postgres else []
            lines += [f'redis = "{redis}"'] if redis else []
            lines += [f"{key} = {value}" for key, value in (storage or {}).items()]
            lines += ["[collector]", "hits_per_minute = 1000000000", "hits_burst = 1000000000"]
            lines += ["[bookings]", *(f"{name}per_minute = 1000000\n{name}burst = 1000000" for name in ("", "slots_"))]
            lines += ["[definitions]"]
            lines += [f'{name} = "{ROOT}/config/{name}.yaml"' for name in ("lifecycle", "forms", "content", "webinars", "team", "notify")]
            lines += [f'flows = "{ROOT}/bot-flows"', f'assets = "{ROOT}/assets"', "[log]", 'level = "warn"']
            lines += ["[[site]]", 'key = "faro"', 'name = "Faro"', 'origins = ["https://faro.example"]']
            settings.write_text("\n".join(lines) + "\n")
            words = [binary, "serve", "--config", str(settings)]
            node = Process(words, own / "log", lambda port=port: answers(port), cwd=own)
            node.port, node.data = port, at
            self.nodes.append(node)

    async def start(self):
        for node in self.nodes:
            await node.start()

    async def stop(self):
        for node in self.nodes:
            await node.stop()

    def rows(self):
        """The id of every row, as 32 hexadecimal digits."""
        if self.postgres:
            return psql(self.postgres.url, "select encode(id, 'hex') from hits")
        with sqlite3.connect(f"file:{self.nodes[0].data}/hits.db?mode=ro", uri=True) as hits:
            return [row[0] for row in hits.execute("select lower(hex(id)) from hits")]

    def journals(self):
        """Groups of hits that wait on disks."""
        return sum(metric(node.port, "embudo_journal_groups_waiting") for node in self.nodes)

    async def carried(self, acknowledged):
        """Waits until the journals are empty and the acknowledged hits stand in the rows, or time is up."""
        end = time.monotonic() + CARRIED_WITHIN
        while True:
            waiting = await asyncio.to_thread(self.journals)
            rows = await asyncio.to_thread(self.rows)
            if (not waiting and acknowledged <= set(rows)) or time.monotonic() > end:
                return rows
            await asyncio.sleep(0.2)


# --- load -------------------------------------------------------------------------------------------


LOADS = []


class Load:
    """Browsers that report hits over connections that they keep; some hits are sent twice."""

    def __init__(self, ports, connections=12):
        self.ports, self.connections, self.tasks = ports, connections, []
        self.acknowledged, self.refused, self.broken, self.repeated = {}, 0, 0, 0
        self.events = []
        self.gap_s, self.last, self.retry_after = 0.0, time.monotonic(), set()

    def start(self):
        self.last = time.monotonic()
        LOADS.append(self)
        self.is_over = False
        self.tasks = [asyncio.create_task(self.browse(n)) for n in range(self.connections)]
        return self

    async def stop(self):
        # Both: before Python 3.12 `wait_for` may swallow a cancellation.
        self.is_over = True
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.tasks = []

    def note(self, what):
        """Something happens now."""
        self.events.append((time.monotonic(), what))

    def told(self, id_):
        """When a hit was acknowledged, for whoever looks for the cause."""
        at = self.acknowledged[id_]
        near = min(self.events, key=lambda event: abs(event[0] - at), default=(at, "nothing happened"))
        return f"{at - near[0]:+.3f} s from: {near[1]}"

    def ids(self):
        return set(self.acknowledged)

    async def goes_on(self, count):
        """Waits until so many more hits have been acknowledged."""
        goal, end = len(self.acknowledged) + count, time.monotonic() + UP_WITHIN
        while len(self.acknowledged) < goal:
            if time.monotonic() > end:
                raise RuntimeError("hits are not acknowledged any more")
            await asyncio.sleep(0.01)

    def hit(self, visitor):
        is_page = random.random() < 0.8
        return {
            "id": str(uuid7()), "site": "faro", "name": "page" if is_page else "scrolled",
            "url": "https://faro.example" + random.choice(PAGES), "referrer": "https://search.example/",
            "title": "Faro", "visitor": visitor, "consent": "analytics", "language": "es-ES", "zone": "Europe/Madrid",
            "width": 1440, "props": None if is_page else {"depth": 50},
        }

    async def browse(self, number):
        visitors = [str(uuid7()) for _ in range(40)]
        reader = writer = None
        again = None
        while not self.is_over:
            try:
                if writer is None:
                    reader, writer = await asyncio.open_connection("127.0.0.1", self.ports[number % len(self.ports)])
                if again and random.random() < 0.02:
                    body, ids = again
                    self.repeated += len(ids)
                else:
                    visitor = random.choice(visitors)
                    hits = [self.hit(visitor) for _ in range(random.choice([1, 1, 1, 3]))]
                    body, ids = json.dumps(hits).encode(), [hit["id"].replace("-", "") for hit in hits]
                head = (
                    f"POST /v1/hit HTTP/1.1\r\nhost: embudo\r\norigin: https://faro.example\r\n"
                    f"user-agent: {random.choice(BROWSERS)}\r\ncontent-type: text/plain\r\ncontent-length: {len(body)}\r\n\r\n"
                )
                writer.write(head.encode() + body)
                answer = await asyncio.wait_for(self.read(reader), 30)
                if answer == 202:
                    now = time.monotonic()
                    self.gap_s, self.last = max(self.gap_s, now - self.last), now
                    for id_ in ids:
                        self.acknowledged[id_] = now
                    again = (body, ids)
                else:
                    self.refused += 1
                    await asyncio.sleep(0.05)
            except (OSError, EOFError, ValueError, asyncio.TimeoutError):
                self.broken += 1
                if writer is not None:
                    writer.close()
                reader = writer = None
                await asyncio.sleep(0.02)

    async def read(self, reader):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower().split("\r\n")
        status = int(head[0].split(" ")[1])
        headers = dict(line.split(": ", 1) for line in head[1:] if ": " in line)
        await reader.readexactly(int(headers.get("content-length", 0)))
        if status == 503:
            self.retry_after.add(headers.get("retry-after", "missing"))
        return status


# --- scenarios --------------------------------------------------------------------------------------


async def outcome(name, deployment, load, **more):
    """Compares what was acknowledged with what stands."""
    acknowledged = load.ids()
    rows = await deployment.carried(acknowledged - more.get("may_be_lost", set()))
    stand = set(rows)
    lost = acknowledged - stand
    allowed = more.pop("may_be_lost", set())
    result = {
        "scenario": name, "acknowledged": len(acknowledged), "rows": len(rows), "lost": len(lost - allowed),
        "doubled": len(rows) - len(stand), "sent_again": load.repeated, "refused": load.refused,
        "broken_connections": load.broken, "longest_gap_s": round(load.gap_s, 2),
        "retry_after": sorted(load.retry_after), **more,
    }
    if lost - allowed:
        result["lost_when"] = sorted(load.told(id_) for id_ in lost - allowed)[:20]
    if allowed:
        result["lost_as_documented"] = len(lost & allowed)
    result["passed"] = not result["lost"] and not result["doubled"] and "missing" not in load.retry_after
    return result


async def kills(name, deployment, times):
    """`kill -9` of the server at random moments."""
    await deployment.start()
    load = Load([node.port for node in deployment.nodes]).start()
    for _ in range(times):
        await load.goes_on(20)
        await asyncio.sleep(random.uniform(0.02, 0.6))
        await deployment.nodes[0].kill()
        await deployment.nodes[0].start()
    await load.goes_on(20)
    await load.stop()
    return await outcome(name, deployment, load, kills=times)


async def embedded(options, folder):
    """kill -9, SQLite and in process"""
    deployment = Deployment(options.binary, folder)
    try:
        return await kills("embedded: kill -9", deployment, options.times)
    finally:
        await deployment.stop()


async def spread(options, folder):
    """kill -9, PostgreSQL and Redis"""
    postgres, redis = postgres_server(folder), redis_server(options, folder)
    deployment = None
    try:
        await postgres.start()
        await redis.start()
        deployment = Deployment(options.binary, folder, postgres, f"redis://127.0.0.1:{redis.port}")
        return await kills("postgres+redis: kill -9", deployment, options.times)
    finally:
        for server in [*(deployment.nodes if deployment else []), redis]:
            await server.stop()
        await postgres.stop(signal.SIGQUIT)


async def booked(options, folder):
    """kill -9 while calls are booked, SQLite and in process"""
    deployment = Deployment(options.binary, folder)
    try:
        return await calls("embedded: kill -9 while calls are booked", deployment, options.times, psql)
    finally:
        await deployment.stop()


async def booked_spread(options, folder):
    """kill -9 while calls are booked, PostgreSQL and Redis"""
    postgres, redis = postgres_server(folder), redis_server(options, folder)
    deployment = None
    try:
        await postgres.start()
        await redis.start()
        deployment = Deployment(options.binary, folder, postgres, f"redis://127.0.0.1:{redis.port}")
        return await calls("postgres+redis: kill -9 while calls are booked", deployment, options.times, psql)
    finally:
        for server in [*(deployment.nodes if deployment else []), redis]:
            await server.stop()
        await postgres.stop(signal.SIGQUIT)


def fill(path):
    """Writes until the disk is full."""
    ballast = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        while True:
            os.write(ballast, b"x" * 65_536)
    except OSError:
        os.close(ballast)


async def disk(options, folder):
    """The disk is full and then not"""
    data = folder / "small"
    data.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128m", "tmpfs", str(data)], capture_output=True)
    if mounted.returncode:
        return {"scenario": "embedded: disk full", "skipped": "a small disk cannot be mounted here (needs root)"}
    deployment = Deployment(options.binary, folder, data=data)
    try:
        await deployment.start()
        load = Load([deployment.nodes[0].port]).start()
        await load.goes_on(200)
        fill(data / "ballast")
        end = time.monotonic() + 30
        while load.refused < 20 and time.monotonic() < end:
            await asyncio.sleep(0.1)
        refused = load.refused
        (data / "ballast").unlink()
        await load.goes_on(200)
        # And once more, dying while it is full.
        await load.stop()
        fill(data / "ballast")
        load.start()
        await asyncio.sleep(1)
        await deployment.nodes[0].kill()
        (data / "ballast").unlink()
        await deployment.nodes[0].start()
        await load.goes_on(100)
        await load.stop()
        result = await outcome("embedded: disk full", deployment, load)
        result["passed"] = result["passed"] and refused > 0
        return result
    finally:
        await deployment.stop()
        subprocess.run(["umount", "-l", str(data)], capture_output=True)


async def takes_hits(store):
    """Waits until hits go to Redis, and not to the journal because it was away."""
    end = time.monotonic() + UP_WITHIN
    while "cmdstat_xadd" not in redis_cli(store.port, "info", "commandstats"):
        if time.monotonic() > end:
            raise RuntimeError("hits do not go to Redis")
        await asyncio.sleep(0.05)


async def redis(options, folder):
    """Redis killed, frozen and emptied"""
    postgres, store = postgres_server(folder), redis_server(options, folder)
    deployment = None
    try:
        await postgres.start()
        await store.start()
        deployment = Deployment(options.binary, folder, postgres, f"redis://127.0.0.1:{store.port}")
        await deployment.start()
        load = Load([deployment.nodes[0].port]).start()
        for _ in range(max(1, options.times // 5)):
            await takes_hits(store)
            load.note("Redis is killed")
            await store.kill()
            await load.goes_on(200)
            await store.start()
            load.note("Redis is there again")
        await takes_hits(store)
        load.note("Redis is frozen")
        store.process.send_signal(signal.SIGSTOP)
        await load.goes_on(200)
        store.process.send_signal(signal.SIGCONT)
        load.note("Redis is thawed")
        redis_cli(store.port, "config", "resetstat")
        await takes_hits(store)
        # Emptied when all is carried: nothing may be missing.
        await load.stop()
        await deployment.carried(load.ids())
        load.note("Redis is emptied, all is carried")
        redis_cli(store.port, "flushall")
        redis_cli(store.port, "script", "flush")
        load.start()
        await load.goes_on(200)
        # Emptied under load: what waited there at that moment goes with it.
        load.note("Redis is emptied under load")
        before = time.monotonic()
        redis_cli(store.port, "flushall")
        after = time.monotonic()
        await load.goes_on(200)
        await load.stop()
        # What had come in within the last half second may not have been carried; answers are read a moment after they came.
        waited = {id_ for id_, at in load.acknowledged.items() if before - 0.5 < at < after + 0.25}
        return await outcome("postgres+redis: Redis killed, frozen, emptied", deployment, load, may_be_lost=waited)
    finally:
        for server in [*(deployment.nodes if deployment else []), store]:
            await server.stop()
        await postgres.stop(signal.SIGQUIT)


async def postgres(options, folder):
    """PostgreSQL stopped for a while"""
    database, store = postgres_server(folder), redis_server(options, folder)
    deployment = None
    try:
        await database.start()
        await store.start()
        deployment = Deployment(options.binary, folder, database, f"redis://127.0.0.1:{store.port}")
        await deployment.start()
        load = Load([deployment.nodes[0].port]).start()
        await load.goes_on(200)
        await database.stop(signal.SIGQUIT)  # as a crash: with recovery at the next start
        await asyncio.sleep(options.seconds)
        await load.goes_on(100)
        await database.start()
        await load.goes_on(100)
        await load.stop()
        return await outcome(f"postgres+redis: PostgreSQL away {options.seconds} s", deployment, load)
    finally:
        for server in [*(deployment.nodes if deployment else []), store]:
            await server.stop()
        await database.stop(signal.SIGQUIT)


HAPROXY = """
global
    maxconn 2000
defaults
    mode http
    timeout connect 1s
    timeout client 60s
    timeout server 60s
    option redispatch
    retries 3
frontend visitors
    bind 127.0.0.1:{port}
    default_backend embudo
backend embudo
    option httpchk GET /health/live
    default-server check inter 500ms fall 2 rise 1 on-marked-down shutdown-sessions
{servers}
"""


async def nodes(options, folder):
    """Two nodes behind haproxy, a Redis Cluster of three, PostgreSQL; a node is killed, a master too"""
    database = postgres_server(folder)
    stores = [redis_server(options, folder, "--cluster-enabled", "yes", "--cluster-node-timeout", "1000",
                           "--cluster-require-full-coverage", "no") for _ in range(3)]
    balancer = deployment = None
    try:
        await database.start()
        for store in stores:
            await store.start()
        hosts = [f"127.0.0.1:{store.port}" for store in stores]
        words = ["redis-cli", "--cluster", "create", *hosts, "--cluster-yes"]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
        end = time.monotonic() + UP_WITHIN
        while not all("cluster_state:ok" in redis_cli(store.port, "cluster", "info") for store in stores):
            if time.monotonic() > end:
                raise RuntimeError("the cluster does not come up")
            await asyncio.sleep(0.05)
        deployment = Deployment(options.binary, folder, database, "redis+cluster://" + ",".join(hosts), nodes=2)
        await deployment.start()
        port, own = free_port(), folder / "haproxy.cfg"
        servers = "\n".join(f"    server node{n} 127.0.0.1:{node.port}" for n, node in enumerate(deployment.nodes))
        own.write_text(HAPROXY.format(port=port, servers=servers))
        balancer = Process(["haproxy", "-db", "-f", str(own)], folder / "haproxy.log", lambda: answers(port))
        await balancer.start()
        load = Load([port]).start()
        for number in range(max(2, options.times // 10)):
            await load.goes_on(200)
            node = deployment.nodes[number % 2]
            await node.kill()
            await load.goes_on(200)  # the other one goes on
            await node.start()
            await asyncio.sleep(1)  # until haproxy has seen it
        for store in stores[:2]:
            await load.goes_on(200)
            await store.kill()
            await load.goes_on(200)
            await store.start()
        await load.goes_on(200)
        await load.stop()
        return await outcome("two nodes, haproxy, Redis Cluster: node and master killed", deployment, load)
    finally:
        servers = [balancer, *(deployment.nodes if deployment else []), *stores]
        for server in filter(None, servers):
            await server.stop()
        await database.stop(signal.SIGQUIT)


SCENARIOS = {
    "embedded": embedded, "spread": spread, "disk": disk, "redis": redis, "postgres": postgres, "nodes": nodes,
    "calls": booked, "calls-spread": booked_spread,
}


async def run(options):
    results = []
    for name in options.only:
        folder = Path(tempfile.mkdtemp(prefix=f"embudo-chaos-{name}-"))
        folder.chmod(0o755)
        started = time.monotonic()
        print(f"… {name}: {SCENARIOS[name].__doc__}", flush=True)
        try:
            result = await SCENARIOS[name](options, folder)
        except (RuntimeError, OSError, subprocess.SubprocessError, sqlite3.Error) as error:
            result = {"scenario": name, "failed": str(error), "passed": False}
        while LOADS:
            await LOADS.pop().stop()
        result["took_s"] = round(time.monotonic() - started, 1)
        results.append(result)
        if result.get("passed", True):
            shutil.rmtree(folder, ignore_errors=True)
        else:
            print(f"  logs: {folder}")
    return results


def table(results):
    print(f"\n{'':6} {'acknowledged':>12} {'rows':>8} {'lost':>5} {'doubled':>7} {'gap s':>6} {'took s':>6}  scenario")
    for result in results:
        word = "skip" if "skipped" in result else "ok" if result["passed"] else "FAILED"
        if "acknowledged" not in result:
            print(f"{word:6} {'':>12} {'':>8} {'':>5} {'':>7} {'':>6} {result['took_s']:>6}  "
                  f"{result['scenario']}: {result.get('skipped') or result.get('failed')}")
            continue
        kills_ = f" × {result['kills']}" if "kills" in result else ""
        documented = result.get("lost_as_documented")
        note = f" ({documented} went with the emptied Redis, as documented)" if documented else ""
        print(f"{word:6} {result['acknowledged']:>12} {result['rows']:>8} {result['lost']:>5} {result['doubled']:>7} "
              f"{result['longest_gap_s']:>6} {result['took_s']:>6}  {result['scenario']}{kills_}{note}")
        for line in result.get("lost_when", []):
            print(f"{'':7}lost: acknowledged {line}")
    passed = sum(1 for result in results if result.get("passed"))
    failed = sum(1 for result in results if not result.get("passed", True))
    print(f"\n{passed} passed, {failed} failed, {len(results) - passed - failed} skipped")
    return failed


def binary():
    if "EMBUDO_BIN" in os.environ:
        return os.environ["EMBUDO_BIN"]
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    found = [path for path in (target / "release/embudo", target / "debug/embudo") if path.exists()]
    if not found:
        sys.exit("chaos: build the program first (cargo build), or name it by EMBUDO_BIN")
    return str(found[0])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=100, help="kills on each mix")
    parser.add_argument("--seconds", type=int, default=60, help="how long PostgreSQL is away")
    parser.add_argument("--fsync", choices=["everysec", "always"], default="everysec",
                        help="Redis' appendfsync; with everysec a killed Redis may lose what it answered a moment ago")
    parser.add_argument("--only", default=",".join(SCENARIOS), help=f"of {', '.join(SCENARIOS)}")
    options = parser.parse_args()
    options.only = options.only.split(",")
    for name in options.only:
        if name not in SCENARIOS:
            parser.error(f"there is no scenario `{name}` ({', '.join(SCENARIOS)})")
    options.binary = os.path.abspath(binary())
    results = asyncio.run(run(options))
    report = ROOT / "target/bench/chaos.json"
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text(json.dumps({"times": options.times, "fsync": options.fsync, "seconds": options.seconds, "results": results}, indent=2) + "\n")
    sys.exit(1 if table(results) else 0)


if __name__ == "__main__":
    main()
