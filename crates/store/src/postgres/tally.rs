//! Writes what a transaction counted, once, whatever was counted.

use super::errors::expect_rows;
use super::session::Session;
use crate::Error;
use crate::tally::Tally;

/// Writes everything and is empty again. The TPPs' locks are held by who counts.
pub(super) async fn write(tally: &mut Tally, db: &Session) -> Result<(), Error> {
    let mut flows: Vec<_> = tally.take_flows().collect();
    if !flows.is_empty() {
        flows.sort_unstable_by_key(|(key, _)| *key);
        let column = |of: fn(&crate::tally::Flow) -> u64| -> Vec<i64> {
            let counts = flows.iter().map(|(_, flow)| of(flow));
            counts
                .map(|count| i64::try_from(count).unwrap_or(i64::MAX))
                .collect()
        };
        let tpps: Vec<i64> = flows.iter().map(|((tpp, _), _)| tpp.0).collect();
        let minutes: Vec<i64> = flows.iter().map(|((_, at), _)| at.unix_ms()).collect();
        db.execute(
            ADD_FLOWS,
            &[
                &tpps,
                &minutes,
                &column(|flow| flow.accepted),
                &column(|flow| flow.handed_out),
                &column(|flow| flow.pushed),
                &column(|flow| flow.acknowledged),
                &column(|flow| flow.failed),
                &column(|flow| flow.expired),
                &column(|flow| flow.withdrawn),
            ],
        )
        .await?;
    }
    let mut totals: Vec<_> = tally.take_totals().collect();
    if !totals.is_empty() {
        totals.sort_unstable_by_key(|(tpp, _)| *tpp);
        let tpps: Vec<i64> = totals.iter().map(|(tpp, _)| tpp.0).collect();
        let column = |of: fn(&crate::tally::Totals) -> i64| -> Vec<i64> {
            totals.iter().map(|(_, totals)| of(totals)).collect()
        };
        let changed = db
            .execute(
                ADD_TOTALS,
                &[
                    &tpps,
                    &column(|totals| totals.acknowledged),
                    &column(|totals| totals.failed),
                    &column(|totals| totals.expired),
                    &column(|totals| totals.withdrawn),
                ],
            )
            .await?;
        let expected = u64::try_from(tpps.len()).unwrap_or(u64::MAX);
        expect_rows(changed, expected, "adding up TPPs' totals")?;
    }
    Ok(())
}

pub(super) const ADD_FLOWS: &str = "
    INSERT INTO minutes AS m
        (tpp, minute, accepted, handed_out, pushed, acknowledged, failed, expired, withdrawn)
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[],
        $7::bigint[], $8::bigint[], $9::bigint[])
    ON CONFLICT (tpp, minute) DO UPDATE SET
        accepted = m.accepted + excluded.accepted, handed_out = m.handed_out + excluded.handed_out,
        pushed = m.pushed + excluded.pushed, acknowledged = m.acknowledged + excluded.acknowledged,
        failed = m.failed + excluded.failed, expired = m.expired + excluded.expired,
        withdrawn = m.withdrawn + excluded.withdrawn";

pub(super) const ADD_TOTALS: &str = "
    UPDATE queues q SET acknowledged = q.acknowledged + n.acknowledged, failed = q.failed + n.failed,
        expired = q.expired + n.expired, withdrawn = q.withdrawn + n.withdrawn
    FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[])
        n (tpp, acknowledged, failed, expired, withdrawn)
    WHERE q.tpp = ANY (ARRAY[n.tpp])";
