-- The guard against overlaps has an index of its own here. What SQLite's relies on holds on both engines.
alter table bookings add constraint bookings_block check (block_to - block_from <= 86400000);
