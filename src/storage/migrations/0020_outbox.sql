-- Whom a piece of work goes to, so that one who hangs keeps nobody else waiting. Rows of before have none and share a turn.
alter table jobs add column target text not null default '';
create index jobs_target on jobs (target, next_at) where state in ('ready', 'running');
create index jobs_dead on jobs (done_at) where state = 'dead';
drop index jobs_due;

-- How webhooks do: since when nothing was taken, and which are not tried any more.
create table endpoints (
    name text primary key,
    failing_since bigint,
    disabled_at bigint,
    why text
);

-- What the next summary by mail tells somebody.
create table digest_lines (
    id text primary key,
    account_id text not null references accounts (id),
    due_at bigint not null,
    notice text not null,
    at bigint not null,
    -- The mail that tells it.
    mail_id text
);
create index digest_lines_due on digest_lines (account_id, due_at);
