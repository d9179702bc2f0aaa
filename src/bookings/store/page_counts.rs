//! How far people came on the booking page, by the hour.

use crate::base::time::Timestamp;
use crate::bookings::page_counts::Counted;
use crate::storage::Result;
use crate::storage::db::Tx;
use crate::{params, sql};

/// Adds to an hour's numbers.
pub(in crate::bookings) async fn add(
    tx: &mut Tx,
    meeting: &str,
    hour: Timestamp,
    what: Counted,
) -> Result<()> {
    tx.execute(
        sql!(
            "insert into booking_page_counts (meeting, hour, opened, shown, booked) values ($1, $2, $3, $4, $5)
             on conflict (meeting, hour) do update
             set opened = booking_page_counts.opened + excluded.opened,
                 shown = booking_page_counts.shown + excluded.shown,
                 booked = booking_page_counts.booked + excluded.booked"
        ),
        params![meeting, hour, what.opened, what.shown, what.booked],
    )
    .await?;
    Ok(())
}
