//! A list is read to its end.

use crate::cloud::kv::Operation;
use crate::cloud::spans::Span;
use crate::study::chaos::invariant::{Case, Invariant};

pub(super) const PAGES: Invariant = Invariant {
    name: "pages",
    promise: "whoever lists keys asks for every page, unless one fails",
    check,
};

fn check(case: &Case) -> Result<(), String> {
    let scenario = case.point.scenario;
    let Ok((r, _)) = &case.evidence.rest.books else {
        return Ok(());
    };
    // Work that ends before its time, and operations that its caller keeps back.
    let ends = scenario.fleet.life.is_some() || r.cut_short > 0 || r.calls.hung > 0;
    if ends || case.point.policy.breaker.is_some() {
        return Ok(());
    }
    let limits = scenario.limits.of_plan(&scenario.plan);
    let most = limits.operations_per_invocation as usize;
    for span in case.spans() {
        // What is beyond the limit is not in the trace.
        if span.operations.len() >= most {
            continue;
        }
        if let Some((list, cursor)) = span.operations.iter().find_map(|o| left(span, o)) {
            return Err(format!(
                "a {} listed {} up to {cursor} and asked for no more, though there is more",
                span.name, list.key
            ));
        }
    }
    Ok(())
}

/// The cursor of a next page that was not asked for.
fn left<'a>(span: &Span, list: &'a Operation) -> Option<(&'a Operation, &'a str)> {
    let next = list.page.as_ref()?.next.as_deref()?;
    let goes_on = span.operations.iter().any(|o| {
        let later = o.key == list.key && o.start >= list.end;
        let from = o.page.as_ref().map(|p| p.from.as_deref());
        later && (o.error.is_some() || from == Some(Some(next)))
    });
    (!goes_on).then_some((list, next))
}
