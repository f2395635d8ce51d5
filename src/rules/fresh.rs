//! What a new database is before a migration: it runs the texts of the work tree alone. Databases that ran a text which this
//! change edits, moves or deletes are told of by the rules on shipped migrations.

use crate::history::{Context, Migration, Plan, SinceBase, Start, State, StopsAnew, replay_from};
use crate::source::Span;

/// Its state before the migration; `None` where the change leaves all that is shipped as it was.
pub(super) fn before(context: &Context) -> Option<State> {
    let (plan, own) = (context.plan, context.at.migration);
    let all = &plan.history.migrations;
    all.iter().find(|one| one.since_base.is_of_base())?;
    let place = plan.history.fresh.iter().position(|number| *number == own)?;
    // Each text is run for itself.
    let alone = |number: &usize| Migration { judged: false, since_base: SinceBase::Same, ..all[*number].clone() };
    let history = plan.history.with(plan.history.fresh[..place].iter().map(alone).collect());
    let earlier = Plan::new(&history, plan.index, plan.settings, Vec::new());
    Some(replay_from(&earlier, Start::of(&earlier, context.majors), &mut |_| {}))
}

/// The statement of an edited migration passes there: what ran the older texts of others ran its own older text too.
pub(super) fn passes(context: &Context, statement: Span) -> bool {
    if context.migration.since_base != SinceBase::Edited {
        return false;
    }
    let (plan, own) = (context.plan, context.at.migration);
    let Some(major) = context.majors.first() else { return false };
    let stops = plan.stops_anew(own, *major, || {
        let Some(state) = before(context) else { return StopsAnew::Unknown };
        let failed = plan.run_from(own, &state, context.majors).failed;
        failed.map_or(StopsAnew::Never, |(step, _)| StopsAnew::At(step.origin.span.start))
    });
    match stops {
        StopsAnew::Never => true,
        StopsAnew::At(place) => place > statement.start,
        StopsAnew::Unknown => false,
    }
}

/// The place stands in a text that databases have run and the work tree lacks.
pub(super) fn is_of_base(context: &Context, place: Span) -> bool {
    let maker = context.plan.migration_of(place);
    maker.and_then(|number| context.plan.history.migrations.get(number)).is_some_and(|one| one.since_base.is_of_base())
}
