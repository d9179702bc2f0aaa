"""Reads a calendar file from standard input with a parser that is not ours and prints what it says as JSON."""

import json
import sys

from icalendar import Calendar

calendar = Calendar.from_ical(sys.stdin.buffer.read())
events = []
for event in calendar.walk("VEVENT"):
    events.append(
        {
            "uid": str(event["uid"]),
            "summary": str(event.get("summary", "")),
            "description": str(event.get("description", "")),
            "location": str(event.get("location", "")),
            "sequence": int(event.get("sequence", 0)),
            "status": str(event.get("status", "")),
            "starts_at": round(event["dtstart"].dt.timestamp() * 1000),
            "ends_at": round(event["dtend"].dt.timestamp() * 1000),
            "organizer": str(event.get("organizer", "")),
            "attendees": [
                str(person)
                for person in (lambda a: a if isinstance(a, list) else [a])(event.get("attendee", []))
            ],
        }
    )
json.dump({"method": str(calendar.get("method", "")), "events": events}, sys.stdout)
