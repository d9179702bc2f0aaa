"""The questions of the dashboard as DuckDB answers them, by scanning the rows of a hits.db.

usage: duckdb_scan.py HITS_DB   (needs the package `duckdb`; prints a table of medians in milliseconds)
"""

import sqlite3
import statistics
import sys
import time

import duckdb

COLUMNS = ["site", "at", "visitor", "session", "path", "source", "country", "device", "channel"]
QUESTIONS = {
    "summary by day": "select moment // 86400000 as day, count(*), count(distinct visitor), count(distinct session) "
    "from hits where {here} group by day order by day",
    "page": "select path, count(*) as n, count(distinct visitor) from hits where {here} group by path order by n desc limit 10",
    "source": "select source, count(*) as n, count(distinct visitor) from hits where {here} group by source order by n desc limit 10",
    "channel": "select channel, count(*) as n, count(distinct visitor) from hits where {here} group by channel order by n desc limit 10",
    "country": "select country, count(*) as n, count(distinct visitor) from hits where {here} group by country order by n desc limit 10",
    "device": "select device, count(*) as n, count(distinct visitor) from hits where {here} group by device order by n desc limit 10",
}


def main() -> None:
    rows = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
    engine = duckdb.connect()
    engine.execute("set threads to 2")
    engine.execute(
        "create table hits (site bigint, moment bigint, visitor ubigint, session ubigint, path bigint, source bigint, "
        "country bigint, device bigint, channel bigint)"
    )
    import numpy  # DuckDB takes columns by name from it

    cursor = rows.execute(f"select {', '.join(COLUMNS)} from hits order by site, at")
    while batch := cursor.fetchmany(500_000):
        number = lambda value: 0 if value is None else value
        low = lambda value: int.from_bytes(value[8:], "big")
        columns = list(zip(*batch))
        frame = {
            name: numpy.array(
                [low(value) for value in column] if name in ("visitor", "session") else [number(v) for v in column],
                dtype="uint64" if name in ("visitor", "session") else "int64",
            )
            for name, column in zip(COLUMNS, columns)
        }
        engine.execute("insert into hits select * from frame")
    last = engine.execute("select max(moment) // 86400000 from hits").fetchone()[0]
    print("| site | question | median ms |\n|---|---|---|")
    for key in ("site-0", "site-7"):
        (site,) = rows.execute("select id from words where text = ?", [key]).fetchone()
        here = f"site = {site} and moment >= {(last - 29) * 86400000}"
        for name, text in QUESTIONS.items():
            times = []
            for _ in range(7):
                started = time.perf_counter()
                engine.execute(text.format(here=here)).fetchall()
                times.append((time.perf_counter() - started) * 1000)
            print(f"| {key} | {name} | {statistics.median(times):.2f} |")


main()
