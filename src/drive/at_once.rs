//! How many calls a target takes at a time: one that serves a connection until it is closed lets all others wait, and one that turns
//! away whoever calls beside another answers nobody who waits for it.

use std::time::Duration;

use futures::future::join_all;
use tokio::time::timeout;

use super::client::{SetupError, TargetClient};
use super::line::{Line, Session};
use super::target::CallsAtOnce;
use crate::api::HttpRequest;
use crate::history::Outcome;
use crate::scenario::MessageKind;

/// Calls that are sent at once.
const CALLS: usize = 4;
/// What goes wrong once may have gone wrong by chance.
const TRIALS: usize = 3;
/// A call may take as long as all that went before, one after another, and no less than this: a machine that others are busy on may
/// well stand still for a second.
const LEAST_PATIENCE: Duration = Duration::from_secs(2);

/// Finds out, by calls that change nothing: several at once, each over a connection of its own that stays open, and as many one after
/// another. Only where these are all answered, and of those no more than half, time and again, it takes one at a time. `took` is how
/// long it took to find out all else.
pub async fn find(session: &Session<'_>, took: Duration) -> Result<CallsAtOnce, SetupError> {
    let patience = took.max(LEAST_PATIENCE).min(session.target.timeout);
    let closing = session.client.clone().closing();
    let mut line = Line::open(session, "calls at once");
    for _ in 0..TRIALS {
        let open = (0..CALLS).map(|_| session.client.afresh()).collect::<Result<Vec<_>, _>>()?;
        if 2 * answered_at_once(&mut line, &open, patience).await > CALLS {
            return Ok(CallsAtOnce::Several);
        }
        drop(open);
        for _ in 0..CALLS {
            if answered_at_once(&mut line, std::slice::from_ref(&closing), patience).await == 0 {
                return Ok(CallsAtOnce::Several);
            }
        }
    }
    // Each of them waits for those before it.
    let answered = answered_at_once(&mut line, &vec![closing; CALLS], session.target.timeout).await;
    Ok(if answered == CALLS { CallsAtOnce::OneConnection } else { CallsAtOnce::One })
}

/// How many of these send a call that is answered, whatever the reply is.
async fn answered_at_once(line: &mut Line<'_>, clients: &[TargetClient], patience: Duration) -> usize {
    let Ok(nowhere) = line.message(MessageKind::Missing).await else { return 0 };
    let requests: Vec<HttpRequest> = clients.iter().map(|_| line.get(&nowhere, 0)).collect();
    let budget = line.session.budget;
    let answered = clients.iter().zip(&requests).map(async |(client, request)| {
        budget.turn().await;
        matches!(timeout(patience, client.send(request)).await, Ok(Outcome::Replied(_)))
    });
    join_all(answered).await.into_iter().filter(|is_answered| *is_answered).count()
}
