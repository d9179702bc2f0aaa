#!/usr/bin/env python3
"""What open consoles cost the collector, and how soon they hear.

Starts a demo of its own on a free loopback port and lets an administrator in. `wrk` sends it hits (hits.lua) by turns with no
console open, with many whose tab lies in the background (a WebSocket each, which is told of everything), and with many in view
of Today, which fetch what changes of their page when they are told that visits have gone on, every three seconds at most, and
the whole page once a minute, as console.js does.
What counts is the ratio of hits a second to those without a console in the same round. The consoles are played on the same
cores as the server: the ratio is what both cost together; the server's own part is its CPU per hit, theirs is told beside it.

Then, without that load and with all consoles open, single visits are reported, and it is measured how long it takes from the
answer 202 until each console is told. Prints a table and the machine, writes target/bench/consoles.json, and ends with 1 if a
hit was refused or a console was not told.

    bench/consoles.py                                          200 consoles, 5 rounds of 10 s (about 3 minutes)
    bench/consoles.py --consoles 20 --rounds 1 --seconds 2 --visits 5    short

EMBUDO_BIN is the program (else target/release/embudo). Needs Python's own library, and wrk.
"""

import argparse
import asyncio
import base64
import json
import os
import random
import re
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import urllib.parse
from pathlib import Path

from chaos import Process, answers, free_port, uuid7

ROOT = Path(__file__).resolve().parent.parent
SELDOM, SPREAD = 3.0, 0.25  # seconds between two looks of a page, and over which those of many are spread (console.js)
MINUTE = 60.0
TOLD_WITHIN = 10.0
MARK_MS, MARK_SHARE = 500, 0.95
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


class Server:
    """The demo, with a site whose pages are those of hits.lua, and no limits in the way."""

    def __init__(self, folder, program):
        self.port = free_port()
        self.url = f"http://localhost:{self.port}"
        self.log = folder / "log"
        own = folder / "demo"
        for name in ("config", "data"):
            (own / name).mkdir(parents=True)
        (own / "config/embudo.toml").write_text(
            f"""
[server]
listen = "127.0.0.1:{self.port}"
public_url = "{self.url}"
trusted_proxies = ["127.0.0.1/32"]
[storage]
data = "{own / 'data'}"
[definitions]
assets = "../assets"
[collector]
hits_per_minute = 1000000
hits_burst = 1000000
[mail]
from = "hello@faro.example"
[[site]]
key = "faro"
name = "Librería Faro"
origins = ["{self.url}", "https://faro.example"]
language = "en"
time_zone = "Europe/Madrid"
[log]
level = "warn"
"""
        )
        words = [program, "demo", "--port", str(self.port), "--folder", str(own)]
        self.process = Process(words, self.log, lambda: answers(self.port, "/health/ready"), cwd=ROOT)

    def cpu_s(self):
        """Seconds of processor time so far."""
        fields = Path(f"/proc/{self.process.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def password(self):
        return re.search(r"password {2,}(.+)", self.log.read_text(errors="replace")).group(1).strip()


async def ask(port, method, path, headers=(), body=b""):
    """One request on a connection of its own: status, headers, body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        lines = [f"{method} {path} HTTP/1.1", f"host: localhost:{port}", "connection: close", f"user-agent: {AGENT}"]
        lines += [f"{name}: {value}" for name, value in headers]
        if method == "POST":
            lines.append(f"content-length: {len(body)}")
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        await writer.drain()
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        found = dict(line.lower().split(": ", 1) if not line.lower().startswith("set-cookie") else ("set-cookie", line.split(": ", 1)[1]) for line in head[1:] if line)
        return int(head[0].split()[1]), found, await reader.read()
    finally:
        writer.close()


async def log_in(server):
    form = urllib.parse.urlencode({"email": "admin@faro.example", "password": server.password(), "next": "/console"}).encode()
    headers = [("content-type", "application/x-www-form-urlencoded"), ("origin", server.url)]
    status, found, _ = await ask(server.port, "POST", "/console/login", headers, form)
    if status != 303:
        raise RuntimeError(f"the login answers {status}")
    cookie = found["set-cookie"].split(";")[0]
    _, _, page = await ask(server.port, "GET", "/console", [("cookie", cookie)])
    csrf = re.search(rb'name="csrf" content="([^"]+)"', page).group(1).decode()
    return cookie, csrf


class Line(asyncio.Protocol):
    """The WebSocket of an open page. As little Python as can be: 200 of these share the cores with the server."""

    def __init__(self, console):
        self.console, self.kept, self.is_open = console, b"", asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        self.transport = transport

    def connection_lost(self, _):
        self.console.fail(ConnectionError("the server has closed the line"))

    def send(self, code, data):
        """One frame of a client (RFC 6455, 5.2)."""
        mask = random.randbytes(4)
        length = bytes([0x80 | len(data)]) if len(data) < 126 else bytes([0x80 | 126]) + struct.pack(">H", len(data))
        self.transport.write(bytes([0x80 | code]) + length + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(data)))

    def data_received(self, data):
        data = self.kept + data if self.kept else data
        if not self.is_open.done():
            head, end, data = data.partition(b"\r\n\r\n")
            if not end:
                self.kept = head
                return
            if b" 101 " not in head.split(b"\r\n")[0]:
                self.is_open.set_exception(RuntimeError(f"the line was not opened: {head[:120]!r}"))
                return
            self.is_open.set_result(None)
        at = 0
        while len(data) >= at + 2:
            length, begins = data[at + 1], at + 2
            if length > 125:
                if length > 126:
                    self.console.fail(RuntimeError("a frame is larger than any that a page is told"))
                    return
                length, begins = int.from_bytes(data[at + 2 : at + 4], "big"), at + 4
            if len(data) < begins + length:
                break
            self.frame(data[at] & 0xF, data[begins : begins + length])
            at = begins + length
        self.kept = data[at:]

    def frame(self, code, data):
        if code == 0x9:
            self.send(0xA, data)
        elif code == 0x8:
            self.console.fail(ConnectionError("the server has ended the line"))
        elif code == 0x1 and b'"live"' in data and b'"wake"' in data:
            self.console.told()


class Fetches(asyncio.Protocol):
    """The connection on which a page is fetched again: browsers keep it."""

    def __init__(self, console):
        self.console, self.kept = console, b""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.kept += data
        head, end, body = self.kept.partition(b"\r\n\r\n")
        if not end:
            return
        length = re.search(rb"\ncontent-length: (\d+)", head.lower())
        if not (len(body) >= int(length.group(1)) if length else body.endswith(b"0\r\n\r\n")):
            return
        self.kept = b""
        if b" 200 " not in head.split(b"\r\n")[0]:
            self.console.fail(RuntimeError(f"the page is answered {head[:80]!r}"))
        self.console.looked()


class Console:
    """An open page: its line, and what it fetches when it is told of something (if it is in view)."""

    def __init__(self, server, cookie, csrf, in_view):
        self.server, self.cookie, self.csrf, self.in_view = server, cookie, csrf, in_view
        self.loop = asyncio.get_running_loop()
        # People do not open them all in the same moment.
        self.looked_at = self.loop.time() - random.random() * SELDOM
        self.told_at, self.waits, self.looks, self.failure, self.timers = 0.0, None, 0, None, {}
        self.looking, self.next = None, []

    async def open(self):
        key = base64.b64encode(random.randbytes(16)).decode()
        lines = [
            "GET /console/line?live=1 HTTP/1.1", f"host: localhost:{self.server.port}", f"origin: {self.server.url}", "upgrade: websocket",
            "connection: upgrade", "sec-websocket-version: 13", f"sec-websocket-key: {key}", f"cookie: {self.cookie}", "", "",
        ]  # fmt: skip
        _, self.line = await self.loop.create_connection(lambda: Line(self), "127.0.0.1", self.server.port)
        self.line.transport.write("\r\n".join(lines).encode())
        await self.line.is_open
        self.line.send(0x1, json.dumps({"type": "hello", "csrf": self.csrf}).encode())
        if self.in_view:
            _, self.fetches = await self.loop.create_connection(lambda: Fetches(self), "127.0.0.1", self.server.port)
            self.timers["minute"] = self.loop.call_later(random.random() * MINUTE, self.minute)

    def fail(self, error):
        self.failure = self.failure or error

    def told(self):
        self.told_at = time.monotonic()
        if self.waits and not self.waits.done():
            self.waits.set_result(None)
        if self.in_view and "seldom" not in self.timers:
            spread = random.random() * SPREAD
            wait = max(spread, self.looked_at + SELDOM - spread - self.loop.time())
            self.timers["seldom"] = self.loop.call_later(wait, self.look)

    def look(self):
        del self.timers["seldom"]
        self.looked_at = self.loop.time()
        self.fetch("/console/live/now")

    def minute(self):
        """What every page in view does once a minute: "3 min ago" grows old."""
        self.timers["minute"] = self.loop.call_later(MINUTE, self.minute)
        self.fetch("/console")

    def fetch(self, path):
        if self.looking:
            self.next.append(path)
            return
        self.looking = path
        lines = [f"GET {path} HTTP/1.1", f"host: localhost:{self.server.port}", f"user-agent: {AGENT}", f"cookie: {self.cookie}", "accept: text/html", "accept-encoding: gzip", "", ""]
        self.fetches.transport.write("\r\n".join(lines).encode())

    def looked(self):
        self.looks += 1
        self.looking = None
        if self.next:
            self.fetch(self.next.pop(0))

    def close(self):
        for timer in self.timers.values():
            timer.cancel()
        self.line.transport.abort()
        if self.in_view:
            self.fetches.transport.abort()


async def load(server, options):
    """Hits a second, microseconds of the server's CPU for each, and how many were not taken."""
    before, begun, own = server.cpu_s(), time.monotonic(), time.process_time()
    words = ["wrk", "-t2", f"-c{options.connections}", f"-d{options.seconds}s", "-s", str(ROOT / "bench/hits.lua"), f"http://127.0.0.1:{server.port}/v1/hit", "--", "faro"]
    child = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
    said = (await child.communicate())[0].decode()
    took, spent, own = time.monotonic() - begun, server.cpu_s() - before, time.process_time() - own
    hits = re.search(r"(\d+) requests in", said)
    if child.returncode or not hits:
        raise RuntimeError(f"wrk failed:\n{said}")
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    hits = int(hits.group(1))
    return {"per_s": hits / took, "cpu_us": spent * 1e6 / max(1, hits), "refused": int(refused.group(1)) if refused else 0, "clients": own / took}


async def opened(server, options, in_view):
    cookie, csrf = await log_in(server)
    consoles = [Console(server, cookie, csrf, in_view) for _ in range(options.consoles)]
    for console in consoles:
        await console.open()
    return consoles


def alive(consoles):
    for console in consoles:
        if console.failure:
            raise console.failure


async def visit(server, at):
    """Somebody opens a page; when the server has answered."""
    hit = {
        "id": str(uuid7()), "site": "faro", "name": "page", "url": f"https://faro.example/en/shelf-{at}", "title": "A shelf",
        "consent": "analytics", "language": "en-GB", "age_ms": 5, "visitor": str(uuid7()),
    }  # fmt: skip
    headers = [("content-type", "text/plain"), ("origin", "https://faro.example"), ("x-forwarded-for", "203.0.113.7")]
    status, _, body = await ask(server.port, "POST", "/v1/hit", headers, json.dumps(hit).encode())
    if status != 202:
        raise RuntimeError(f"a hit was answered {status}: {body[:200]!r}")
    return time.monotonic()


async def latency(server, options):
    consoles = await opened(server, options, False)
    took, untold = [], 0
    for at in range(options.visits):
        # Not in step with the server's own beats; and what was told of the visit before has long been told.
        await asyncio.sleep(0.6 + random.random())
        for console in consoles:
            console.waits = console.loop.create_future()
        answered = await visit(server, at)
        waiting = [asyncio.wait_for(console.waits, TOLD_WITHIN) for console in consoles]
        for console, outcome in zip(consoles, await asyncio.gather(*waiting, return_exceptions=True)):
            if isinstance(outcome, BaseException):
                untold += 1
            else:
                took.append(max(0.0, console.told_at - answered) * 1000)
        alive(consoles)
    for console in consoles:
        console.close()
    return sorted(took), untold


def machine():
    model = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    return f"{os.cpu_count()} cores, {model.group(1) if model else 'unknown'}"


async def measure(options, folder):
    server = Server(folder, options.program)
    await server.process.start()
    try:
        ways = {"none": None, "in the background": False, "in view": True}
        found = {name: [] for name in ways}
        await load(server, argparse.Namespace(**{**vars(options), "seconds": 1}))
        for turn in range(options.rounds):
            # By turns, and not always in the same order: the store grows meanwhile.
            for name in list(ways) if turn % 2 == 0 else list(reversed(ways)):
                consoles = [] if ways[name] is None else await opened(server, options, ways[name])
                result = await load(server, options)
                alive(consoles)
                result["looks"] = sum(console.looks for console in consoles)
                for console in consoles:
                    console.close()
                found[name].append(result)
        took, untold = await latency(server, options)
    finally:
        await server.process.stop()
    return found, took, untold


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--consoles", type=int, default=200)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--visits", type=int, default=40)
    options = parser.parse_args()
    options.program = os.environ.get("EMBUDO_BIN", str(ROOT / "target/release/embudo"))
    for needed in (options.program, "wrk"):
        if not shutil.which(needed):
            sys.exit(f"{needed} is not there")
    with tempfile.TemporaryDirectory(prefix="embudo-consoles-") as folder:
        found, took, untold = asyncio.run(measure(options, Path(folder)))
    print(f"{options.consoles} consoles, {options.connections} connections, {options.rounds} rounds of {options.seconds} s; {machine()}")
    print(f"{'consoles':<20} {'hits/s':>9} {'of none, median [spread]':>26} {'server CPU µs/hit':>18} {'of a core: consoles played':>27} {'pages fetched':>14}")
    rows = {}
    for name, results in found.items():
        ratios = sorted(one["per_s"] / none["per_s"] for one, none in zip(results, found["none"]))
        middle = {key: statistics.median(one[key] for one in results) for key in ("per_s", "cpu_us", "looks", "clients")}
        ratio = statistics.median(ratios)
        rows[name] = {**middle, "ratio": ratio, "ratios": ratios}
        below = "" if ratio >= MARK_SHARE else "  below the mark"
        print(f"{name:<20} {middle['per_s']:>9.0f} {f'{ratio:.3f} [{ratios[0]:.3f}–{ratios[-1]:.3f}]':>26} {middle['cpu_us']:>18.0f} {middle['clients']:>27.2f} {middle['looks']:>14.0f}{below}")
    share = lambda part: took[min(len(took) - 1, int(len(took) * part))] if took else float("nan")  # noqa: E731
    told = {"p50_ms": share(0.5), "p99_ms": share(0.99), "max_ms": took[-1] if took else None, "untold": untold, "heard": len(took)}
    print(f"a visit reaches an open console (from the 202): p50 {told['p50_ms']:.0f} ms, p99 {told['p99_ms']:.0f} ms, most {told['max_ms'] or 0:.0f} ms of {len(took)}; not told {untold}")
    refused = sum(one["refused"] for results in found.values() for one in results)
    target = ROOT / "target/bench"
    target.mkdir(parents=True, exist_ok=True)
    document = {"case": "consoles", "consoles": options.consoles, "rounds": options.rounds, "seconds": options.seconds, "load": rows, "told": told, "refused": refused, "marks": {"ratio": MARK_SHARE, "told_ms": MARK_MS}, "machine": machine()}
    (target / "consoles.json").write_text(json.dumps(document, indent=1) + "\n")
    if refused or untold:
        sys.exit(f"{refused} hits were refused, {untold} times a console was not told")


if __name__ == "__main__":
    main()
