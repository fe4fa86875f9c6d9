//! Is there an order of operations under way at the same time that explains what each of them was told? Wing and Gong's search
//! (1993), with Lowe's cache of what leads nowhere (2017).
//!
//! An operation comes at one moment between its sending and its reply. A read that may come now comes now: it can come no better
//! later. So there is a choice only between writes, and a Seq leaves few.

use std::collections::HashSet;
use std::hash::Hash;

use crate::random::Random;

/// When an operation was under way, in nanoseconds since the start of the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnderWay {
    pub sent: u64,
    /// [`NEVER`] for one without a reply.
    pub received: u64,
    /// Whether it did come; one that did not need not be placed.
    pub is_certain: bool,
    /// Whether it changes nothing, whatever it meets.
    pub is_read: bool,
    /// Nobody can tell this operation from that one, which so may come first.
    pub twin: Option<u32>,
}

/// No reply ever came.
pub const NEVER: u64 = u64::MAX;

/// What came of a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sought {
    /// The operations in such an order; what did not come, or could not be told from it, is left out.
    Found(Vec<u32>),
    /// There is none: no way leads beyond the reply to this operation.
    Nowhere(u32),
    /// The budget ended first.
    Undecided,
}

/// The search, with what it needs kept from one to the next.
#[derive(Debug)]
pub struct OrderSearch<S> {
    /// Steps that one search may take.
    budget: u64,
    events: Events,
    seen: HashSet<(u128, S)>,
    frames: Vec<Frame>,
    choices: Vec<NextChoice<S>>,
    /// The operations that are placed, in their order, and whether they came at all.
    order: Vec<(u32, bool)>,
    mark: u128,
    certain_left: usize,
}

/// Where there was a choice: so many operations had come, and its choices begin there.
#[derive(Clone, Copy, Debug)]
struct Frame {
    came: usize,
    choices: usize,
}

#[derive(Debug)]
struct NextChoice<S> {
    operation: u32,
    comes: bool,
    state: S,
    /// The least is tried first.
    rank: (u8, u64),
}

impl<S: Clone + Eq + Hash> OrderSearch<S> {
    pub fn new(budget: u64) -> OrderSearch<S> {
        OrderSearch {
            budget,
            events: Events::default(),
            seen: HashSet::new(),
            frames: Vec::new(),
            choices: Vec::new(),
            order: Vec::new(),
            mark: 0,
            certain_left: 0,
        }
    }

    /// Looks for an order from the state `first` on. `after` is the state after an operation that comes in a state; `None` where
    /// it cannot come there, or would have been told something else.
    pub fn order(&mut self, first: S, all: &[UnderWay], after: impl Fn(&S, u32) -> Option<S>) -> Sought {
        self.begin(all);
        let (mut state, mut steps, mut stuck) = (first, 0, None::<u32>);
        loop {
            self.settle(&state, all, &after);
            if self.certain_left == 0 {
                return Sought::Found(self.order.iter().filter(|(_, came)| *came).map(|(operation, _)| *operation).collect());
            }
            let choices = self.choices.len();
            if self.seen.insert((self.mark, state.clone())) {
                self.gather(&state, all, &after);
                if self.choices.len() == choices {
                    let here = self.events.first_reply();
                    stuck = stuck.into_iter().chain(here).max_by_key(|operation| all[*operation as usize].received);
                }
            }
            self.frames.push(Frame { came: self.order.len(), choices });
            match self.next(all) {
                Some(next) => state = next,
                // Without a reply that nothing leads beyond there would be no end.
                None => return Sought::Nowhere(stuck.unwrap_or(0)),
            }
            steps += 1;
            if steps > self.budget {
                return Sought::Undecided;
            }
        }
    }

    fn begin(&mut self, all: &[UnderWay]) {
        self.events.fill(all);
        // Clearing costs as much as the set once held.
        if self.seen.capacity() > 64 * (all.len() + 16) {
            self.seen = HashSet::new();
        } else {
            self.seen.clear();
        }
        self.frames.clear();
        self.choices.clear();
        self.order.clear();
        self.mark = 0;
        self.certain_left = all.iter().filter(|one| one.is_certain).count();
    }

    /// Lets every read come that may, and that tells nothing new.
    fn settle(&mut self, state: &S, all: &[UnderWay], after: &impl Fn(&S, u32) -> Option<S>) {
        loop {
            let came = self.order.len();
            let mut event = self.events.first();
            while let Some(operation) = self.events.call(event) {
                if all[operation as usize].is_read && after(state, operation).as_ref() == Some(state) {
                    self.place(operation, true, all);
                    event = self.events.next_of_before(event);
                } else {
                    event = self.events.next(event);
                }
            }
            if self.order.len() == came {
                return;
            }
        }
    }

    /// Everything that may come next, the best last.
    fn gather(&mut self, state: &S, all: &[UnderWay], after: &impl Fn(&S, u32) -> Option<S>) {
        let start = self.choices.len();
        let mut event = self.events.first();
        while let Some(operation) = self.events.call(event) {
            let one = &all[operation as usize];
            let waits = one.twin.is_some_and(|twin| self.events.is_open(twin));
            if let Some(next) = after(state, operation).filter(|next| !waits && (one.is_certain || next != state)) {
                self.choices.push(NextChoice {
                    operation,
                    comes: true,
                    state: next,
                    rank: (u8::from(!one.is_certain), one.received),
                });
            }
            event = self.events.next(event);
        }
        // What need not have come did not come, where its time is over.
        if let Some(operation) = self.events.reply(event).filter(|operation| !all[*operation as usize].is_certain) {
            self.choices.push(NextChoice { operation, comes: false, state: state.clone(), rank: (2, 0) });
        }
        self.choices[start..].sort_by_key(|choice| std::cmp::Reverse(choice.rank));
    }

    /// Takes the next choice, of an earlier state where the last has none left.
    fn next(&mut self, all: &[UnderWay]) -> Option<S> {
        loop {
            let Frame { came, choices } = *self.frames.last()?;
            while self.order.len() > came {
                self.take_back(all);
            }
            if self.choices.len() > choices
                && let Some(choice) = self.choices.pop()
            {
                self.place(choice.operation, choice.comes, all);
                return Some(choice.state);
            }
            self.frames.pop();
        }
    }

    fn place(&mut self, operation: u32, comes: bool, all: &[UnderWay]) {
        self.events.lift(operation);
        self.order.push((operation, comes));
        self.mark ^= mark(operation);
        self.certain_left -= usize::from(all[operation as usize].is_certain);
    }

    fn take_back(&mut self, all: &[UnderWay]) {
        if let Some((operation, _)) = self.order.pop() {
            self.events.put_back(operation);
            self.mark ^= mark(operation);
            self.certain_left += usize::from(all[operation as usize].is_certain);
        }
    }
}

/// Sets of operations are told apart by the exclusive or of their marks: 128 bits, which no two sets of a search ever share.
fn mark(operation: u32) -> u128 {
    let mut random = Random::seeded(u64::from(operation));
    u128::from(random.next_u64()) << 64 | u128::from(random.next_u64())
}

/// The sendings and replies of the operations that have not come yet, in the order of time, as a list from which an operation is
/// lifted and put back. Event 0 is the list's ends.
#[derive(Debug, Default)]
struct Events {
    next: Vec<u32>,
    before: Vec<u32>,
    /// The operation of each event, and whether it is its reply.
    of: Vec<(u32, bool)>,
    /// The events of each operation: sending and reply, which is 0 where there is none.
    places: Vec<(u32, u32)>,
    open: Vec<bool>,
}

impl Events {
    #[expect(clippy::cast_possible_truncation, reason = "a history has fewer than 2³¹ operations")]
    fn fill(&mut self, all: &[UnderWay]) {
        let sendings = (0..all.len() as u32).map(|operation| (all[operation as usize].sent, false, operation));
        let replies = (0..all.len() as u32).map(|operation| (all[operation as usize].received, true, operation));
        // At one time the sending comes first: then the two may have come in either order.
        let mut sorted: Vec<(u64, bool, u32)> = sendings.chain(replies.filter(|(received, ..)| *received != NEVER)).collect();
        sorted.sort_unstable();
        let count = sorted.len() as u32 + 1;
        self.next = (1..count).chain([0]).collect();
        self.before = [count - 1].into_iter().chain(0..count - 1).collect();
        self.of = [(0, true)].into_iter().chain(sorted.iter().map(|(_, is_reply, operation)| (*operation, *is_reply))).collect();
        self.places = vec![(0, 0); all.len()];
        for (event, (operation, is_reply)) in (0..).zip(&self.of).skip(1) {
            let place = &mut self.places[*operation as usize];
            *(if *is_reply { &mut place.1 } else { &mut place.0 }) = event;
        }
        self.open = vec![true; all.len()];
    }

    fn first(&self) -> u32 {
        self.next[0]
    }

    fn next(&self, event: u32) -> u32 {
        self.next[event as usize]
    }

    /// What follows now on the event before one that was lifted.
    fn next_of_before(&self, event: u32) -> u32 {
        self.next[self.before[event as usize] as usize]
    }

    /// The operation that is sent here; `None` at a reply and at the end.
    fn call(&self, event: u32) -> Option<u32> {
        let (operation, is_reply) = self.of[event as usize];
        (!is_reply).then_some(operation)
    }

    fn reply(&self, event: u32) -> Option<u32> {
        let (operation, is_reply) = self.of[event as usize];
        (event != 0 && is_reply).then_some(operation)
    }

    fn first_reply(&self) -> Option<u32> {
        let mut event = self.first();
        while self.call(event).is_some() {
            event = self.next(event);
        }
        self.reply(event)
    }

    fn is_open(&self, operation: u32) -> bool {
        self.open[operation as usize]
    }

    fn lift(&mut self, operation: u32) {
        let (sending, reply) = self.places[operation as usize];
        self.unlink(sending);
        if reply != 0 {
            self.unlink(reply);
        }
        self.open[operation as usize] = false;
    }

    /// Undoes the last [`Events::lift`].
    fn put_back(&mut self, operation: u32) {
        let (sending, reply) = self.places[operation as usize];
        if reply != 0 {
            self.link(reply);
        }
        self.link(sending);
        self.open[operation as usize] = true;
    }

    fn unlink(&mut self, event: u32) {
        let (before, next) = (self.before[event as usize], self.next[event as usize]);
        self.next[before as usize] = next;
        self.before[next as usize] = before;
    }

    fn link(&mut self, event: u32) {
        let (before, next) = (self.before[event as usize], self.next[event as usize]);
        self.next[before as usize] = event;
        self.before[next as usize] = event;
    }
}
