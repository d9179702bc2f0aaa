"""The questions of the dashboard as DuckDB answers them, by scanning the rows of a hits.db.

usage: duckdb_scan.py HITS_DB [REPORTS_JSON]   (needs the packages `duckdb` and `numpy`)

The rows are first copied into a table of DuckDB's own in memory, in the order of sites and times, which is the best that it
can be given: of every column it skips the blocks of other sites and months. Prints a table of medians in milliseconds;
with the results of `cargo bench --bench collector -- reports` ours stand beside them. DuckDB is asked for less than a panel
tells: views and visitors, without visits, bounces and attention.
"""

import json
import sqlite3
import statistics
import sys
import time

import duckdb
import numpy  # DuckDB takes columns by name from it

IDS = ["visitor", "session"]
NUMBERS = ["site", "at", "path", "source", "channel", "campaign", "country", "device", "browser", "language"]
REPEATS = 21


def values(column: str) -> str:
    return (
        f"select {column}, count(*) as n, count(distinct visitor) from hits "
        f"where {{here}} group by {column} order by n desc limit 10"
    )


def ends(end: str) -> str:
    return (
        "select page, count(*) as n, count(distinct visitor) from "
        f"(select {end}(path, moment) as page, any_value(visitor) as visitor from hits where {{here}} group by session) "
        "group by page order by n desc limit 10"
    )


QUESTIONS = {
    "summary by day": "select moment // 86400000 as day, count(*), count(distinct visitor), count(distinct session) "
    "from hits where {here} group by day order by day",
    "page": values("path"),
    "entry": ends("arg_min"),
    "exit": ends("arg_max"),
} | {column: values(column) for column in NUMBERS[3:]}


def load(rows: sqlite3.Connection, engine: duckdb.DuckDBPyConnection) -> None:
    kinds = [f"{name} ubigint" for name in IDS]
    # `at` is a word of DuckDB's.
    kinds += [f"{'moment' if name == 'at' else name} bigint" for name in NUMBERS]
    engine.execute(f"create table arrived ({', '.join(kinds)})")
    cursor = rows.execute(f"select {', '.join(IDS + NUMBERS)} from hits order by seq")
    while batch := cursor.fetchmany(500_000):
        columns = dict(zip(IDS + NUMBERS, zip(*batch)))
        # The second halves of ids are as random as they need be.
        frame = {name: numpy.frombuffer(b"".join(columns[name]), dtype=">u8")[1::2].astype("uint64") for name in IDS}
        frame |= {name: numpy.array([value or 0 for value in columns[name]], dtype="int64") for name in NUMBERS}
        engine.execute("insert into arrived select * from frame")
    engine.execute("create table hits as select * from arrived order by site, moment")
    engine.execute("drop table arrived")


def main() -> None:
    rows = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
    ours = json.load(open(sys.argv[2], encoding="utf-8"))["rows"] if len(sys.argv) > 2 else []
    ours = {(row["site"], row["panel"]): row for row in ours}
    engine = duckdb.connect()
    engine.execute("set threads to 2")
    load(rows, engine)
    last = engine.execute("select max(moment) // 86400000 from hits").fetchone()[0]
    (count,) = engine.execute("select count(*) from hits").fetchone()
    print(f"DuckDB {duckdb.__version__}, 2 threads, {count} rows in memory, {REPEATS} times each\n")
    print("| site | panel | DuckDB median ms | ours median ms | ours p99 ms | ratio of medians |")
    print("|---|---|---|---|---|---|")
    for key in ("site-0", "site-7"):
        (site,) = rows.execute("select id from words where text = ?", [key]).fetchone()
        here = f"site = {site} and moment >= {(last - 29) * 86400000}"
        for name, text in QUESTIONS.items():
            times = []
            for _ in range(REPEATS):
                started = time.perf_counter()
                engine.execute(text.format(here=here)).fetchall()
                times.append((time.perf_counter() - started) * 1000)
            theirs = statistics.median(times)
            told = f"| {key} | {name} | {theirs:.2f} |"
            if own := ours.get((key, name)):
                ratio = own["median_ms"] / theirs
                told += f" {own['median_ms']:.2f} | {own['p99_ms']:.2f} | {ratio:.2f} |"
            print(told)


main()
