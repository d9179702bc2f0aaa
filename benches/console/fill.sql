-- A company at size, on top of the demo's own people: :contacts people of a fifth as many companies over a year, with
-- what they did, :talks conversations, calls, mails, deals, and what waits for somebody. :now is milliseconds UTC.
-- Written row by row into SQLite, not through the product's doors: what is measured is reading.

create temp table person as
    with recursive n(i) as (select 0 union all select i + 1 from n where i + 1 < :contacts)
    select i,
        :now - 31536000000 + i * (31536000000 / :contacts) as at,
        case
            when i % 100 < 62 then 'lead' when i % 100 < 78 then 'mql' when i % 100 < 86 then 'sql'
            when i % 100 < 91 then 'sal' else 'customer' end as stage
    from n;
create temp table who as
    select i, at, stage,
        printf('%08x-%04x-7000-8000-%012x', at >> 16, at & 65535, i) as id,
        printf('%08x-%04x-7001-8000-%012x', at >> 16, at & 65535, i) as visitor,
        printf('00000000-0000-7000-8000-%012x', i / 5) as company,
        (select id from accounts where email = case i % 3
            when 0 then 'mike@faro.example' when 1 then 'lucia@faro.example' else 'yuri@faro.example' end) as owner
    from person;

insert into companies (id, domain, name, sort_name, country, employees, industry, created_at)
    select company, 'company' || (i / 5) || '.example', 'Company ' || (i / 5) || ' S.L.', 'company ' || (i / 5),
        case i % 3 when 0 then 'ES' when 1 then 'MX' else 'GB' end, 10 + i % 900, 'retail', at
    from who where i % 5 = 0;
insert into contacts (id, email, first_name, last_name, company_id, language, owner_id, stage, stage_since,
        created_at, updated_at, last_seen_at)
    select id, 'person' || i || '@company' || (i / 5) || '.example',
        case i % 6 when 0 then 'Ána' when 1 then 'José' when 2 then 'Nikki' when 3 then 'Laura' when 4 then 'Søren'
            else 'Wilhelmina' end,
        case i % 5 when 0 then 'García' when 1 then 'Núñez' when 2 then 'Grant' when 3 then 'Müller' else 'Petrov' end
            || ' ' || i,
        company, case i % 2 when 0 then 'es' else 'en' end, case when i % 4 = 0 then owner end, stage,
        min(at + 86400000, :now), at, at, at + (:now - at) * (i % 10) / 10
    from who;
insert into visitors (id, site, contact_id, trust, consent, first_seen_at, last_seen_at)
    select visitor, 'faro', id, 1 + i % 3, 'analytics', at, at from who;

insert into contact_fields (contact_id, name, status, value, source, trust, at)
    select id, 'job_title', 'current',
        case i % 4 when 0 then 'Head of Learning' when 1 then 'Director de Personas' when 2 then 'Analyst' else 'CEO' end,
        'form:white-paper', 1, at
    from who;
insert into activities (id, contact_id, visitor_id, kind, subject, props, at)
    select printf('%08x-%04x-7%03x-8001-%012x', at >> 16, at & 65535, k.n, i), id, visitor, k.kind, k.subject, k.props,
        min(at + k.n * 3600000, :now)
    from who, (
        select 1 as n, 'form.submitted' as kind, 'white-paper' as subject, '{}' as props
        union all select 2, 'asset.downloaded', 'reading-guide', '{"kind":"white_paper"}'
        union all select 3, 'webinar.registered', 'reading-at-work', '{}'
        union all select 4, 'webinar.attended', 'reading-at-work', '{"minutes":41}') as k
    where k.n <= 2 or i % 4 = 0;
insert into form_submissions (id, site, form, contact_id, visitor_id, fields, language, at)
    select printf('%08x-%04x-7002-8000-%012x', at >> 16, at & 65535, i), 'faro', 'white-paper', id, visitor, '{}', 'en', at
    from who;
insert or ignore into webinar_registrations (webinar, contact_id, state, minutes, registered_at, state_at)
    select 'reading-at-work', id, case i % 3 when 0 then 'no_show' else 'attended' end, 41, at, at
    from who where i % 4 = 0;
insert into stage_intervals (id, contact_id, journey, stage, entered_at, left_at, actor, rule, lifecycle_hash, evidence)
    select printf('%08x-%04x-7%03x-8002-%012x', at >> 16, at & 65535, s.n, i), id, 1, s.stage,
        min(at + (s.n - 1) * 600000, :now), case when s.stage <> who.stage then min(at + s.n * 600000, :now) end,
        'rule', s.rule, (select hash from lifecycle_versions limit 1), '{"activities":[],"condition":""}'
    from who, (
        select 1 as n, 'lead' as stage, 'lead.identified' as rule union all select 2, 'mql', 'mql.matrix'
        union all select 3, 'sql', 'sql.booked' union all select 4, 'sal', 'sal.accepted'
        union all select 5, 'customer', 'customer.won') as s
    where s.n <= case who.stage when 'lead' then 1 when 'mql' then 2 when 'sql' then 3 when 'sal' then 4 else 5 end;
insert into segment_states (segment, contact_id, is_member, since)
    select segment, id, i % 3 = 0, at from who, (select distinct segment from segment_fills);
insert into consents (id, contact_id, visitor_id, purpose, action, page, at)
    select printf('%08x-%04x-7003-8000-%012x', at >> 16, at & 65535, i), id, visitor, 'newsletter', 'granted', '/en/', at
    from who where i % 2 = 0;

create temp table talk as
    select i, printf('%08x-%04x-7004-8000-%012x', at >> 16, at & 65535, i) as id, id as contact, visitor, at,
        case
            when i >= :contacts - 40 then 'human' when i >= :contacts - 60 then 'waiting'
            when i >= :contacts - 200 then 'bot' else 'closed' end as mode,
        case i % 4 when 0 then 'welcome' when 1 then 'pricing-qualification' when 2 then 'webinar-recovery'
            else 'out-of-hours' end as flow,
        case i % 3 when 0 then 'booked' when 1 then 'declined' else 'message_left' end as outcome
    from who where i >= :contacts - :talks;
insert into conversations (id, site, visitor_id, contact_id, flow, flow_version, language, time_zone, page, mode, state, head,
        assigned_to, outcome, opened_at, updated_at, closed_at)
    select id, 'faro', visitor, contact, flow,
        coalesce((select version from flow_versions where flow_versions.flow = talk.flow limit 1), 'none'),
        'en', 'Europe/Madrid', '{"url":"http://localhost/en/","title":"Librería Faro","returning":false}', mode,
        '{"flow":"' || flow || '","version":"none","step":"hello","contract":"","phase":"ended","visit":2,"retries":0,'
            || '"deadline":null,"vars":{},"shown":{},"agent":null,"team":null,"booking":null,"looked_on":false,'
            || '"email_given":false,"recalled":[],"code_sent":false,"codes_again":0,"waiting_since":null,"resumed":false,'
            || '"unheard":"","alone":1,"outcome":"' || outcome || '","path":["hello","menu","bye"]}',
        6, case when mode = 'human' then (select id from accounts where role = 'sdr' limit 1) end,
        case when mode = 'closed' then outcome end, at, at, case when mode = 'closed' then at end
    from talk;
insert into messages (conversation_id, seq, author, author_id, body, at)
    select id, m.seq, m.author, case m.author when 'agent' then (select id from accounts where role = 'sdr' limit 1) end,
        m.body, at + m.seq * 1000
    from talk, (
        select 1 as seq, 'bot' as author, '{"type":"text","text":"Hello, good to see you here."}' as body
        union all select 2, 'bot', '{"type":"text","text":"Ask me about prices, webinars and trials."}'
        union all select 3, 'visitor', '{"type":"text","text":"How much is it for thirty people in two cities?"}'
        union all select 4, 'bot', '{"type":"text","text":"I have passed on what you wrote."}'
        union all select 5, 'agent', '{"type":"text","text":"Good morning, this is Mike."}'
        union all select 6, 'visitor', '{"type":"text","text":"Thank you, that is what I wanted to know."}') as m;

insert into bookings (id, meeting, rep, contact_id, visitor_id, starts_at, ends_at, block_from, block_to, state, time_zone,
        language, location, assignment, outcome, outcome_at, created_at, updated_at)
    select printf('%08x-%04x-7005-8000-%012x', at >> 16, at & 65535, i), 'discovery',
        case i / 5 % 3 when 0 then 'mike' when 1 then 'lucia' else 'yuri' end, id, visitor,
        starts, starts + 1200000, starts - 300000, starts + 1500000, 'confirmed', 'Europe/Madrid', 'en',
        'https://meet.faro.example/discovery', (select assignment from bookings limit 1),
        case when starts < :now then case i % 4 when 0 then 'no_show' else 'held' end end,
        case when starts < :now then starts end, at, at
    from (select *, (at + 864000000) / 1800000 * 1800000 + 7200000 as starts from who where i % 5 = 0);
insert into deals (id, company_id, name, amount, currency, status, reason, owner_id, opened_at, closed_at)
    select printf('%08x-%04x-7006-8000-%012x', at >> 16, at & 65535, i), company, 'Programme ' || i, 100000 + i, 'EUR',
        case i % 3 when 0 then 'open' when 1 then 'won' else 'lost' end, case i % 3 when 2 then 'price' end, owner, at,
        case when i % 3 > 0 then at end
    from who where i % 20 = 0;
insert into deal_people (deal_id, contact_id, role, at)
    select printf('%08x-%04x-7006-8000-%012x', at >> 16, at & 65535, i), id, 'champion', at from who where i % 20 = 0;

insert into mails (id, message_id, template, recipient, contact_id, subject, text_body, html_body, transport, sent_at)
    select printf('%08x-%04x-7007-8%03x-%012x', at >> 16, at & 65535, k.n, i), '<' || k.n || '.' || i || '@faro.example>',
        k.name, 'person' || i || '@company' || (i / 5) || '.example', id, 'Your guide', 'Here it is.', '<p>Here it is.</p>',
        'smtp', at + k.n
    from who, (select 1 as n, 'asset' as name union all select 2, 'booking_confirmed') as k;
insert into events (id, kind, contact_id, payload, at, dispatched_at)
    select printf('%08x-%04x-7008-8000-%012x', at >> 16, at & 65535, i), 'stage_changed', id,
        json_object('contact', id, 'from', 'visitor', 'kind', 'stage_changed', 'rule', 'lead.identified', 'to', 'lead'), at, at
    from who;
insert into jobs (id, kind, dedupe_key, payload, state, attempts, next_at, fence, last_error, created_at, done_at, target)
    select printf('%08x-%04x-7009-8000-%012x', at >> 16, at & 65535, i), 'notify', 'bench:' || i,
        (select payload from jobs where kind = 'notify' limit 1), case when i % 500 = 0 then 'dead' else 'done' end, 1, at, 1,
        case when i % 500 = 0 then 'refused: 550 no such mailbox' end, at, at, 'mail'
    from who where i % 5 = 0;
insert into handovers (id, contact_id, role, stage, account_id, given_at, due_at, taken_at, taken_by)
    select printf('%08x-%04x-700a-8000-%012x', at >> 16, at & 65535, i), id, 'sdr', 'mql', owner, at, at + 7200000,
        case when i < :contacts - 1000 then at + 3600000 end, case when i < :contacts - 1000 then owner end
    from who where i % 5 = 1;
insert into tasks (id, contact_id, account_id, kind, title, due_at, given_at, done_at, done_by)
    select printf('%08x-%04x-700b-8000-%012x', at >> 16, at & 65535, i), id, owner, 'call', 'Ring back', at + 7200000, at,
        case when i < :contacts - 1000 then at + 3600000 end, case when i < :contacts - 1000 then owner end
    from who where i % 10 = 1;
insert into notifications (id, account_id, kind, title, body, link, at, read_at)
    select printf('%08x-%04x-700c-8000-%012x', at >> 16, at & 65535, i), owner, 'booking_confirmed', 'A call was booked',
        'Tuesday, 09:00', '/console/contacts/' || id, at, case when i < :contacts - 100 then at end
    from who where i % 5 = 2;
insert into form_quarantine (id, site, form, reason, sent, nonce, at)
    select printf('%08x-%04x-700d-8000-%012x', at >> 16, at & 65535, i), 'faro', 'white-paper', 'honeypot',
        coalesce((select sent from form_quarantine limit 1), '{}'), 'bench-' || i, at
    from who where i % 500 = 3 and exists (select 1 from form_quarantine);
insert into audit (id, at, actor, action, contact_id, details)
    select printf('%08x-%04x-700e-8000-%012x', at >> 16, at & 65535, i), at, 'account:' || owner, 'saw', id, 'null'
    from who where i % 3 = 0;
insert into flow_showings (visitor_id, flow, at, dismissed) select visitor, 'welcome', at, i % 2 from who;
