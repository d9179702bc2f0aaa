-- Visits are counted beside the hits now; they are made again from there.
drop table visits;
delete from projection_cursors where name = 'visits';
