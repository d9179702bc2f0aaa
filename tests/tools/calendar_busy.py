"""When somebody is busy by calendar files, worked out by libraries that are not ours.

Reads JSON from standard input: {"zone": …, "from": ms, "to": ms, "files": [text]}; prints a list for each file: the merged
stretches [[from, to]] in milliseconds. Run it with PYTHONTZPATH="" so that the zones are those of the package `tzdata`.
"""

import datetime
import json
import sys
import zoneinfo

import recurring_ical_events
from icalendar import Calendar

asked = json.load(sys.stdin)
zone = zoneinfo.ZoneInfo(asked["zone"])
utc = datetime.timezone.utc
window = [datetime.datetime.fromtimestamp(asked[edge] / 1000, utc) for edge in ("from", "to")]


def instant(moment: datetime.date) -> int:
    if not isinstance(moment, datetime.datetime):
        moment = datetime.datetime(moment.year, moment.month, moment.day, tzinfo=zone)
    elif moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    return round(moment.timestamp() * 1000)


def busy(text: str) -> list:
    spans = []
    for event in recurring_ical_events.of(Calendar.from_ical(text)).between(*window):
        if str(event.get("transp", "")) == "TRANSPARENT" or str(event.get("status", "")) == "CANCELLED":
            continue
        start, end = instant(event["dtstart"].dt), instant(event["dtend"].dt)
        start, end = max(start, asked["from"]), min(end, asked["to"])
        if start < end:
            spans.append([start, end])
    merged = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], end)
        else:
            merged.append([start, end])
    return merged


json.dump([busy(text) for text in asked["files"]], sys.stdout)
