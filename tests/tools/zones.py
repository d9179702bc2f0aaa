"""Prints, for each zone named, every change of its distance from UTC from 2025 to 2035, by Python's own zone data
(the package tzdata: run with PYTHONTZPATH="", or the machine's stale files are read)."""

import datetime
import json
import sys
import zoneinfo

FROM = datetime.datetime(2025, 1, 1, tzinfo=datetime.timezone.utc)
TO = datetime.datetime(2036, 1, 1, tzinfo=datetime.timezone.utc)
STEP = datetime.timedelta(hours=3)  # no zone changes twice within
MINUTE = datetime.timedelta(minutes=1)


def offset_s(zone, at):
    return round(at.astimezone(zone).utcoffset().total_seconds())


found = {}
for name in sys.argv[1:]:
    zone = zoneinfo.ZoneInfo(name)
    last = offset_s(zone, FROM)
    changes = [[round(FROM.timestamp() * 1000), last * 1000]]
    at = FROM
    while at < TO:
        before, at = at, at + STEP
        if at < TO and offset_s(zone, at) != last:
            # The first minute of the new offset lies in (before, after].
            after = at
            while after - before > MINUTE:
                middle = before + (after - before) // 2 // MINUTE * MINUTE
                if offset_s(zone, middle) == last:
                    before = middle
                else:
                    after = middle
            last = offset_s(zone, after)
            changes.append([round(after.timestamp() * 1000), last * 1000])
    found[name] = changes
json.dump(found, sys.stdout)
