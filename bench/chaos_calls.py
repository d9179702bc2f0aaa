"""Booked calls while a server is killed: none that was acknowledged is lost, none is there twice, no two stand at one time.

A scenario of bench/chaos.py. People book times at random with an `Idempotency-Key` each; whoever hears nothing asks again
with the same key, as a program should; now and then the same request goes out twice at once.
"""

import asyncio
import json
import random
import sqlite3
import time
import urllib.error
import urllib.request
import uuid

PEOPLE = 8


class Callers:
    """People who book, and what they were told."""

    def __init__(self, port):
        self.port, self.tasks, self.is_over = port, [], False
        self.booked, self.refused, self.broken, self.repeated = {}, 0, 0, 0

    def start(self):
        self.tasks = [asyncio.create_task(self.book_on(number)) for number in range(PEOPLE)]
        return self

    async def stop(self):
        """Everybody hears the end of what she asked last."""
        self.is_over = True
        await asyncio.wait_for(asyncio.gather(*self.tasks), 90)

    async def goes_on(self, count):
        goal, end = len(self.booked) + count, time.monotonic() + 60
        while len(self.booked) < goal:
            if time.monotonic() > end:
                raise RuntimeError("calls are not booked any more")
            await asyncio.sleep(0.01)

    def ask(self, path, body=None, key=None):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method="POST" if body else "GET")
        request.add_header("content-type", "application/json")
        if key:
            request.add_header("idempotency-key", key)
        try:
            with urllib.request.urlopen(request, json.dumps(body).encode() if body else None, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    async def heard(self, path, body=None, key=None):
        """The answer, however often it takes; a server that is away is asked again."""
        while True:
            try:
                status, answer = await asyncio.to_thread(self.ask, path, body, key)
                if status < 500:
                    return status, answer
            except (OSError, ValueError):
                self.broken += 1
            await asyncio.sleep(0.05)

    async def book_on(self, number):
        while not self.is_over:
            now = int(time.time() * 1000)
            _, found = await self.heard(f"/v1/slots?meeting=discovery&from={now}&to={now + 90 * 86_400_000}")
            if not found.get("slots"):
                return
            key = str(uuid.uuid4())
            body = {
                "meeting": "discovery", "starts_at": random.choice(found["slots"])["starts_at"], "zone": "Europe/Madrid",
                "name": f"Caller {number}", "email": f"{key[:8]}@caller{number}.example", "visitor": str(uuid.uuid4()),
            }
            asked = [self.heard("/v1/bookings", body, key)]
            if random.random() < 0.2:
                asked.append(self.heard("/v1/bookings", body, key))
                self.repeated += 1
            answers = await asyncio.gather(*asked)
            ids = {answer["booking"] for status, answer in answers if status == 201}
            if len(ids) > 1:
                raise RuntimeError(f"one key booked {len(ids)} calls")
            if ids:
                self.booked[key] = ids.pop()
            else:
                self.refused += 1


ROWS = "select id, rep, block_from, block_to from bookings where state = 'confirmed' order by rep, block_from"
MAILS = "select recipient, count(*) from mails where template = 'booking_confirmed' group by recipient"


def select(deployment, psql, text):
    if deployment.postgres:
        return [line.split("|") for line in psql(deployment.postgres.url, text)]
    with sqlite3.connect(f"file:{deployment.nodes[0].data}/embudo.db?mode=ro", uri=True) as rows:
        return [[str(cell) for cell in row] for row in rows.execute(text)]


async def calls(name, deployment, times, psql):
    """Kills the server while calls are booked, and compares what people were told with what stands."""
    await deployment.start()
    callers = Callers(deployment.nodes[0].port).start()
    for _ in range(times):
        await callers.goes_on(4)
        await asyncio.sleep(random.uniform(0.02, 0.4))
        await deployment.nodes[0].kill()
        await deployment.nodes[0].start()
    await callers.goes_on(4)
    await callers.stop()
    acknowledged = set(callers.booked.values())
    end = time.monotonic() + 60
    while True:  # every mail to a caller goes out once
        mails = {to: int(n) for to, n in select(deployment, psql, MAILS) if "@caller" in to}
        if len(mails) >= len(acknowledged) or time.monotonic() > end:
            break
        await asyncio.sleep(0.3)
    rows = select(deployment, psql, ROWS)
    stand = {row[0] for row in rows}
    overlaps = sum(a[1] == b[1] and int(b[2]) < int(a[3]) for a, b in zip(rows, rows[1:]))
    mail_twice = sum(n > 1 for n in mails.values())
    result = {
        "scenario": name, "kills": times, "acknowledged": len(acknowledged), "rows": len(rows),
        "lost": len(acknowledged - stand), "doubled": len(stand - acknowledged) + overlaps + mail_twice,
        "overlaps": overlaps, "mails_missing": len(acknowledged) - len(mails), "mails_twice": mail_twice,
        "sent_again": callers.repeated, "refused": callers.refused, "broken_connections": callers.broken,
        "longest_gap_s": 0.0,
    }
    result["passed"] = not any(result[key] for key in ("lost", "doubled", "mails_missing"))
    return result
