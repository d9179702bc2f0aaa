-- Why a job waits, failed or was let be, in a word that stays; `last_error` is what the other side said.
alter table jobs add column last_code text;

-- Of which call a mail to the visitor tells: whoever holds it hears if the mail comes back.
alter table mails add column booking_id text;
create index mails_of_calls on mails (recipient, sent_at) where booking_id is not null;

-- Mails about a call that did not reach whoever booked it, once for each call and address.
create table undelivered (
    booking_id text not null references bookings (id),
    recipient text not null,
    contact_id text,
    -- the mail's name
    template text not null,
    -- refused, gave_up, blocked, bounced
    how text not null,
    -- what the mail server said
    said text,
    at bigint not null,
    primary key (booking_id, recipient)
);
create index undelivered_contact on undelivered (contact_id);

-- By which edition of the zones a call's time was told, and how far the visitor's clock was from UTC then.
alter table bookings add column tzdb text;
alter table bookings add column offset_s bigint;

-- The times (JSON, milliseconds) that were free when she asked and did not fit: she is told when there is another.
alter table opening_wishes add column unfit text;
