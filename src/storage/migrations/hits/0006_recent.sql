-- Who is on the sites now is counted from the index alone, and those that programs visited do not stand in it.
drop index visits_recent;
create index visits_recent on visits (last_at, site, visitor, consent) where bot is null;
