//! The host site vouches for its user: the strongest that we can know, and keyed by the host's own user id.
//!
//! One user id leads to one contact for good, also when her address changes there. Two user ids with one address are not
//! taken for one person: the second waits (`contested`) until somebody of the company says so, and sees nothing meanwhile.

use super::token::HostUser;
use super::{Error, Identification, Identified, bind, identify, set_field, store, survivor, words};
use crate::base::ids::{ContactId, VisitorId};
use crate::base::time::Timestamp;
use crate::contacts::Trust;
use crate::storage::db::{Queries, Tx};

/// What became of a vouched user.
#[derive(Debug, Clone)]
pub enum Vouched {
    /// The device is hers.
    Identified(Box<Identified>),
    /// Her address belongs to another user of the same site: nothing was bound.
    Contested {
        /// The epoch from now on: another than before if the device was somebody's.
        visitor: VisitorId,
    },
}

/// Binds a device to the contact of a vouched user; `who` holds her address and trust *authenticated*.
///
/// # Errors
/// As the store says.
pub async fn vouch(
    tx: &mut Tx,
    user: &HostUser,
    who: &Identification<'_>,
    now: Timestamp,
) -> Result<Vouched, Error> {
    tx.lock(&format!("host:{}:{}", who.site, user.host_id)).await?;
    let known = store::identity::host_id(tx, who.site, &user.host_id).await?;
    let identified = match known {
        Some(known) if known.is_contested => return contested(tx, who).await,
        Some(known) => {
            let contact = store::find(tx, known.contact).await?.ok_or(Error::Unknown)?;
            tx.lock(&format!("contact:{}", user.email)).await?;
            if store::find_by_email(tx, &user.email).await?.is_none() {
                // She has another address there now. An address that is another contact's stays with that one.
                store::identity::add_address(tx, contact.id, &user.email, "host", now).await?;
                words::index(tx, contact.id).await?;
            }
            bind(tx, who, contact, false, now).await?
        }
        None => {
            if let Some(contact) = store::find_by_email(tx, &user.email).await?
                && store::identity::is_user_of(tx, contact.id, who.site).await?
            {
                store::identity::put_host_id(tx, who.site, &user.host_id, contact.id, "contested", now)
                    .await?;
                return contested(tx, who).await;
            }
            let identified = identify(tx, who, now).await?;
            store::identity::put_host_id(tx, who.site, &user.host_id, identified.contact.id, "bound", now)
                .await?;
            identified
        }
    };
    for (name, value) in [("first_name", &user.first_name), ("last_name", &user.last_name)] {
        if let Some(value) = value {
            let value: String = value.chars().take(80).collect();
            set_field(tx, identified.contact.id, name, &value, "host", Trust::Authenticated, now).await?;
        }
    }
    Ok(Vouched::Identified(Box::new(identified)))
}

/// Somebody else sits at this device now: what it was bound to must not be hers.
async fn contested(tx: &mut Tx, who: &Identification<'_>) -> Result<Vouched, Error> {
    let held = match who.visitor {
        Some(visitor) => store::visitor(tx, visitor).await?.and_then(|known| known.contact),
        None => None,
    };
    let visitor = who.visitor.filter(|_| held.is_none()).unwrap_or_else(VisitorId::new);
    Ok(Vouched::Contested { visitor })
}

/// A person says that a contested user id is the contact's. Returns whether it was contested.
///
/// # Errors
/// As the store says.
pub async fn accept(
    tx: &mut Tx,
    contact: ContactId,
    site: &str,
    host_id: &str,
    now: Timestamp,
) -> Result<bool, Error> {
    let Some(known) = store::identity::host_id(tx, site, host_id).await? else { return Ok(false) };
    if !known.is_contested || survivor(tx, known.contact).await? != survivor(tx, contact).await? {
        return Ok(false);
    }
    store::identity::put_host_id(tx, site, host_id, known.contact, "bound", now).await?;
    Ok(true)
}

/// Gives a contact a further address. Returns false if it is somebody's already: that is for a merge.
///
/// # Errors
/// As the store says.
pub async fn add_address(
    tx: &mut Tx,
    contact: ContactId,
    email: &crate::base::email::Email,
    now: Timestamp,
) -> Result<bool, Error> {
    tx.lock(&format!("contact:{email}")).await?;
    if let Some(known) = store::find_by_email(tx, email).await? {
        return Ok(known.id == survivor(tx, contact).await?);
    }
    store::identity::add_address(tx, contact, email, "person", now).await?;
    words::index(tx, contact).await?;
    Ok(true)
}

/// The contact that a site's user id leads to.
///
/// # Errors
/// As the store says.
pub async fn find(q: &mut impl Queries, site: &str, host_id: &str) -> Result<Option<ContactId>, Error> {
    match store::identity::host_id(q, site, host_id).await? {
        Some(known) if !known.is_contested => Ok(Some(survivor(q, known.contact).await?)),
        _ => Ok(None),
    }
}
