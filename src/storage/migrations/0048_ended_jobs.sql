-- How many jobs were done in each quarter of an hour, of those that are not kept any more: a share of what was given up is
-- then right for every span, however long it is. A quarter of an hour, because days begin at its bounds in every time zone.
create table ended_jobs (
    -- the beginning of the quarter
    at bigint primary key,
    done bigint not null
);

-- From when on every job that was done is counted, here or as a row of its own: what was deleted before that is unknown.
create table ended_jobs_since (at bigint not null);
insert into ended_jobs_since (at) select coalesce(min(done_at), 0) from jobs where state = 'done';

-- Who did what, actor by actor: whether somebody has looked within the hour.
create index audit_actor on audit (actor, at);
