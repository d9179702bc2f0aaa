-- A packed day has its sketches apart from the list of its values, and the sketches of its largest values apart from the
-- rest. Days that were closed before have both in the body, which is still read.
alter table traffic_closed add column largest bytea;
alter table traffic_closed add column rest bytea;
-- Days that are over and rest until no hit can come late: packed with all their values.
create table traffic_resting (
    site bigint not null,
    dimension bigint not null,
    day bigint not null,
    body bytea not null,
    largest bytea not null,
    rest bytea not null,
    primary key (site, dimension, day)
);
