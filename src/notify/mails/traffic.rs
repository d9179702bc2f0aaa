//! To colleagues who asked for it: what the week was like on a site, and that far more come than usual.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::team::colleague;
use super::{Draft, Kind, Mail, Ready, context, site_context};
use crate::accounts::Account;
use crate::base::ids::AccountId;
use crate::base::time::Timestamp;
use crate::notify::compose::{Dress, compose};
use crate::notify::{Desk, Error};
use crate::sites::Site;

/// What a week came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    pub visitors: i64,
    pub visits: i64,
    pub views: i64,
    /// In percent.
    pub bounce_rate: i64,
    /// Attention per visit.
    pub engaged_ms: i64,
}

/// A page or a source, and how many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    pub name: String,
    pub count: i64,
}

/// A week of a site. It is over: what is told of it does not change any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Week {
    /// The site's key.
    pub site: String,
    /// The beginning of its Monday in the site's zone.
    pub from: Timestamp,
    /// The beginning of its Sunday.
    pub to: Timestamp,
    pub now: Counted,
    /// The week before; none if nobody came.
    pub before: Option<Counted>,
    /// Pages and sources with the most visitors, and goals with the visits that reached them.
    pub pages: Vec<Row>,
    pub sources: Vec<Row>,
    pub goals: Vec<Row>,
}

impl Week {
    /// How many visitors more than in the week before, in percent.
    fn change(&self) -> Option<i64> {
        let before = self.before.map(|before| before.visitors).filter(|before| *before > 0)?;
        Some(((self.now.visitors - before) * 200 + before).div_euclid(2 * before))
    }
}

/// Far more come than usual.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spike {
    /// The site's key.
    pub site: String,
    /// Visits of the hour that ran.
    pub visits: i64,
    /// What is usual at that hour.
    pub usual: i64,
    pub at: Timestamp,
}

pub(super) async fn week(
    desk: &Desk,
    mail: &Mail,
    account: AccountId,
    week: &Week,
    now: Timestamp,
) -> Result<Draft, Error> {
    let Some((colleague, site)) = reader(desk, account, &week.site).await? else { return Ok(Draft::CHANGED) };
    let change = week.change();
    let tells = json!({
        "from": week.from,
        "to": week.to,
        "now_counted": week.now,
        "before": week.before,
        "change": change.map(i64::abs),
        "grew": change.is_some_and(|change| change > 0),
        "shrank": change.is_some_and(|change| change < 0),
        "pages": week.pages,
        "sources": week.sources,
        "goals": week.goals,
        "link": desk.link(&format!(
            "/console/traffic?site={}&range=own&from={}&to={}", site.key, day(site, week.from), day(site, week.to)
        )),
    });
    to(desk, mail, &colleague, site, tells, now)
}

pub(super) async fn spike(
    desk: &Desk,
    mail: &Mail,
    account: AccountId,
    spike: &Spike,
    now: Timestamp,
) -> Result<Draft, Error> {
    let Some((colleague, site)) = reader(desk, account, &spike.site).await? else {
        return Ok(Draft::CHANGED);
    };
    let tells = json!({
        "visits": spike.visits,
        "usual": spike.usual,
        "at": spike.at,
        "link": desk.link(&format!("/console/traffic?site={}&range=today", site.key)),
    });
    to(desk, mail, &colleague, site, tells, now)
}

/// The day of a moment as the console's address has it.
fn day(site: &Site, at: Timestamp) -> String {
    at.to_jiff().to_zoned(site.zone()).date().to_string()
}

async fn reader<'a>(
    desk: &'a Desk,
    account: AccountId,
    site: &str,
) -> Result<Option<(Account, &'a Site)>, Error> {
    let colleague = colleague(&mut desk.stores.db.read(), account).await?;
    Ok(colleague.zip(desk.sites.find(site).ok()))
}

fn to(
    desk: &Desk,
    mail: &Mail,
    colleague: &Account,
    site: &Site,
    tells: serde_json::Value,
    now: Timestamp,
) -> Result<Draft, Error> {
    let mut tells = tells;
    tells["settings"] = json!(desk.link(&format!("/console/traffic/settings?site={}", site.key)));
    let site_of_mail = site_context(&site.name, site.home());
    let context = context(&site.time_zone, &site_of_mail, now, tells);
    let language = colleague.language;
    Ok(Draft::Ready(Box::new(Ready {
        is_hidden: false,
        unsubscribe: None,
        secret: None,
        template: mail.name().to_owned(),
        kind: Kind::Answer,
        language,
        to: colleague.email.clone(),
        to_name: colleague.name.clone(),
        from_name: desk.company.clone(),
        contact: None,
        written: compose(&desk.templates, &desk.wording, mail.name(), language, &context, &Dress::default())?,
        context,
        calendar: None,
    })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_rounded_and_has_a_week_to_be_held_against() {
        let counted = |visitors| Counted { visitors, visits: 0, views: 0, bounce_rate: 0, engaged_ms: 0 };
        let week = |now, before: Option<i64>| Week {
            site: String::new(),
            from: Timestamp(0),
            to: Timestamp(0),
            now: counted(now),
            before: before.map(counted),
            pages: Vec::new(),
            sources: Vec::new(),
            goals: Vec::new(),
        };
        assert_eq!(week(115, Some(100)).change(), Some(15));
        assert_eq!(week(2, Some(3)).change(), Some(-33));
        assert_eq!((week(5, None).change(), week(5, Some(0)).change()), (None, None));
    }
}
