-- When the first report of what was watched came: nobody sees more than time has passed since. Rows of before have all the
-- time there is.
alter table watches add column begun_at bigint not null default 0;

-- Which mail asked for what was confirmed by its link.
alter table consents add column mail_id text;
