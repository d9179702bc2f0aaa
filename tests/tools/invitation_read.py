"""Reads a mail from standard input as two calendar programs would and prints what both see as JSON.

The mail is taken apart by Python's `email`, its calendar by `icalendar` and, independently, by `vobject`.
"""

import email
import email.policy
import json
import sys

import icalendar
import vobject

mail = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.default)


def tree(part) -> object:
    kind = part.get_content_type()
    return [kind, [tree(inner) for inner in part.iter_parts()]] if part.is_multipart() else kind


def first(kind: str):
    return next(part for part in mail.walk() if part.get_content_type() == kind)


invitation = first("text/calendar")
text = invitation.get_payload(decode=True)
attached = first("application/ics").get_payload(decode=True)


def by_icalendar() -> dict:
    calendar = icalendar.Calendar.from_ical(text)
    [event] = calendar.walk("VEVENT")
    people = event["attendee"] if isinstance(event["attendee"], list) else [event["attendee"]]
    return {
        "method": str(calendar["method"]),
        "uid": str(event["uid"]),
        "sequence": int(event["sequence"]),
        "status": str(event["status"]),
        "summary": str(event["summary"]),
        "starts_at": round(event["dtstart"].dt.timestamp() * 1000),
        "ends_at": round(event["dtend"].dt.timestamp() * 1000),
        "organizer": str(event["organizer"]).lower(),
        "attendees": sorted(str(person).lower() for person in people),
        "rsvp": sorted(str(person.params["RSVP"]) for person in people),
    }


def by_vobject() -> dict:
    calendar = vobject.readOne(text.decode())
    event = calendar.vevent
    return {
        "method": calendar.method.value,
        "uid": event.uid.value,
        "sequence": int(event.sequence.value),
        "status": event.status.value,
        "summary": event.summary.value,
        "starts_at": round(event.dtstart.value.timestamp() * 1000),
        "ends_at": round(event.dtend.value.timestamp() * 1000),
        "organizer": event.organizer.value.lower(),
        "attendees": sorted(person.value.lower() for person in event.attendee_list),
        "rsvp": sorted(person.params["RSVP"][0] for person in event.attendee_list),
    }


json.dump(
    {
        "tree": tree(mail),
        "method": invitation.get_param("method"),
        "charset": invitation.get_content_charset(),
        "from": str(mail["from"].addresses[0].addr_spec),
        "headers": sorted(name.lower() for name in mail.keys()),
        "same": text.replace(b"\r\n", b"\n") == attached.replace(b"\r\n", b"\n"),
        "icalendar": by_icalendar(),
        "vobject": by_vobject(),
    },
    sys.stdout,
)
