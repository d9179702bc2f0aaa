-- What else a campaign says, and where on the map and in whose network an address is.
alter table hits add column term bigint;
alter table hits add column content bigint;
alter table hits add column region bigint;
alter table hits add column city bigint;
alter table hits add column network bigint;
