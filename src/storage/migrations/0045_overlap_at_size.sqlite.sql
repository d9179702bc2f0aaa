-- The guard looked at every earlier call of the rep, so a booking became dearer with each one. No block is longer than a
-- day (`meeting_file.rs` bounds its parts), so none that began two days before can reach in; and one that is longer is
-- refused here, because then that would not hold.
drop trigger bookings_overlap_insert;
drop trigger bookings_overlap_update;
create trigger bookings_overlap_insert before insert on bookings
when new.state in ('hold', 'confirmed') and exists (
    select 1 from bookings b
    where b.rep = new.rep and b.block_from > new.block_from - 172800000 and b.block_from < new.block_to
      and new.block_from < b.block_to and b.state in ('hold', 'confirmed') and b.id <> new.id)
begin
    select raise(abort, 'bookings_overlap');
end;

create trigger bookings_overlap_update before update on bookings
when new.state in ('hold', 'confirmed') and exists (
    select 1 from bookings b
    where b.rep = new.rep and b.block_from > new.block_from - 172800000 and b.block_from < new.block_to
      and new.block_from < b.block_to and b.state in ('hold', 'confirmed') and b.id <> new.id)
begin
    select raise(abort, 'bookings_overlap');
end;

create trigger bookings_block_insert before insert on bookings when new.block_to - new.block_from > 86400000
begin
    select raise(abort, 'bookings_block');
end;
create trigger bookings_block_update before update on bookings when new.block_to - new.block_from > 86400000
begin
    select raise(abort, 'bookings_block');
end;
