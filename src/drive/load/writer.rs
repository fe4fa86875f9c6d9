//! What a worker's calls carry: each is written to keys that no other call is writing, and its reply is settled with the ledger.

use std::sync::Arc;

use super::choose::{Chooser, Share};
use super::render::{Buffer, Templates};
use super::wire::HttpResponse;
use crate::api::HttpRequest;
use crate::api::scan::Scanner;
use crate::judge::load::ledger::{Difference, Ledger, Ticket};
use crate::judge::load::reply::{Settled, settle};
use crate::random::Random;

/// A call whose message is busy looks at so many others.
const MOST_STAND_INS: u32 = 64;

/// The one writer of its share of the messages.
pub(super) struct Writer {
    choosers: Arc<[Chooser]>,
    templates: Arc<Templates>,
    share: Share,
    random: Random,
    buffer: Buffer,
    scanner: Scanner,
    ledger: Ledger,
}

/// A call whose keys are reserved.
#[derive(Clone, Copy, Debug)]
pub(super) struct DraftCall {
    pub(super) ticket: Ticket,
    /// Its place in the templates.
    pub(super) caller: u8,
    /// The query's `random`.
    pub(super) random: u32,
}

impl Writer {
    pub(super) fn new(
        choosers: Arc<[Chooser]>,
        templates: Arc<Templates>,
        share: Share,
        random: Random,
        ledger: Ledger,
    ) -> Writer {
        Writer { choosers, templates, share, random, buffer: Buffer::default(), scanner: Scanner::default(), ledger }
    }

    /// Reserves keys for a call. Where its message is busy the next of this worker's messages stands in for it.
    pub(super) fn reserve(&mut self, phase: usize, index: u64) -> Option<DraftCall> {
        let chooser = &self.choosers[phase];
        let traffic = chooser.traffic();
        let chosen = chooser.chosen(index);
        let by_member = chosen.caller.is_member();
        let (least, most) = traffic.value_bytes;
        let length = if least == most { least } else { least + (self.random.next_u32() % (most - least + 1)) };
        let mut message = chooser.message(index);
        for _ in 0..MOST_STAND_INS {
            let ticket = self.ledger.open(message, chosen.operation, chosen.kvs, traffic.keys, length, by_member);
            if let Some(ticket) = ticket {
                let caller = self.templates.position(chosen.caller);
                // Ten digits, from the middle of the range.
                let random = 1_000_000_000 + (self.random.next_u32() >> 2);
                return Some(DraftCall { ticket, caller, random });
            }
            if !chooser.may_stand_in(message) {
                return None;
            }
            message = self.share.after(message, traffic.messages);
        }
        None
    }

    /// The call in bytes, until the next one is rendered.
    pub(super) fn render(&mut self, draft: &DraftCall) -> &[u8] {
        self.templates.render(&mut self.buffer, draft.caller, draft.random, &draft.ticket, &self.ledger);
        &self.buffer.bytes
    }

    /// The call as a report shows it.
    pub(super) fn request(&self, draft: &DraftCall) -> HttpRequest {
        self.templates.request(draft.caller, draft.random, &draft.ticket, &self.ledger)
    }

    /// Settles a reply; what is wrong with it goes to `differences`.
    pub(super) fn settle(
        &mut self,
        draft: &DraftCall,
        &HttpResponse { status, body, coding, .. }: &HttpResponse<'_>,
        differences: &mut Vec<Difference>,
    ) -> Settled {
        settle(&mut self.scanner, &mut self.ledger, &draft.ticket, (status, body, coding), differences)
    }

    /// No reply came that says whether the call was carried out.
    pub(super) fn lose(&mut self, draft: &DraftCall) {
        self.ledger.lose(&draft.ticket);
    }

    /// What is known of its messages in the end.
    pub(super) fn into_ledger(self) -> Ledger {
        self.ledger
    }
}
