-- The team that somebody was asked of, for the inbox.
alter table conversations add column team text;
-- What the newest link carries by which she goes on with it on another device; none: there is no such link.
alter table conversations add column resume_key text;
