//! What a replay has met, kept until somebody has the time to tell of it: the replay goes on meanwhile.

use super::{Event, Parted, Start, UnreadStep};
use crate::finding::MigrationRef;
use crate::history::{Context, Ends, KnownEffects, Passed, Past, Plan, Session, State, Step, Unit, Whole};
use crate::version::{Major, take_parted};

/// An event, by itself.
#[derive(Debug)]
pub(super) enum Note {
    Step(Box<NotedStep>),
    Unit { at: MigrationRef, steps: Vec<Passed>, before: State, after: State },
    Whole(Box<NotedWhole>),
    Unread(Box<UnreadStep>),
    Call(MigrationRef),
}

#[derive(Debug)]
pub(super) struct NotedStep {
    pub at: MigrationRef,
    pub passed: Passed,
    pub before: State,
    pub after: State,
    pub session: Session,
    pub known: KnownEffects,
}

#[derive(Debug)]
pub(super) struct NotedWhole {
    pub at: MigrationRef,
    pub steps: Vec<Passed>,
    pub before: State,
    pub after: State,
    pub past: Past,
    pub ends: Ends,
}

/// Migrations that were replayed, with what is to be told of them. It knows of nothing that comes later, and may be told
/// on any thread.
#[derive(Debug)]
pub struct Told {
    pub(super) notes: Vec<Note>,
    /// Where they begin, and the migration before which they end: no transaction is open on either side.
    pub(super) since: Start,
    pub(super) end: usize,
    /// The first major for which this does not hold, where the replay itself has met it.
    pub(super) apart: Option<Major>,
}

impl Told {
    /// Tells of each event. Where the answers to what is asked about one part the majors, the history goes on for all of
    /// them: only what is judged is for each group to hear, which `apart` gets to see to.
    pub fn tell(self, plan: &Plan, tell: &mut dyn FnMut(Event), apart: &mut dyn FnMut(Parted)) {
        let Told { notes, since, end, apart: mut parted } = self;
        take_parted();
        for note in notes {
            let is_judged = matches!(note, Note::Step(_) | Note::Unit { .. } | Note::Whole(_));
            if !is_judged || parted.is_none() {
                note.tell(plan, &since.majors, tell);
                parted = parted.or(take_parted());
            }
        }
        if let Some(major) = parted {
            apart(since.part_aside(major, end));
        }
    }
}

impl Note {
    fn tell(&self, plan: &Plan, majors: &[Major], tell: &mut dyn FnMut(Event)) {
        let context = |at: MigrationRef| {
            let migration = &plan.history.migrations[at.migration];
            Context { plan, settings: plan.settings, migration, at, majors }
        };
        match self {
            Note::Step(noted) => {
                let NotedStep { at, passed, before, after, session, known } = &**noted;
                tell(Event::Step(&Step {
                    context: context(*at),
                    passed,
                    operation: &passed.operation,
                    origin: &passed.origin,
                    before,
                    after,
                    session,
                    applied: &passed.applied,
                    certain: passed.certain,
                    known,
                }));
            }
            Note::Unit { at, steps, before, after } => {
                tell(Event::Unit(&Unit { context: context(*at), steps, before, after }));
            }
            Note::Whole(noted) => {
                let NotedWhole { at, steps, before, after, past, ends } = &**noted;
                tell(Event::Whole(&Whole { context: context(*at), steps, before, after, past, ends }));
            }
            Note::Unread(unread) => tell(Event::Unread(unread)),
            Note::Call(at) => tell(Event::Call(*at)),
        }
    }
}
