-- The last line of defence. Writers also take an advisory lock per rep first: without it two
-- inserters into an exclusion constraint can deadlock.
create extension if not exists btree_gist;

alter table bookings add constraint bookings_overlap
    exclude using gist (rep with =, int8range(block_from, block_to) with &&)
    where (state in ('hold', 'confirmed'));
