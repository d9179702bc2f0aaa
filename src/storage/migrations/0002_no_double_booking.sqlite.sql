-- SQLite has no exclusion constraint. Writers are serialised (begin immediate), so a trigger is
-- race-free here.
create trigger bookings_overlap_insert before insert on bookings
when new.state in ('hold', 'confirmed') and exists (
    select 1 from bookings b
    where b.rep = new.rep and b.state in ('hold', 'confirmed') and b.id <> new.id
      and b.block_from < new.block_to and new.block_from < b.block_to)
begin
    select raise(abort, 'bookings_overlap');
end;

create trigger bookings_overlap_update before update on bookings
when new.state in ('hold', 'confirmed') and exists (
    select 1 from bookings b
    where b.rep = new.rep and b.state in ('hold', 'confirmed') and b.id <> new.id
      and b.block_from < new.block_to and new.block_from < b.block_to)
begin
    select raise(abort, 'bookings_overlap');
end;
