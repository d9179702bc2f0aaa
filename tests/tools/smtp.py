"""A real mail server (aiosmtpd) for the tests, which can also fail on command.

    smtp.py FOLDER [PORT]

Prints `port N` once it listens. Every mail it keeps is a file in FOLDER as it came (0001.eml)
and as a reader sees it (0001.json).
A line on its standard input sets how it behaves from now on; it answers with the same line.

    accept   takes everything (the start)
    down     cuts every open line and listens no more: connections are refused
    busy     answers 451 to every recipient: try again later
    refuse   answers 550 to every recipient: never try again
    forbid   answers 554 to every recipient: this sender may not send, whoever the recipient is
    picky    answers 550 to recipients whose address begins with "gone"
    drop     reads the whole mail, then cuts the line without an answer and keeps nothing
    lost     keeps the mail, then cuts the line without an answer: the sender cannot know
    tarpit   takes connections and says nothing more, on new lines and on open ones

Ends when its standard input ends, so it never outlives the test that started it.
"""

import asyncio
import email
import email.policy
import json
import logging
import pathlib
import sys
import weakref

from aiosmtpd.smtp import SMTP, Envelope, Session

MODES = {"accept", "down", "busy", "refuse", "forbid", "picky", "drop", "lost", "tarpit"}


class Desk:
    """What happens to a mail."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.mode = "accept"
        self.kept = 0

    async def handle_RCPT(self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list) -> str:
        while self.mode == "tarpit":
            await asyncio.sleep(0.05)
        if self.mode == "busy":
            return "451 4.3.0 Busy, try again later"
        if self.mode == "refuse" or (self.mode == "picky" and address.startswith("gone")):
            return "550 5.1.1 No such mailbox"
        if self.mode == "forbid":
            return "554 5.7.1 Relaying denied"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:
        if self.mode != "drop":
            self.keep(envelope)
        if self.mode in ("drop", "lost"):
            server.transport.abort()
        return "250 2.0.0 Kept"

    def keep(self, envelope: Envelope) -> None:
        self.kept += 1
        name = self.folder / f"{self.kept:04}"
        name.with_suffix(".eml").write_bytes(envelope.original_content)
        draft = name.with_suffix(".part")
        draft.write_text(json.dumps(told(envelope)))
        draft.rename(name.with_suffix(".json"))


def told(envelope: Envelope) -> dict:
    """The mail as a reader sees it, read by Python's own mail library."""
    mail = email.message_from_bytes(envelope.original_content, policy=email.policy.default)
    parts = {}
    for part in mail.walk():
        kind = part.get_content_type()
        if kind in ("text/plain", "text/html", "text/calendar"):
            # a calendar keeps its line ends: they are part of its format
            words = part.get_payload(decode=True).decode(part.get_content_charset("utf-8"))
            parts.setdefault(kind, words if kind == "text/calendar" else words.replace("\r\n", "\n"))
    return {
        "envelope_from": envelope.mail_from,
        "envelope_to": envelope.rcpt_tos,
        "from": str(mail["from"]),
        "to": str(mail["to"]),
        "subject": str(mail["subject"]),
        "message_id": str(mail["message-id"]),
        "headers": {key.lower(): str(value) for key, value in mail.items()},
        "text": parts.get("text/plain", ""),
        "html": parts.get("text/html", ""),
        "calendar": parts.get("text/calendar"),
    }


async def serve(folder: pathlib.Path, port: int) -> None:
    desk = Desk(folder)
    loop = asyncio.get_running_loop()

    open_lines: weakref.WeakSet[SMTP] = weakref.WeakSet()

    def answer() -> asyncio.Protocol:
        if desk.mode == "tarpit":
            return asyncio.Protocol()
        line = SMTP(desk, hostname="mail.test", enable_SMTPUTF8=True, loop=loop)
        open_lines.add(line)
        return line

    async def listen(port: int) -> asyncio.Server:
        return await loop.create_server(answer, "127.0.0.1", port)

    listener = await listen(port)
    port = listener.sockets[0].getsockname()[1]
    print(f"port {port}", flush=True)

    orders = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    while line := await orders.readline():
        order = line.decode().strip()
        if order not in MODES:
            print(f"unknown order {order}", flush=True)
            continue
        if order == "down" and desk.mode != "down":
            listener.close()
            for smtp in open_lines:
                if smtp.transport is not None:
                    smtp.transport.abort()
        if order != "down" and desk.mode == "down":
            listener = await listen(port)
        desk.mode = order
        print(order, flush=True)


if __name__ == "__main__":
    logging.getLogger("mail.log").setLevel(logging.CRITICAL)
    target = pathlib.Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    asyncio.run(serve(target, int(sys.argv[2]) if len(sys.argv) > 2 else 0))
