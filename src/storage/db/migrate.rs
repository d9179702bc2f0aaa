//! The tables' history. Forward only, and compatible with the version that still runs: expand, backfill, contract.

/// One step. The texts are equal unless the engines' guards differ.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// Its number; steps run in this order, each once.
    pub number: i64,
    /// What it brings.
    pub name: &'static str,
    /// The text for SQLite.
    pub sqlite: &'static str,
    /// The text for PostgreSQL.
    pub postgres: &'static str,
}

const fn shared(number: i64, name: &'static str, text: &'static str) -> Migration {
    Migration { number, name, sqlite: text, postgres: text }
}

/// The journey's tables.
pub const JOURNEY: &[Migration] = &[
    shared(1, "start", include_str!("../migrations/0001_start.sql")),
    Migration {
        number: 2,
        name: "no double booking",
        sqlite: include_str!("../migrations/0002_no_double_booking.sqlite.sql"),
        postgres: include_str!("../migrations/0002_no_double_booking.postgres.sql"),
    },
    shared(3, "salts", include_str!("../migrations/0003_salts.sql")),
    shared(4, "visits go", include_str!("../migrations/0004_visits_go.sql")),
    shared(5, "marks and segments", include_str!("../migrations/0005_segments.sql")),
    shared(6, "people", include_str!("../migrations/0006_people.sql")),
    shared(7, "forms", include_str!("../migrations/0007_forms.sql")),
    shared(8, "mail", include_str!("../migrations/0008_mail.sql")),
    shared(9, "lifecycle", include_str!("../migrations/0009_lifecycle.sql")),
    shared(10, "content", include_str!("../migrations/0010_content.sql")),
    shared(11, "hand-over", include_str!("../migrations/0011_handover.sql")),
    shared(12, "arms and actions of chats", include_str!("../migrations/0012_chat_arms.sql")),
    shared(13, "flow versions", include_str!("../migrations/0013_flow_versions.sql")),
    shared(15, "live chat", include_str!("../migrations/0015_live_chat.sql")),
    shared(16, "watching and confirming", include_str!("../migrations/0016_watching_and_confirming.sql")),
    shared(17, "kept texts", include_str!("../migrations/0017_kept_texts.sql")),
    shared(18, "replies", include_str!("../migrations/0018_replies.sql")),
    shared(19, "scheduling", include_str!("../migrations/0019_scheduling.sql")),
    shared(20, "outbox", include_str!("../migrations/0020_outbox.sql")),
    shared(21, "calendars", include_str!("../migrations/0021_calendars.sql")),
    shared(22, "crm", include_str!("../migrations/0022_crm.sql")),
    shared(23, "team meetings", include_str!("../migrations/0023_team_meetings.sql")),
    shared(24, "push", include_str!("../migrations/0024_push.sql")),
    shared(25, "traffic", include_str!("../migrations/0025_traffic.sql")),
    shared(26, "links mailed", include_str!("../migrations/0026_links_mailed.sql")),
    shared(27, "proofs, wishes, who said it", include_str!("../migrations/0027_identity.sql")),
    shared(28, "lifecycle trials", include_str!("../migrations/0028_lifecycle_trials.sql")),
    shared(29, "reports", include_str!("../migrations/0029_reports.sql")),
    shared(30, "chat teams", include_str!("../migrations/0030_chat_teams.sql")),
    shared(32, "accounts", include_str!("../migrations/0032_accounts.sql")),
    shared(33, "keys for programs", include_str!("../migrations/0033_api_keys.sql")),
    shared(37, "waiting for any time, own weeks", include_str!("../migrations/0037_availability.sql")),
    Migration {
        number: 38,
        name: "contacts at size",
        sqlite: include_str!("../migrations/0038_contacts.sqlite.sql"),
        postgres: include_str!("../migrations/0038_contacts.postgres.sql"),
    },
    shared(39, "texts of flows", include_str!("../migrations/0039_flow_texts.sql")),
    shared(40, "what was told, and by which zones", include_str!("../migrations/0040_told_and_zones.sql")),
    shared(43, "who is spoken to, who is on the site", include_str!("../migrations/0043_approaches.sql")),
    shared(44, "sites of the console", include_str!("../migrations/0044_added_sites.sql")),
    Migration {
        number: 45,
        name: "guard against overlaps at size",
        sqlite: include_str!("../migrations/0045_overlap_at_size.sqlite.sql"),
        postgres: include_str!("../migrations/0045_overlap_at_size.postgres.sql"),
    },
    shared(46, "who left the team's file", include_str!("../migrations/0046_left_the_team.sql")),
    shared(48, "jobs that ended, who looked", include_str!("../migrations/0048_ended_jobs.sql")),
    shared(49, "how often forms are shown", include_str!("../migrations/0049_form_counts.sql")),
    shared(51, "what acts leave behind", include_str!("../migrations/0051_acts_end.sql")),
    shared(52, "how far people come on the booking page", include_str!("../migrations/0052_page_counts.sql")),
];

/// The hit log's table. On SQLite it has a file of its own, so that hits never wait for the journey's writer; on
/// PostgreSQL it stands beside the journey's, so its numbers start at 1000.
pub const HITS: &[Migration] = &[
    Migration {
        number: 1000,
        name: "hits",
        sqlite: include_str!("../migrations/hits/0001_hits.sqlite.sql"),
        postgres: include_str!("../migrations/hits/0001_hits.postgres.sql"),
    },
    Migration {
        number: 1001,
        name: "packed hits",
        sqlite: include_str!("../migrations/hits/0002_packed.sqlite.sql"),
        postgres: include_str!("../migrations/hits/0002_packed.postgres.sql"),
    },
    shared(1002, "places and words", include_str!("../migrations/hits/0003_places_and_words.sql")),
    Migration {
        number: 1003,
        name: "traffic",
        sqlite: include_str!("../migrations/hits/0004_traffic.sqlite.sql"),
        postgres: include_str!("../migrations/hits/0004_traffic.postgres.sql"),
    },
    Migration {
        number: 1004,
        name: "resting days",
        sqlite: include_str!("../migrations/hits/0005_resting.sqlite.sql"),
        postgres: include_str!("../migrations/hits/0005_resting.postgres.sql"),
    },
    shared(1005, "who is here", include_str!("../migrations/hits/0006_recent.sql")),
];

/// Where the done steps are noted.
pub(super) const LEDGER: &str =
    "create table if not exists migrations (number bigint primary key, name text not null)";
