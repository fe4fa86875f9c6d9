//! How far the target's clock is from this machine's, by the `Date` of replies: in whole seconds, and so known best at the moment in which
//! one of them ends.

use std::time::Duration;

use futures::future::join_all;
use tokio::time::sleep;

use super::since_1970;
use crate::drive::ground::Ground;
use crate::drive::line::{Line, Session};
use crate::judge::load::shards::ClockOffset;
use crate::scenario::{EmbeddedSetup, MessageKind};

/// Rounds of calls, each spread over what is left unknown by the one before: a second, an eighth of it, and so on.
const ROUNDS: u32 = 4;
const CALLS: u32 = 8;
const SECOND_NS: i64 = 1_000_000_000;

/// `None` where replies have no `Date`, or contradict each other.
pub(super) async fn measure(ground: &Ground<'_>) -> Option<ClockOffset> {
    let (session, _launched) = &ground.session(EmbeddedSetup::default()).await;
    let mut known = ask(session, Duration::ZERO).await?;
    for _ in 0..ROUNDS {
        let now = now_ns();
        let ahead = |at: i64| (at - now).rem_euclid(SECOND_NS);
        let asks = known.asks(CALLS).into_iter().map(|at| ask(session, Duration::from_nanos(ahead(at).unsigned_abs())));
        for told in join_all(asks).await {
            known = known.and(told?)?;
        }
    }
    Some(known)
}

/// A call for a message that there is not: it changes nothing, and how it is answered matters to nobody.
async fn ask(session: &Session<'_>, after: Duration) -> Option<ClockOffset> {
    let mut line = Line::open(session, "clock");
    let nowhere = line.message(MessageKind::Missing).await.ok()?;
    let request = line.get(&nowhere, 0);
    sleep(after).await;
    let sent = now_ns();
    let (_, date) = session.client.send_dated(&request).await;
    Some(ClockOffset::by_date(date?, sent, now_ns()))
}

fn now_ns() -> i64 {
    i64::try_from(since_1970().as_nanos()).unwrap_or(i64::MAX)
}
