//! How often forms were shown, begun and set apart, by the hour.

use crate::base::time::Timestamp;
use crate::gates::shown::Counted;
use crate::storage::Result;
use crate::storage::db::Tx;
use crate::{params, sql};

/// Adds to an hour's numbers.
pub(in crate::gates) async fn add(
    tx: &mut Tx,
    form: &str,
    site: &str,
    hour: Timestamp,
    what: Counted,
) -> Result<()> {
    tx.execute(
        sql!(
            "insert into form_counts (form, site, hour, viewed, begun, apart)
             values ($1, $2, $3, $4, $5, $6)
             on conflict (form, site, hour) do update
             set viewed = form_counts.viewed + excluded.viewed, begun = form_counts.begun + excluded.begun,
                 apart = form_counts.apart + excluded.apart"
        ),
        params![form, site, hour, what.viewed, what.begun, what.apart],
    )
    .await?;
    Ok(())
}
