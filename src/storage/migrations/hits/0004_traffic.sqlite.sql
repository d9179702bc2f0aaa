-- Visits, and what is counted by hour and by day: all of it can be made again from the rows of `hits`.
create table visits (
    id blob primary key,
    site bigint not null,
    visitor text not null,
    consent bigint not null,
    bot bigint,
    started_at bigint not null,
    last_at bigint not null,
    hits bigint not null,
    pages bigint not null,
    events bigint not null,
    engaged_ms bigint not null,
    scroll bigint not null,
    host bigint not null,
    entry bigint,
    exit bigint,
    channel bigint not null,
    source bigint,
    medium bigint,
    campaign bigint,
    term bigint,
    content bigint,
    referrer bigint,
    country bigint,
    region bigint,
    city bigint,
    network bigint,
    device bigint not null,
    browser bigint not null,
    os bigint not null,
    language bigint,
    trail blob not null
);
create index visits_visitor on visits (visitor, started_at);
create index visits_site on visits (site, started_at);
create index visits_recent on visits (last_at);

create table traffic_hours (
    site bigint not null,
    hour bigint not null,
    views bigint not null,
    visits bigint not null,
    bounces bigint not null,
    engaged_ms bigint not null,
    events bigint not null,
    scroll bigint not null,
    visitors blob not null,
    primary key (site, hour)
) without rowid;
-- Days that are still open: a row for each value of each dimension.
create table traffic_days (
    site bigint not null,
    day bigint not null,
    dimension bigint not null,
    value bigint not null,
    views bigint not null,
    visits bigint not null,
    bounces bigint not null,
    engaged_ms bigint not null,
    events bigint not null,
    scroll bigint not null,
    visitors blob not null,
    primary key (site, dimension, day, value)
) without rowid;
-- Days that are closed: the largest values of a dimension in one row, and the rest as one.
create table traffic_closed (
    site bigint not null,
    dimension bigint not null,
    day bigint not null,
    body blob not null,
    primary key (site, dimension, day)
);
