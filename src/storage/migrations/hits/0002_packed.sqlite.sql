-- Rows of numbers: a text that many hits share stands once in `words`, ids are 16 bytes.
alter table hits rename to hits_of_texts;
drop index hits_visitor;

create table words (
    id integer primary key,
    text text not null unique
);
-- How far each journal has been carried into the rows.
create table log_cursors (
    name text primary key,
    position bigint not null
);
create table hits (
    seq integer primary key autoincrement,
    day bigint not null,
    id blob not null,
    site bigint not null,
    at bigint not null,
    received_at bigint not null,
    visitor blob not null,
    session blob not null,
    name bigint not null,
    host bigint not null,
    path bigint not null,
    title bigint,
    referrer bigint,
    channel bigint not null,
    source bigint,
    medium bigint,
    campaign bigint,
    country bigint,
    device bigint not null,
    browser bigint not null,
    os bigint not null,
    language bigint,
    consent bigint not null,
    bot bigint,
    engaged_ms bigint not null,
    scroll bigint not null,
    props text
);
create unique index hits_id on hits (day, id);

insert into words (text)
    select t from (select site as t from hits_of_texts union select name from hits_of_texts union select host from hits_of_texts
    union select path from hits_of_texts union select title from hits_of_texts union select referrer from hits_of_texts
    union select channel from hits_of_texts union select source from hits_of_texts union select medium from hits_of_texts
    union select campaign from hits_of_texts union select country from hits_of_texts union select device from hits_of_texts
    union select browser from hits_of_texts union select os from hits_of_texts union select language from hits_of_texts
    union select bot_reason from hits_of_texts) where t is not null;
insert into hits
    select seq, received_at / 86400000, unhex(replace(id, '-', '')), (select w.id from words w where w.text = site), at,
        received_at, unhex(replace(visitor_id, '-', '')), unhex(replace(session_id, '-', '')),
        (select w.id from words w where w.text = h.name), (select w.id from words w where w.text = host),
        (select w.id from words w where w.text = path), (select w.id from words w where w.text = title),
        (select w.id from words w where w.text = referrer), (select w.id from words w where w.text = channel),
        (select w.id from words w where w.text = source), (select w.id from words w where w.text = medium),
        (select w.id from words w where w.text = campaign), (select w.id from words w where w.text = country),
        (select w.id from words w where w.text = device), (select w.id from words w where w.text = browser),
        (select w.id from words w where w.text = os), (select w.id from words w where w.text = language),
        case consent when 'none' then 0 when 'analytics' then 1 else 2 end,
        (select w.id from words w where w.text = bot_reason), engaged_ms, scroll, nullif(props, '{}')
    from hits_of_texts h;
drop table hits_of_texts;
