-- How often the booking page of a meeting is opened, shows times and ends in a call, by the hour. Who it was is not kept.
create table booking_page_counts (
    meeting text not null,
    -- the hour's first millisecond
    hour bigint not null,
    opened bigint not null,
    shown bigint not null,
    booked bigint not null,
    primary key (meeting, hour)
);
create index booking_page_counts_hour on booking_page_counts (hour);
